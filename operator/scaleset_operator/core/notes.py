"""Events: told once per change, one for a whole batch (G8)."""

from collections.abc import Iterator

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.ledger import RepairEntry, RepairPhase, RepairResult
from scaleset_operator.api.scalesetstatus import (
    OrchestrationService,
    ScaleSetStatus,
    ServiceState,
)
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.plan import Note
from scaleset_operator.core.rollout_progress import rollout_notes
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wishes import unreadable

MAX_NAMED = 10


def tell(
    scene: Scene, opened: list[RepairEntry], closed: list[Closed], status: ScaleSetStatus
) -> Iterator[Note]:
    """The Events that go with this record.

    Args:
        scene: what this decision looks at.
        opened: repairs that begin with it.
        closed: repairs that end with it; success is in the history and needs no Event.
        status: the next status.
    """
    if opened:
        batch = "; ".join(f"{e.instance}: {e.cause}" for e in opened[:MAX_NAMED])
        share = f"{len(status.repairs.in_flight)} of {status.repairs.batch_limit} in flight"
        yield Note(reason=Reason.REPAIR_STARTED, message=f"{batch} ({share})")
    yield from _notices(scene, status)
    failed = [c for c in closed if c.result is RepairResult.FAILED]
    if failed:
        yield Note(reason=Reason.REPAIR_FAILED, message=_ends(failed), warning=True)
    cancelled = [c for c in closed if c.result is RepairResult.CANCELLED]
    if cancelled:
        yield Note(reason=Reason.REPAIR_CANCELLED, message=_ends(cancelled))
    yield from _service_changes(scene, status)
    yield from rollout_notes(scene, scene.observed.status.rollout, status.rollout)
    yield from _warnings(scene, status)
    ended = scene.observed.status.repairs.doubts and not status.repairs.doubts
    if ended:
        yield Note(reason=Reason.ANSWERING, message="the set's silence is resolved")


def _ends(closed: list[Closed]) -> str:
    """Whose repairs ended, by which rule and why."""
    return "; ".join(
        f"{c.entry.instance}: {c.reason}" + (f", {c.message}" if c.message else "")
        for c in closed[:MAX_NAMED]
    )


def _notices(scene: Scene, status: ScaleSetStatus) -> Iterator[Note]:
    """One Event for the notices that stand in the ledger with this record (R-51)."""
    before = {e.uid for e in scene.entries if e.phase is RepairPhase.NOTIFIED}
    told = [
        f"{e.instance} goes at {format_time(e.terminate_at)} or when it approves"
        for e in status.repairs.in_flight
        if e.terminate_at is not None and e.phase is RepairPhase.NOTIFIED and e.uid not in before
    ]
    if told:
        yield Note(reason=Reason.TERMINATE_NOTICE, message="; ".join(told[:MAX_NAMED]))


def _warnings(scene: Scene, status: ScaleSetStatus) -> Iterator[Note]:
    """One Event when the set is no longer accepted, or is so with a grace that is too short."""
    before = {c.type: c for c in scene.observed.status.conditions}.get("Accepted")
    now = next((c for c in status.conditions if c.type == "Accepted"), None)
    if now is None:
        return
    refused = now.status == "False" and (before is None or before.status != now.status)
    advised = now.reason == Reason.GRACE_TOO_SHORT
    if refused or (advised and (before is None or before.reason != now.reason)):
        yield Note(reason=now.reason, message=now.message, warning=True)


def _service_changes(scene: Scene, status: ScaleSetStatus) -> Iterator[Note]:
    """One Event when repairs went from one state to another (R-46), or are held by another cause.

    A request that cannot be read is answered once: its text stands in status from then on.
    """
    then = next(iter(scene.observed.status.orchestration_services), None)
    now = next(iter(status.orchestration_services), None)
    before = None if then is None else (then.service_state, then.reason)
    refused = unreadable(scene)
    if refused and now is not None and (then is None or then.message != now.message):
        yield Note(reason=Reason.REQUEST_REFUSED, message=refused, warning=True)
    if before == (None if now is None else (now.service_state, now.reason)):
        return
    if now is not None and now.service_state is ServiceState.SUSPENDED:
        yield Note(reason=Reason.REPAIRS_SUSPENDED, message=_told(now), warning=True)
    elif then is None:
        return
    elif now is None or now.service_state is ServiceState.NOT_RUNNING:
        yield Note(reason=Reason.REPAIRS_DISABLED, message="automatic repairs are not enabled")
    elif then.service_state is ServiceState.SUSPENDED:
        yield Note(reason=Reason.REPAIRS_RESUMED, message=f"repairs are {now.service_state}")
    else:
        yield Note(reason=Reason.REPAIRS_ENABLED, message=f"repairs are {now.service_state}")


def _told(service: OrchestrationService) -> str:
    """Who suspended repairs, until when and why."""
    until = "" if service.until_time is None else f" until {format_time(service.until_time)}"
    why = f": {service.message}" if service.message else ""
    return f"by {service.suspended_by}{until}{why}"
