"""What silence is worth: nothing, while everything else is silent too (protocol rules 15 to 20).

An instance is convicted of silence only when others have answered after it fell silent: then the
prober can see, and it is the instance that does not speak. Knows nothing of repairs or ledgers.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from scaleset_operator.core.observed import Evidence, Neighbour, ProbeView

MIN_HOLD: Final = timedelta(seconds=60)
"""Long enough for a lost node to be marked NotReady (protocol rule 17)."""
LOOK_AGAIN: Final = timedelta(seconds=1)
NODE_SILENT_SHARE: Final = 0.9
NODE_SILENT_MINIMUM: Final = 3


class Doubtfulness(Enum):
    """What a silent instance is, seen among the others."""

    CONVICTED = auto()
    """Others answer; this one does not."""
    UNDECIDED = auto()
    """Not all others have been heard since; published conditions stand."""
    HELD = auto()
    """A node fell silent, others answer: wait for the node's own report (rule 17)."""
    RETURNING = auto()
    """Sight has just come back: one more full timeout, rotation as it was (rules 19, 20)."""
    SET_SILENT = auto()
    """Nobody in the set has answered since (rule 18)."""
    BLIND = auto()
    """The prober reaches nothing at all; this never clears by time."""
    SEEN_ELSEWHERE = auto()
    """A second vantage has heard it within a timeout: silent to this prober alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The outcome, in words, and when it changes by time alone."""

    kind: Doubtfulness
    message: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWatch:
    """What a whole set says, in the few numbers that one instance is compared with.

    Attributes:
        newest_success: end of the latest success of any member.
        oldest_end: the member heard longest ago ended its last attempt then.
        waiting_since: since when a member is watched that has ended no attempt yet, at most.
        anyone_ok: whether some member's last attempt was a success.
        heard_at: ends of the last successes of members that have answered, in order.
        earliest: at the same place, since when this one or a later one has been answering, at
            the earliest: so that one look-up serves each of thousands of silent instances.
    """

    newest_success: datetime | None
    oldest_end: datetime | None
    waiting_since: datetime | None
    anyone_ok: bool
    heard_at: tuple[datetime, ...]
    earliest: tuple[datetime, ...]

    @classmethod
    def of(cls, evidence: Iterable[Evidence | None]) -> "SetWatch":
        """Sum up the members that have ended an attempt."""
        watched = [e for e in evidence if e is not None]
        heard = [e for e in watched if e.last_ended is not None]
        answers = sorted(
            (e.last_success, e.answering_since)
            for e in heard
            if e.last_success is not None and e.answering_since is not None
        )
        earliest = [since for _, since in answers]
        for place in range(len(earliest) - 2, -1, -1):
            earliest[place] = min(earliest[place], earliest[place + 1])
        return cls(
            newest_success=max((e.last_success for e in heard if e.last_success), default=None),
            oldest_end=min((e.last_ended for e in heard if e.last_ended), default=None),
            waiting_since=min(
                (e.watched_since for e in watched if e.last_ended is None), default=None
            ),
            anyone_ok=any(e.answers_ok for e in heard),
            heard_at=tuple(last for last, _ in answers),
            earliest=tuple(earliest),
        )

    def sight_since(self, fell: datetime) -> datetime | None:
        """Since when somebody who was heard after `fell` has been answering, at the earliest."""
        place = bisect_right(self.heard_at, fell)
        return self.earliest[place] if place < len(self.earliest) else None


def hold_time(probe: ProbeView) -> timedelta:
    """How long a silent node or set is waited for before anything follows (rules 17, 18)."""
    return max(2 * probe.timeout, MIN_HOLD)


def weigh(
    evidence: Evidence,
    watch: SetWatch,
    neighbours: tuple[Neighbour, ...],
    probe: ProbeView,
    sees: bool,  # noqa: FBT001 - as above
    now: datetime,
) -> Found:
    """Weigh one instance's silence against what everybody else said since it fell silent.

    Args:
        evidence: of an instance whose last attempt brought nothing back.
        watch: the whole set's, this instance included.
        neighbours: the watched pods on its node, of any set, this instance included.
        probe: its times.
        sees: whether the prober reaches its reference targets.
        now: time of the decision.
    """
    fell = evidence.silent_since or now
    if not sees:
        return Found(kind=Doubtfulness.BLIND, message="the prober reaches no reference target")
    if not watch.anyone_ok:
        # Also where one answered for a while longer: what goes dark bit by bit is dark as well.
        return Found(kind=Doubtfulness.SET_SILENT, message="no instance of the set answers")
    old = watch.newest_success is None or watch.newest_success <= fell
    if old or _is_unheard(fell, watch.oldest_end, watch.waiting_since):
        return _undecided(fell, probe, now)
    if any(_is_unheard(fell, n.last_ended, n.watched_since) for n in neighbours):
        return _undecided(fell, probe, now)
    return _among_the_heard(fell, watch, neighbours, probe, now)


def _is_unheard(fell: datetime, ended: datetime | None, waiting: datetime | None) -> bool:
    """Whether somebody that was watched when this one fell has ended no attempt since (rule 16).

    One that came later is not waited for: in a set that grows there is always another.
    """
    if ended is not None and ended < fell:
        return True
    return waiting is not None and waiting <= fell


def _undecided(fell: datetime, probe: ProbeView, now: datetime) -> Found:
    """The others' answers will wake nobody while they stay the same: look again when they are due.

    Within an interval all who answer are heard; those that take longer are looked for each second.
    """
    return Found(
        kind=Doubtfulness.UNDECIDED,
        message="others not heard since it fell",
        until=max(fell + probe.interval, now + LOOK_AGAIN),
    )


def _among_the_heard(
    fell: datetime,
    watch: SetWatch,
    neighbours: tuple[Neighbour, ...],
    probe: ProbeView,
    now: datetime,
) -> Found:
    """Others of the set answer: only a silent node or sight that has just come back delays."""
    sight = watch.sight_since(fell)
    if sight is not None and sight > fell and now < sight + probe.timeout:
        return Found(
            kind=Doubtfulness.RETURNING,
            message="sight came back; one more full timeout is waited",
            until=sight + probe.timeout,
        )
    silent = sum(n.silent for n in neighbours)
    fallen_node = len(neighbours) >= NODE_SILENT_MINIMUM and silent >= NODE_SILENT_SHARE * len(
        neighbours
    )
    until = fell + hold_time(probe)
    if fallen_node and now < until:
        return Found(
            kind=Doubtfulness.HELD,
            message="its whole node fell silent; waiting for the node's own report",
            until=until,
        )
    return Found(kind=Doubtfulness.CONVICTED)
