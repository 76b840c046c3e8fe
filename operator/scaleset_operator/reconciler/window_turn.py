"""One turn of one MaintenanceWindow: announce, count, say whose turn it is, make known.

Written on change only, by compare and swap. Must not know how an instance is moved: its set's turn
does that, from what is announced here.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import (
    ActiveWindow,
    MaintenanceWindowStatus,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import (
    MAX_UPCOMING,
    AnnouncedOccurrence,
    InstanceCounts,
    MissedOccurrence,
    NoticeKind,
    PendingNotice,
)
from scaleset_operator.core.announcement import Announcements, announce, standing
from scaleset_operator.core.calendar import next_transition, occurrence_of
from scaleset_operator.core.conditions import Word, timed
from scaleset_operator.core.marks import is_of
from scaleset_operator.core.pairing import objection, partner_of
from scaleset_operator.core.plan import Note
from scaleset_operator.core.schedule import ScheduleError
from scaleset_operator.core.windowwords import (
    EVENTS,
    Present,
    Refused,
    counted,
    dropped,
    due,
    last_operation,
    waiting,
    words,
)
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.node_turn import NodeKeeper, NodeTurn
from scaleset_operator.reconciler.pairs import Pairs
from scaleset_operator.reconciler.ports import Clock, Cluster, Conflict, Gone, Key
from scaleset_operator.reconciler.relocations import NoRelocations, Relocations
from scaleset_operator.reconciler.resources import Resources

KIND: Final = "MaintenanceWindow"
RETRY: Final = timedelta(seconds=1)
SOON: Final = timedelta(milliseconds=100)
"""A turn that was taken or is being given up is looked at again at once."""
PAIR_RETRY: Final = timedelta(seconds=10)
LOOK_AGAIN: Final = timedelta(hours=1)
"""At the latest: an appointment weeks ahead would not notice that the clock was put right."""

Told = Callable[[Key, str, Note], None]
"""Posts an Event on a window of this key and UID; never raises."""


def tell_nobody(_key: Key, _uid: str, _note: Note) -> None:
    """The default: no Event is posted."""


class WindowReporter:
    """Takes the windows' turns, and writes their statuses."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        leadership: Leadership | None = None,
        relocations: Relocations | None = None,
        tell: Told = tell_nobody,
        *,
        keeper: NodeKeeper | None = None,
        wake_notices: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._clock = clock
        self._leadership = leadership or Alone()
        self._pairs = Pairs(resources, relocations or NoRelocations())
        self._tell = tell
        self._keeper = keeper
        self._wake_notices = wake_notices

    async def turn(self, key: Key) -> datetime | None:
        """Take one window's turn; returns when to look again."""
        window = self._resources.window(key)
        if window is None or not self._leadership.leads():
            return None  # Everybody is woken when that changes.
        now = self._clock.now()
        if self._pairs.unheard(window):
            return now + RETRY
        pair = await self._pairs.look(window, now)
        nodes = NodeTurn() if self._keeper is None else await self._keeper.turn(window)
        desk = _Desk(window, self._resources, now, nodes.said)
        parts = {"pair_turn": pair.turn, **nodes.parts}
        status = desk.status().model_copy(update=parts)
        again = [now + (PAIR_RETRY if pair.waits else LOOK_AGAIN), *desk.again]
        again += [nodes.again] if nodes.again else []
        if status == window.status:
            if status.notices:
                self._wake_notices(key)
            return min(again)
        said = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = window.metadata.resource_version
        try:
            version = await self._cluster.record_report(KIND, key, version, said)
        except Conflict:
            return now + RETRY
        except Gone:
            return None
        self._resources.put_window_status(key, status, version)
        self._wake_notices(key)
        for note in (*desk.notes(), *nodes.notes):
            self._tell(key, window.metadata.uid, note)
        return min(again) if pair.turn == window.status.pair_turn else now + SOON


