"""How requests on pods are answered: waiting, with the reason, or refused and taken off the pod.

A refusal is recorded in status and told by one Event first; only then is the annotation removed.
One that is met needs no answer here: its repair stands in the ledger.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scalesetstatus import (
    MAX_REQUEST_LENGTH,
    MAX_REQUESTS,
    InstanceRequest,
    RequestState,
)
from scaleset_operator.core.maintenance_acts import PublishMaintenance
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import AnswerRequest, Decision, Note
from scaleset_operator.core.requests import REDEPLOY, REPAIRS, REQUESTED, UPDATE, words_of
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.taking import REFUSALS, No, Upkeep
from scaleset_operator.core.ways import way_of

MAX_NAMED = 10
PERFORM = "perform-maintenance="
KNOWN = ", ".join(sorted([*REPAIRS, UPDATE, REDEPLOY]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is said of the requests, and which of them are taken off their pods.

    Attributes:
        rows: for status; refusals that are still on their pods first, then the newest.
    """

    rows: tuple[InstanceRequest, ...] = ()
    notes: tuple[Note, ...] = ()
    acts: tuple[AnswerRequest | PublishMaintenance, ...] = ()


def answer(
    scene: Scene, decisions: Iterable[Decision], met: Collection[str], upkeep: Upkeep
) -> Answers:
    """Answer every request that is not being met.

    Args:
        scene: what this decision looks at.
        decisions: of this decision; one stands for every request that waits.
        met: UIDs of those under repair or on their way out: their requests are being met.
        upkeep: of this decision: why requests for maintenance wait or are refused.
    """
    before = scene.observed.status.requests
    if not scene.observed.view_is_fresh:
        return Answers(rows=before)
    why = {decision.instance: decision for decision in decisions}
    rows = [
        _row(scene, instance, why.get(instance.name))
        for instance in scene.live
        if words_of(instance) and instance.uid not in met
    ]
    rows += [_for_maintenance(scene, uid, no) for uid, no in upkeep.waits.items()]
    asked = {(row.uid, row.request) for row in rows}
    rows += [row for row in _answered(scene, before) if (row.uid, row.request) not in asked]
    rows.sort(key=lambda r: (r.state is not RequestState.REFUSED, -r.time.timestamp(), r.instance))
    kept = tuple(rows[:MAX_REQUESTS])
    refused = [row for row in kept if row.state is RequestState.REFUSED]
    return Answers(
        rows=kept,
        notes=tuple(_told([row for row in refused if row not in before])),
        acts=tuple(_taken_off(scene, [row for row in refused if row in before])),
    )


def _row(scene: Scene, instance: Instance, why: Decision | None) -> InstanceRequest:
    """One request that is on its pod now; its time is that of the row that says the same."""
    no = _refusal(scene, instance)
    state = RequestState.WAITING if no is None else RequestState.REFUSED
    reason, message = no or _waits(instance, why)
    words = words_of(instance)
    return _said(scene, instance, words, state, (reason, message))


def _said(
    scene: Scene,
    instance: Instance,
    words: str,
    state: RequestState,
    why: tuple[Reason, str],
) -> InstanceRequest:
    same = (
        row.time
        for row in scene.observed.status.requests
        if (row.uid, row.request, row.state) == (instance.uid, words, state)
    )
    return InstanceRequest(
        instance=instance.name,
        uid=instance.uid,
        request=words,
        state=state,
        reason=why[0],
        message=why[1],
        time=next(same, scene.now),
    )


def _for_maintenance(scene: Scene, uid: str, no: No) -> InstanceRequest:
    """One request to be maintained now, that is not met in this decision."""
    instance = scene.by_uid[uid]
    state = RequestState.REFUSED if no.reason in REFUSALS else RequestState.WAITING
    words = f"{PERFORM}{instance.maintenance_asked}"[:MAX_REQUEST_LENGTH]
    return _said(scene, instance, words, state, (no.reason, no.detail))


def _waits(instance: Instance, why: Decision | None) -> tuple[Reason, str]:
    """What a request that can be met waits for."""
    if instance.operation == UPDATE and instance.protected_from_actions:
        return Reason.INSTANCE_PROTECTED, "protect-from-scale-set-actions"
    if instance.operation == UPDATE:
        return Reason.UPDATE_WAITS, "for room in the batch and above the floor"
    return (why.reason, why.message) if why else (Reason.HEALTH_UNKNOWN, "being looked at")


def _refusal(scene: Scene, instance: Instance) -> tuple[Reason, str] | None:
    """Why a request can never be met as it stands; None where it can, or will be able to."""
    operation = instance.operation
    if operation == REDEPLOY:
        return Reason.NOT_YET_SUPPORTED, "redeploy cannot be done by this version"
    if operation == UPDATE:
        latest = scene.observed.template.model
        same = instance.model == latest
        return (Reason.UP_TO_DATE, f"it has the latest model, {latest}") if same else None
    if operation and operation not in REPAIRS:
        return Reason.UNKNOWN_REQUEST, f"scaleset.dev/operation: allowed are {KNOWN}"
    if not operation and instance.repair_request != REQUESTED:
        return Reason.UNKNOWN_REQUEST, f"scaleset.dev/repair: allowed is {REQUESTED}"
    if way_of(scene, instance) is None:
        images = ", ".join(instance.containers.images)
        return Reason.NO_EQUIVALENT_IMAGE, f"no second spelling is known of {images}"
    return None


def _answered(scene: Scene, before: Iterable[InstanceRequest]) -> Iterator[InstanceRequest]:
    """Refusals whose annotation has gone: told for as long as the pod is there and room is."""
    for row in before:
        if row.uid in scene.by_uid and row.state is not RequestState.WAITING:
            yield row.model_copy(update={"state": RequestState.ANSWERED})


def _told(rows: list[InstanceRequest]) -> Iterator[Note]:
    if rows:
        said = "; ".join(
            f"{row.instance}: {row.request}: {row.reason}, {row.message}"
            for row in rows[:MAX_NAMED]
        )
        yield Note(reason=Reason.REQUEST_REFUSED, message=said, warning=True)


def _taken_off(
    scene: Scene, rows: list[InstanceRequest]
) -> Iterator[AnswerRequest | PublishMaintenance]:
    for row in rows:
        pod = scene.by_uid[row.uid]
        version = pod.resource_version
        if row.request.startswith(PERFORM):
            yield PublishMaintenance(
                name=pod.name,
                uid=pod.uid,
                mark=pod.mark or None,
                status=pod.maintenance or None,
                answered=True,
                resource_version=version,
            )
        else:
            yield AnswerRequest(name=pod.name, uid=pod.uid, resource_version=version)
