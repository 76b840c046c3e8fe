"""Events: told once per change, one for a whole batch (G8)."""

from collections.abc import Iterator

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry, RepairResult
from scaleset_operator.api.scalesetstatus import ScaleSetStatus, ServiceState
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.plan import Note
from scaleset_operator.core.scene import Scene

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
    failed = [c for c in closed if c.result is RepairResult.FAILED]
    if failed:
        said = "; ".join(f"{c.entry.instance}: {c.message or c.reason}" for c in failed[:MAX_NAMED])
        yield Note(reason=Reason.REPAIR_FAILED, message=said, warning=True)
    cancelled = [c for c in closed if c.result is RepairResult.CANCELLED]
    if cancelled:
        said = "; ".join(f"{c.entry.instance}: {c.reason}" for c in cancelled[:MAX_NAMED])
        yield Note(reason=Reason.REPAIR_CANCELLED, message=said)
    yield from _service_changes(scene, status)
    before = {c.type: c.status for c in scene.observed.status.conditions}
    for condition in status.conditions:
        if condition.type == "Accepted" and before.get("Accepted") != condition.status:
            bad = condition.status == "False"
            if bad:
                yield Note(reason=condition.reason, message=condition.message, warning=True)
    ended = scene.observed.status.repairs.doubts and not status.repairs.doubts
    if ended:
        yield Note(reason=Reason.ANSWERING, message="the set's silence is resolved")


def _service_changes(scene: Scene, status: ScaleSetStatus) -> Iterator[Note]:
    """One Event when repairs went from one state to another (R-46)."""
    then = next(iter(scene.observed.status.orchestration_services), None)
    now = next(iter(status.orchestration_services), None)
    if now is None or (then is not None and then.service_state == now.service_state):
        return
    if now.service_state is ServiceState.SUSPENDED:
        why = status.repairs.suspended_cause or f"by request: {now.reason}"
        yield Note(reason=Reason.REPAIRS_SUSPENDED, message=why, warning=True)
    elif then is not None and then.service_state is ServiceState.SUSPENDED:
        yield Note(reason=Reason.REPAIRS_RESUMED, message=f"repairs are {now.service_state}")