class _Desk:
    """One decision over one window."""

    def __init__(
        self,
        window: MaintenanceWindow,
        resources: Resources,
        now: datetime,
        of_nodes: tuple[Word, ...],
    ) -> None:
        self.window, self.now, self.of_nodes = window, now, of_nodes
        self.sets = [known.resource.status for known in resources.sets_of(window)]
        named = partner_of(window)
        self.no_pair = objection(window, named and resources.window(Key(*named)))
        self.new: tuple[PendingNotice, ...] = ()
        self.dropped: tuple[PendingNotice, ...] = ()
        self.again: list[datetime] = []

    def status(self) -> MaintenanceWindowStatus:
        """The next status, whose turn it is aside."""
        before, unfinished = self.window.status, self._unfinished()
        no = None if self.no_pair is None else Refused(Reason.INVALID_PAIR, self.no_pair)
        try:
            plan = announce(self.window.spec, before, self.now, unfinished)
        except ScheduleError as fault:
            plan = standing(before, self.now, unfinished)
            no = Refused(Reason.INVALID_SCHEDULE, str(fault))
        return self._following(plan, no)

    def _rows(self, iteration: int | None = None) -> tuple[SetIteration, ...]:
        """What the sets say of this window, of one iteration or of all; not of one before it."""
        meta = self.window.metadata
        found = (s.maintenance.iterations for s in self.sets if s.maintenance is not None)
        return tuple(
            row
            for rows in found
            for row in rows
            if is_of(row.mark, meta.name, meta.uid) and iteration in (None, row.iteration)
        )

    def _unfinished(self) -> list[int]:
        """Iterations of which an instance is still under way (M-25)."""
        return [row.iteration for row in self._rows() if row.in_progress]

    def _following(self, plan: Announcements, no: Refused | None) -> MaintenanceWindowStatus:
        present = self._present(plan)
        ended = [(one, counted(self._rows(one.iteration))) for one in plan.over]
        self.new, had = due(self.window, plan, present, ended, self.now)
        before = self.window.status
        kept, self.dropped = waiting(before.notices, self.new)
        fields: dict[str, object] = {
            **self._times(present),
            "announced": plan.occurrences,
            "past": plan.past,
            "last_iteration": plan.last_iteration,
            "campaign": plan.campaign,
            "campaign_iteration": plan.campaign_iteration,
            "missed": self._missed(plan, ended),
            "upcoming": plan.upcoming,
            "notices": kept,
            "last_notices": had,
            "last_operation": last_operation(self._rows(), before.last_operation),
        }
        said = tuple(words(self.window, plan, present, no))
        edge = next_transition(occurrence_of(present.occurrence), self.now) if present else None
        self.again = [at for at in (edge, plan.next_time, *plan.upcoming) if at and at > self.now]
        return self._told(said, fields)

    def _present(self, plan: Announcements) -> Present | None:
        first = next(iter(plan.occurrences), None)
        if first is None:
            return None
        return Present(occurrence=first, rows=self._rows(first.iteration), now=self.now)

    def _times(self, present: Present | None) -> dict[str, object]:
        """The four times, and what goes with them; absent without a plan (V-15)."""
        if present is None:
            absent = dict.fromkeys(_OF_A_PLAN)
            return absent | {"active_window": ActiveWindow.NONE, "instances": InstanceCounts()}
        one, phase = present.occurrence, present.phase
        counts = present.counts
        allowed = phase is ActiveWindow.SELF_SERVICE and not self.window.spec.suspend
        domains = [r.current_update_domain for r in present.rows if r.in_progress]
        return {
            "active_window": phase,
            "is_customer_initiated_maintenance_allowed": allowed and counts.pending > 0,
            "pre_maintenance_window_start_time": one.pre_start_time,
            "pre_maintenance_window_end_time": one.pre_end_time,
            "maintenance_window_start_time": one.start_time,
            "maintenance_window_end_time": one.end_time,
            "next_transition_time": next_transition(occurrence_of(one), self.now),
            "announced_time": one.announced_time,
            "iteration": one.iteration,
            "instances": counts,
            "current_update_domain": next((d for d in domains if d is not None), None),
        }

    def _missed(
        self, plan: Announcements, ended: Sequence[tuple[AnnouncedOccurrence, InstanceCounts]]
    ) -> tuple[MissedOccurrence, ...]:
        """What did not take place, or not whole (M-24)."""
        found = list(plan.missed)
        before = self.window.status
        for one, counts in ended:
            same = before.iteration == one.iteration
            opened = same and NoticeKind.SCHEDULED_OPENED in before.last_notices
            if not counts.pending:
                continue
            reason = Reason.CARRIED_OVER if opened else Reason.WINDOW_MISSED
            message = f"{counts.pending} of {counts.targeted} come with a later iteration"
            note = MissedOccurrence(start_time=one.start_time, reason=reason, message=message)
            found.insert(0, note)
        return tuple(found[:MAX_UPCOMING])

    def _told(self, said: tuple[Word, ...], fields: dict[str, object]) -> MaintenanceWindowStatus:
        generation = self.window.metadata.generation
        told = {word.type for word in self.of_nodes}
        said = (*(word for word in said if word.type not in told), *self.of_nodes)
        shown = timed(said, self.window.status.conditions, generation, self.now)
        more = {"observed_generation": generation, "conditions": shown}
        return self.window.status.model_copy(update=fields | more)

    def notes(self) -> list[Note]:
        """The Events: what is made known now, and whatever somebody will never be told."""
        told = [Note(reason=EVENTS[one.kind], message=self._event(one)) for one in self.new]
        return [*told, *(dropped(one) for one in self.dropped)]

    def _event(self, notice: PendingNotice) -> str:
        urgent = "urgent; " if self.window.spec.urgent else ""
        return f"{urgent}iteration {notice.iteration}: {notice.message}"


_OF_A_PLAN: Final = (
    "is_customer_initiated_maintenance_allowed",
    "pre_maintenance_window_start_time",
    "pre_maintenance_window_end_time",
    "maintenance_window_start_time",
    "maintenance_window_end_time",
    "next_transition_time",
    "announced_time",
    "current_update_domain",
)
