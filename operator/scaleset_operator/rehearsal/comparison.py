"""Two sequences of acts side by side: whether they are the same, and where they first differ.

Compared are kind, instance, purpose and reason of what was carried out, in order; not times or
words, and not what a race with somebody else made fail and the next turn did again. Must not know:
where the acts come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest
from typing import Final

from scaleset_operator.reconciler.acts import Act, ActKind

PATCHES: Final = (ActKind.PUBLISH, ActKind.MARK)

Gist = tuple[str, str, str, str, str]
"""Set, kind, instance, what, and the reason code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two sequences part; None where one has ended.

    Attributes:
        place: how many acts before it are the same.
    """

    place: int
    recorded: Act | None
    replayed: Act | None


def gist_of(act: Act) -> Gist:
    """What of an act is compared."""
    return ("/".join(act.key), act.kind, act.instance, act.what, act.reason)


def carried_out(acts: Iterable[Act]) -> list[Act]:
    """The acts that count; each set's in order, for sets take their turns beside one another.

    A patch of a pod that repeats the one before it changes nothing, and does not count. Patches
    that follow one another within a turn go out together, in no order: they stand by name here,
    those of one pod by kind and then as they were.
    """
    found: list[Act] = []
    published: dict[tuple[str, str, str], Gist] = {}
    for act in sorted(acts, key=lambda act: (act.key, act.number)):
        if act.failed:
            continue
        if act.kind in PATCHES:
            gist = gist_of(act)
            pod = (gist[0], act.kind, act.instance)
            if published.get(pod) == gist:
                continue
            published[pod] = gist
        found.append(act)
    runs = groupby(found, key=lambda act: (act.key, act.turn, act.kind in PATCHES))
    return [act for (*_, patches), run in runs for act in (_by_name(run) if patches else run)]


def _by_name(acts: Iterable[Act]) -> list[Act]:
    return sorted(acts, key=lambda act: (act.instance, act.kind))


def first_difference(
    recorded: Sequence[Act], replayed: Sequence[Act], late: datetime | None = None
) -> Difference | None:
    """Where the two part; None where they are the same.

    Args:
        recorded: acts of one run.
        replayed: acts of the other.
        late: what the other did from then on the first may have had no time for.
    """
    ours, others = carried_out(recorded), carried_out(replayed)
    place = 0
    for key in sorted({act.key for act in (*ours, *others)}):
        of_one = [act for act in ours if act.key == key]
        of_other = [act for act in others if act.key == key]
        for one, other in zip_longest(of_one, of_other):
            if one is None and late is not None and other is not None and other.at >= late:
                break
            if one is None or other is None or gist_of(one) != gist_of(other):
                return Difference(place=place, recorded=one, replayed=other)
            place += 1
    return None
