"""The scheduled window: one update domain at a time, the next when all of the last are back.

The order of the domains is drawn, and nobody may rely on it (M-13). Started work may finish past
the window; nothing starts after it (M-25). Must not know what owners ask for.
"""

from collections.abc import Callable
from hashlib import sha256

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.maintenanceledger import Origin, SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.core.inclusion import phase_of
from scaleset_operator.core.marks import Standing, said_of, standing_of
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.returning import RETRY
from scaleset_operator.core.taking import No, Taking
from scaleset_operator.core.upkeep_floor import is_up
from scaleset_operator.core.windowview import WindowView


class Walk:
    """One decision's scheduled work."""

    def __init__(self, taking: Taking, members: Callable[[str], list[Instance]]) -> None:
        """Prepares it.

        Args:
            taking: the door that everybody goes through.
            members: mark -> the live instances of that iteration.
        """
        self.taking, self.members = taking, members
        self.scene, self.upkeep = taking.scene, taking.upkeep

    def work(self, view: WindowView, row: SetIteration) -> SetIteration:
        """One domain at a time, as the floor has room; says what it waits for."""
        if phase_of(view, self.scene.now) is not ActiveWindow.SCHEDULED:
            return row.model_copy(update={"waits_for": None, "message": ""})
        pending = [i for i in self.members(row.mark) if self._is_pending(row, i)]
        fresh = [i for i in pending if self._is_next(view, i)]
        row = self._finish_domain(row, fresh)
        if not pending:
            busy = any(e.mark == row.mark for e in self.upkeep.entries)
            no = None if busy else No(Reason.NOTHING_TO_DO, "nobody is left to be moved")
            return self._waiting(row, no)
        held = self._held(view, row)
        if held is not None:
            return self._waiting(row, held)
        domain, no = self._domain(view, row, pending, fresh)
        if domain is None:
            return self._waiting(row, no)
        taken = False
        # One that was tried would be tried again before its time.
        members = _of_domain(domain, fresh) or _of_domain(domain, pending)
        for instance in members:
            hindered = self.taking.hindrance(view, instance) or self.taking.obstacle(
                view, row, instance
            )
            if hindered is None:
                taken = True
                self.taking.take(view, instance, Origin.SCHEDULED)
            else:
                no = no or hindered
        if taken and (row.current_update_domain != domain or row.domain_done_time is not None):
            times = {"domain_since": self.scene.now, "domain_done_time": None}
            row = row.model_copy(update={"current_update_domain": domain, **times})
        return self._waiting(row, None if taken else no)

    def _waiting(self, row: SetIteration, no: No | None) -> SetIteration:
        if no is None:
            return row.model_copy(update={"waits_for": None, "message": ""})
        if no.until is not None:
            self.upkeep.again.append(no.until)
        return row.model_copy(update={"waits_for": no.reason, "message": no.detail})

    def _is_pending(self, row: SetIteration, instance: Instance) -> bool:
        fresh = instance.mark == row.mark and standing_of(instance) is Standing.PENDING
        return fresh and instance.name not in self.taking.moved

    def _finish_domain(self, row: SetIteration, fresh: list[Instance]) -> SetIteration:
        """Note when everybody of the domain is back and healthy (M-15), and nobody is to follow."""
        current = row.current_update_domain
        if current is None or row.domain_done_time is not None:
            return row
        if any(e.mark == row.mark for e in self.upkeep.entries):
            return row
        if _of_domain(current, fresh):
            return row
        back = (
            i
            for i in self.members(row.mark)
            if i.update_domain == current and standing_of(i) is Standing.COMPLETED
        )
        if all(is_up(self.scene, i) for i in back):
            return row.model_copy(update={"domain_done_time": self.scene.now})
        return row

    def _is_next(self, view: WindowView, instance: Instance) -> bool:
        """Whether its domain goes on with it: one that was tried comes after all the others."""
        return self.taking.hindrance(view, instance) is None and not _was_tried(instance)

    def _held(self, view: WindowView, row: SetIteration) -> No | None:
        """What keeps the whole iteration from taking anybody by itself."""
        if row.stopped is not None:
            return No(Reason.MAINTENANCE_STOPPED, row.stopped.message)
        no = self.taking.window_held(view, row)
        if no is not None:
            return no
        if view.works_on_nodes and view.node is None:
            return No(Reason.NODE_NOT_EMPTYING, "no node is being emptied")
        return None

    def _domain(
        self, view: WindowView, row: SetIteration, pending: list[Instance], fresh: list[Instance]
    ) -> tuple[int | None, No | None]:
        """The domain that is worked on: this one while anybody of it can be taken, then another."""
        able = [i for i in pending if self.taking.hindrance(view, i) is None]
        if not able:
            return None, self.taking.hindrance(view, pending[0])
        retry = row.retry_time
        if not fresh and retry is not None and self.scene.now < retry:
            return None, No(Reason.RETRY_LATER, "those left could not be taken", retry)
        domains = {i.update_domain for i in fresh or able}
        under_way = {e.update_domain for e in self.upkeep.entries}
        current = row.current_update_domain
        if under_way - {current}:
            return None, No(Reason.DOMAIN_IN_PROGRESS, f"domains {sorted(under_way)} are away")
        if current in domains and row.domain_done_time is None:
            return current, None
        if under_way:
            return None, No(Reason.DOMAIN_IN_PROGRESS, f"domain {current} is away")
        no = self._not_yet(view, row)
        return (None, no) if no else (min(domains, key=lambda d: _draw(view, d)), None)

    def _not_yet(self, view: WindowView, row: SetIteration) -> No | None:
        """Why the next domain waits: the last is not healthy, or not for long enough (M-15)."""
        current = row.current_update_domain
        if current is None:
            return None
        if row.domain_done_time is None:
            return No(Reason.DOMAIN_IN_PROGRESS, f"domain {current} is not healthy yet")
        until = row.domain_done_time + view.pause_between
        if self.scene.now >= until:
            return None
        said = f"domain {current} is back, the next begins at {format_time(until)}"
        return No(Reason.PAUSE_BETWEEN_DOMAINS, said, until)


def _of_domain(domain: int, instances: list[Instance]) -> list[Instance]:
    return [i for i in instances if i.update_domain == domain]


def _was_tried(instance: Instance) -> bool:
    """Whether it could not be taken when it was tried: it goes after the others."""
    return said_of(instance).last_operation_result_code is RETRY


def _draw(view: WindowView, domain: int) -> str:
    """An order of the domains that nobody may rely on, the same for every operator (M-13)."""
    text = f"{view.uid}/{view.announced.iteration}/{domain}"
    return sha256(text.encode()).hexdigest()
