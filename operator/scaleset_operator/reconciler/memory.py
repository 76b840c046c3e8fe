"""What one set's turns remember between them: pacing only, nothing a decision could not lose.

All of it may vanish in a crash; the ledger in the status is what must not.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.core.agentview import AgentView
from scaleset_operator.core.observed import Fleet, Instance, TemplateView
from scaleset_operator.core.policies import Policy, ProberPlace
from scaleset_operator.core.revisions import Revision
from scaleset_operator.reconciler.ports import Key, ProbeKey, ProbeTarget, Refused

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=5)
FIRST_REDO: Final = timedelta(milliseconds=500)
OVER_REMEMBERED: Final = 10
OVER_LIFETIME: Final = timedelta(minutes=10)


@dataclass(slots=True)
class Memory:
    """One set's.

    Attributes:
        template: what the last dry run said, and for which model.
        template_retry: when a refused template is tried again.
        revisions: the history of models with their templates, as of the last time it was seen to.
        revised: the model for which it was.
        revisions_retry: when it is seen to again, if that failed.
        foreign: pods that match the selector and are not ours, as of `foreign_looked`.
        agents: node -> what was read of its agent, while a plan asks for it.
        watching: the pods and the rules, of health and of rotation, that `targets` were made from.
        targets: what the prober was last asked to watch.
        seen: names of the ledger whose pod has been there.
        unusable: names that must not be created (again).
        over: UIDs of pods that ended by themselves, with when that was noticed.
        policies: around the set while it is silent, with the prober's place, as last read.
        policies_due: when they may be read again.
        undone: how many turns in a row could not carry out all of their acts.
        written: when the status was last written.
        pending_since: since when an unwritten observation waits for company.
    """

    template: TemplateView | None = None
    template_retry: datetime | None = None
    revisions: tuple[Revision, ...] = ()
    revised: str | None = None
    revisions_retry: datetime | None = None
    foreign: tuple[str, ...] = ()
    foreign_looked: datetime | None = None
    agents: dict[str, AgentView] = field(default_factory=dict)
    watching: tuple[tuple[Instance, ...], ProbeKey | None, ProbeKey | None] | None = None
    targets: dict[str, ProbeTarget] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    over: dict[str, datetime] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    refused_until: dict[str, datetime] = field(default_factory=dict)
    policies: tuple[tuple[Policy, ...], ProberPlace] | None = None
    policies_due: datetime | None = None
    undone: int = 0
    create_refusals: int = 0
    create_refused: tuple[Reason, str, datetime] | None = None
    evictions: dict[str, int] = field(default_factory=dict)
    not_evicted: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    written: datetime | None = None
    pending_since: datetime | None = None

    def note_names(self, owed: set[str], present: set[str]) -> None:
        """Follow the names of the ledger: one that was there and is gone is never made again."""
        self.unusable |= (self.seen & owed) - present
        self.seen = (self.seen | present) & owed
        self.unusable &= owed

    def note_over(self, uids: set[str], now: datetime) -> tuple[datetime, ...]:
        """Remember pods that ended by themselves; returns when, oldest first."""
        for uid in uids:
            self.over.setdefault(uid, now)
        # One that is still there stays known, or it would be noticed anew for as long as it stays.
        recent = {uid: at for uid, at in self.over.items() if now - at < OVER_LIFETIME}
        self.over = {uid: at for uid, at in self.over.items() if uid in recent or uid in uids}
        return tuple(sorted(recent.values())[-OVER_REMEMBERED:])

    def refuse_touch(self, name: str, now: datetime) -> None:
        """A DELETE or new images were refused: hold it back, longer each time (rule 4)."""
        self.refusals[name] = self.refusals.get(name, 0) + 1
        self.refused_until[name] = now + _wait(self.refusals[name])

    def refuse_eviction(self, name: str, why: str, now: datetime) -> None:
        """Its place or its eviction was refused: wait, longer each time, and say why."""
        self.evictions[name] = self.evictions.get(name, 0) + 1
        self.not_evicted[name] = (why, now + _wait(self.evictions[name]))

    def note_moves(self, names: set[str]) -> None:
        """Forget whom nobody is about to evict any more."""
        for name in [name for name in self.evictions if name not in names]:
            del self.evictions[name]
            self.not_evicted.pop(name, None)

    def refuse_create(self, refused: Refused, now: datetime) -> None:
        """A create was refused: wait, longer each time, and say why.

        Creates that were under way together are refused together; that counts once.
        """
        if self.create_refused is None or now >= self.create_refused[2]:
            self.create_refusals += 1
        until = now + _wait(self.create_refusals)
        self.create_refused = (refused.reason, refused.message, until)

    def create_passed(self) -> None:
        """A create was accepted: whatever stood in its way is gone."""
        self.create_refusals = 0
        self.create_refused = None

    def lapse_refusal(self, now: datetime, *, owed: bool) -> None:
        """A refusal says nothing any more once its wait is over and nothing is to be created."""
        if self.create_refused is not None and not owed and now >= self.create_refused[2]:
            self.create_passed()

    def note_acts(self, now: datetime, *, done: bool) -> tuple[datetime, ...]:
        """Whether a turn's acts were carried out; gives when to take another if they were not."""
        self.undone = 0 if done else self.undone + 1
        return () if done else (now + _wait(self.undone, FIRST_REDO),)


def _wait(times: int, first: timedelta = FIRST_WAIT) -> timedelta:
    doubled: timedelta = first * 2.0 ** min(times - 1, 10)
    return min(doubled, LONGEST_WAIT)


class FleetBook:
    """Which sets are silent and which have a witness: what rule 18 asks across sets."""

    def __init__(self) -> None:
        self._watched: set[Key] = set()
        self._silent: set[Key] = set()
        self._witnesses: set[Key] = set()

    def note(self, key: Key, *, watched: bool, silent: bool, witness: bool) -> None:
        """Take in one set's latest decision."""
        marks = (
            (self._watched, watched),
            (self._silent, silent),
            (self._witnesses, witness),
        )
        for book, stands in marks:
            (book.add if stands else book.discard)(key)

    def forget(self, key: Key) -> None:
        """The set is gone."""
        self.note(key, watched=False, silent=False, witness=False)

    def seen_by(self, key: Key) -> Fleet:
        """The fleet as one set sees it: witnesses are those of the others."""
        return Fleet(
            watched_sets=len(self._watched),
            silent_sets=len(self._silent),
            witnesses=len(self._witnesses - {key}),
        )
