"""The auditor's books: what it remembers of one ScaleSet and of the debts its repairs made.

A debt is one unhealthy instance deleted by a repair and not yet made up (protocol rule 28).
It must not know what is forbidden; `auditor` judges.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tests.support.auditor_records import Move, PodRecord, SetRecord

STALE: Final = timedelta(seconds=6)
"""How old the view of an act may be: its record plus 5 s, and one for the way (rule 5)."""
ONE_RESTART: Final = 1
"""So many successors on one model begin the grace of the slot anew (rule 7)."""


class Recent:
    """The values that a number had of late."""

    def __init__(self) -> None:
        self._values: deque[tuple[datetime, int]] = deque()

    def note(self, at: datetime, value: int) -> None:
        """The number is this from now on."""
        if not self._values or self._values[-1][1] != value:
            self._values.append((at, value))

    def since(self, moment: datetime) -> list[int]:
        """The values that stood at any time since then, oldest first; never asked for an earlier
        moment than before."""
        while len(self._values) > 1 and self._values[1][0] <= moment:
            self._values.popleft()
        return [value for _, value in self._values]


@dataclass(kw_only=True)
class Entry:
    """One repair as first seen in the ledger.

    Attributes:
        allowed: how many might be in flight when it was recorded.
    """

    grace: timedelta
    allowed: int


@dataclass(kw_only=True)
class Debt:
    """One instance deleted by a repair.

    Attributes:
        removed: when replacements were themselves removed, with their models, oldest first.
        desired: the desired count when it was made.
    """

    victim: PodRecord
    deleted_at: datetime
    desired: int
    replacement: str
    removed: list[tuple[datetime, str]] = field(default_factory=list)

    def ends(self, pod: PodRecord | None, slot_grace: timedelta) -> datetime:
        """When the grace of the slot is over at the latest (rules 7 and 9)."""
        model = self.removed[-1][1] if self.removed else ""
        same = [at for at, of in self.removed if of == model]
        if len(same) > ONE_RESTART:
            return same[0] + slot_grace
        if pod is not None and pod.started is not None:
            return pod.started + slot_grace
        return (same[0] if same else self.deleted_at) + slot_grace


@dataclass(kw_only=True)
class SetBook:
    """One ScaleSet, its pods and its debts.

    Attributes:
        pods: UID -> the latest version of every pod it controls that is still there.
        starts: UID -> when its containers first ran, as first told.
        entries: UID of the victim -> the repair, once it was ever in the ledger.
        removals: UID -> why, once it was ever announced.
        renewals: UID -> the model that a rollout is to bring it to in place, as last announced.
        debts: UID of the victim -> debt not yet made up.
        notices: UID of the victim -> the deadline that it was told.
        repaired: names of the instances that repairs have deleted, in order.
        renewed: names of the instances whose containers repairs have renewed in place, in order.
        rolled_off: instances that rollouts have removed and that are not made up for yet.
        rolled: names of the instances that rollouts have renewed in place, in order.
        moves: UID -> its maintenance, once it was ever in the ledger.
        moved: names of the instances that maintenance has taken, in order.
        away: name -> UID of the old pod of those that are to come again.
        ids, names: every instance id and name ever used -> UID.
    """

    record: SetRecord
    enabled_since: datetime | None
    stopped_since: datetime | None
    pods: dict[str, PodRecord] = field(default_factory=dict)
    starts: dict[str, datetime] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    removals: dict[str, str] = field(default_factory=dict)
    renewals: dict[str, str] = field(default_factory=dict)
    debts: dict[str, Debt] = field(default_factory=dict)
    notices: dict[str, datetime] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    rolled: list[str] = field(default_factory=list)
    moves: dict[str, Move] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    away: dict[str, str] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    desired: Recent = field(default_factory=Recent)
    allowances: Recent = field(default_factory=Recent)
    rolled_off: int = 0
    gone: bool = False
    max_in_flight: int = 0

    @property
    def live(self) -> list[PodRecord]:
        """Its pods that are neither over nor on their way out."""
        return [pod for pod in self.pods.values() if pod.live]

    @property
    def available(self) -> int:
        """How many of these are Healthy, by what runs in them now."""
        return sum(pod.healthy == "True" and not pod.renewing for pod in self.live)

    def named(self, name: str) -> PodRecord | None:
        """The pod of this name, if it is there."""
        return next((pod for pod in self.pods.values() if pod.name == name), None)

    def replacement(self, debt: Debt) -> PodRecord | None:
        """The live pod that makes up for a victim: as the ledger says, or its own lineage."""
        named = self.named(debt.replacement)
        if named is not None and named.live:
            return named
        lineage = (pod for pod in self.live if pod.replaces == debt.victim.name)
        return next(lineage, None)

    def is_stopped(self, at: datetime) -> bool:
        """Whether repairs have been stopped for longer than an act may be old."""
        lapses = self.record.lapses
        since = self.stopped_since
        return since is not None and at > since + STALE and (lapses is None or lapses > at)

    def settle(self, at: datetime, patience: timedelta) -> None:
        """Strike out the debts that are made up by now (rules 9 and 28)."""
        slot_grace = max(self.record.grace, patience)
        for uid, debt in list(self.debts.items()):
            pod = self.replacement(debt)
            healthy = pod is not None and pod.healthy == "True" and not pod.renewing
            over = at >= debt.ends(pod, slot_grace)
            if healthy or over or self._is_waived(uid, debt) or self._is_not_wanted(uid, debt):
                del self.debts[uid]

    def _is_waived(self, uid: str, debt: Debt) -> bool:
        """A scale-in that no longer wants the instance closes the repair without another."""
        closed = uid not in self.record.in_flight
        return closed and self.record.desired < debt.desired

    def _is_not_wanted(self, uid: str, debt: Debt) -> bool:
        """A scale-in during the notice took the replacement away: enough are there without."""
        told = uid in self.notices and not debt.replacement
        return told and len(self.live) >= self.record.desired

    def allowance(self) -> int:
        """Rule 1, from what the books hold now."""
        ran = sum(pod.uid in self.starts for pod in self.live)
        owed = sum(not self._counts(debt) for debt in self.debts.values())
        total = min(self.record.desired, ran + owed)
        return max(1, total * self.record.percent // 100)

    def note(self, at: datetime) -> None:
        """Keep the figures that stand from now on."""
        self.desired.note(at, self.record.desired)
        self.allowances.note(at, self.allowance())
        self.max_in_flight = max(self.max_in_flight, len(self.debts))

    def _counts(self, debt: Debt) -> bool:
        pod = self.replacement(debt)
        return pod is not None and pod.uid in self.starts


def in_flight(books: Iterable[SetBook]) -> int:
    """The most that were in flight at once in any set."""
    return max((book.max_in_flight for book in books), default=0)
