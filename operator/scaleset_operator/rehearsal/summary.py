"""What a rehearsal came to, in figures: repairs, batches, the cap, the floor, and the end.

Pure; counted from what was filmed and done, not from the operator's own counts. Must not know: how
it is shown.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.plan import Purpose
from scaleset_operator.core.rollout_limits import max_batch
from scaleset_operator.reconciler.acts import Act, ActKind
from scaleset_operator.rehearsal.film import Figures, State
from scaleset_operator.rehearsal.rehearsal import Rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one rehearsal.

    Attributes:
        repairs: that began.
        results: how repairs ended -> how many.
        batches: moments at which repairs began.
        peak: the figures when most repairs were in flight.
        cap_held: whether in flight never grew while it was at the allowance.
        lowest: the figures when fewest were healthy, after all first were; None if they never were.
        floor: how many instances a rollout must leave available, by the last spec.
        floor_held: whether no healthy instance was taken below it.
        healthy_since: since when all have been healthy; None if they are not at the end.
        deleted: purpose -> how many instances were deleted for it.
        suspended: whether repairs are suspended at the end.
    """

    repairs: int
    results: Mapping[str, int]
    batches: int
    peak: Figures
    cap_held: bool
    lowest: Figures | None
    floor: int
    floor_held: bool
    healthy_since: datetime | None
    deleted: Mapping[str, int]
    suspended: bool
    last: Figures


def summary_of(run: Rehearsal) -> Summary:
    """The figures of a rehearsal that has run."""
    begun = [act for act in run.acts if act.kind is ActKind.BEGIN]
    ended = [act for act in run.acts if act.kind is ActKind.END]
    deleted = [act for act in run.acts if act.kind is ActKind.DELETE and not act.failed]
    figures = run.film.figures
    spec = ScaleSetSpec.model_validate(run.scale_set["spec"])
    services = run.scale_set["status"].get("orchestrationServices") or ()
    floor = spec.replicas - max_batch(spec)
    return Summary(
        repairs=len(begun),
        results=Counter(act.what or "Unknown" for act in ended),
        batches=len({act.at for act in begun}),
        peak=max(figures, key=lambda f: (f.in_flight, f.allowance)),
        cap_held=all(
            now.in_flight <= max(now.allowance, before.in_flight)
            for before, now in pairwise(figures)
        ),
        lowest=_lowest(figures),
        floor=floor,
        floor_held=not any(_breaks(act, floor, run) for act in deleted),
        healthy_since=_healthy_since(figures),
        deleted=Counter(act.what for act in deleted),
        suspended=any(s.get("serviceState") == "Suspended" for s in services),
        last=figures[-1],
    )


def _all_healthy(figures: Figures) -> bool:
    return figures.healthy >= figures.desired


def _lowest(figures: Iterable[Figures]) -> Figures | None:
    """After the set first was whole; while it comes up nothing is lost."""
    rest = iter(figures)
    whole = next((one for one in rest if _all_healthy(one) and one.desired), None)
    return None if whole is None else min((whole, *rest), key=lambda one: one.healthy)


def _healthy_since(figures: list[Figures]) -> datetime | None:
    since = None
    for one in figures:
        if not _all_healthy(one):
            since = None
        elif since is None:
            since = one.at
    return since


def _breaks(act: Act, floor: int, run: Rehearsal) -> bool:
    """Whether a rollout took a healthy instance although no more than the floor were left."""
    if act.what != Purpose.ROLLOUT:
        return False
    frames = run.film.instances.get(act.instance, [])
    before = [frame.state for frame in frames if frame.at <= act.at]
    was_healthy = State.LEAVING in before and before[before.index(State.LEAVING) - 1]
    then = bisect_right(run.film.figures, act.at, key=lambda one: one.at) - 1
    return was_healthy is State.HEALTHY and run.film.figures[then].healthy < floor
