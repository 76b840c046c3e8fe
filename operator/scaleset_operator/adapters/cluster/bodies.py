"""What is sent to the API server: the bodies of creates, patches and deletes. Pure.

Must not know: connections, the cache, or why an act is carried out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from scaleset_operator.adapters.cluster.placing import towards
from scaleset_operator.adapters.cluster.pods import SCALE_SET
from scaleset_operator.api.base import (
    ANNOTATION_MAINTENANCE_ITERATION,
    ANNOTATION_MAINTENANCE_STATUS,
    ANNOTATION_OPERATION,
    ANNOTATION_RENEWED_FROM,
    ANNOTATION_REPAIR,
    ANNOTATION_REPAIR_ATTEMPT,
    ANNOTATION_REPLACES,
    ANNOTATION_STATE_CHANGE_TIME,
    ANNOTATION_TERMINATE_AT,
    API_VERSION,
    CONDITION_HEALTHY,
    GATE_IN_ROTATION,
    LABEL_INSTANCE_ID,
    LABEL_MODEL,
    LABEL_NAME,
    LABEL_PREFIX,
    LABEL_UPDATE_DOMAIN,
    Reason,
    VMHealth,
    format_time,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import (
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    PublishHealth,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.reconciler.ports import Key, Owner

Body = dict[str, Any]

_STATUS: Final = {
    VMHealth.HEALTHY: "True",
    VMHealth.UNHEALTHY: "False",
    VMHealth.UNKNOWN: "Unknown",
}
_NO_REQUESTS: Final[dict[str, str | None]] = {ANNOTATION_REPAIR: None, ANNOTATION_OPERATION: None}


def status_apply(owner: Owner, status: Mapping[str, Any]) -> Body:
    """The whole status, on the version the plan was decided on (protocol rule 25)."""
    return {
        "apiVersion": API_VERSION,
        "kind": SCALE_SET,
        "metadata": {
            "name": owner.key.name,
            "namespace": owner.key.namespace,
            "uid": owner.uid,
            "resourceVersion": owner.resource_version,
        },
        "status": status,
    }


def report_apply(kind: str, key: Key, resource_version: str, status: Mapping[str, Any]) -> Body:
    """What is said in the status of another kind, on the version it was made from."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "resourceVersion": resource_version,
        },
        "status": status,
    }


def new_pod(owner: Owner, action: CreateInstance) -> Body:
    """The pod of the latest model, under the recorded name.

    Nothing under our own prefix is taken from the template: neither protection (R-49) nor requests
    nor deadlines pass on to a new instance.
    """
    metadata = owner.template.get("metadata") or {}
    spec = owner.template.get("spec") or {}
    annotations = _foreign(metadata.get("annotations"))
    if action.replaces is not None:
        annotations[ANNOTATION_REPLACES] = action.replaces
    if action.attempt:
        annotations[ANNOTATION_REPAIR_ATTEMPT] = str(action.attempt)
    if action.mark is not None:
        annotations[ANNOTATION_MAINTENANCE_ITERATION] = action.mark
    if action.maintenance is not None:
        annotations[ANNOTATION_MAINTENANCE_STATUS] = action.maintenance
    own_labels = {
        LABEL_NAME: owner.key.name,
        LABEL_INSTANCE_ID: str(action.instance_id),
        LABEL_UPDATE_DOMAIN: str(action.update_domain),
        LABEL_MODEL: action.model,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": action.name,
            "namespace": owner.key.namespace,
            "labels": dict(action.labels) | _foreign(metadata.get("labels")) | own_labels,
            "annotations": annotations,
            "finalizers": list(metadata.get("finalizers") or ()),
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": {**towards(spec, action), "readinessGates": _gates(spec)},
    }


def deletion(action: DeleteInstance) -> Body:
    """Delete options for exactly the pod that was read (protocol rule 5)."""
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": action.uid, "resourceVersion": action.resource_version},
    }


def renewal(action: RenewInstance) -> Body:
    """New images, with all that tells the new runs from the old, in one strategic merge patch.

    The moment of the last state change goes: the next one is when all containers run again (R-24).
    """
    annotations = {
        ANNOTATION_RENEWED_FROM: action.renewed_from,
        ANNOTATION_REPAIR_ATTEMPT: str(action.attempt) if action.attempt else None,
        ANNOTATION_STATE_CHANGE_TIME: None,
    } | _NO_REQUESTS
    metadata = _meant(action) | {
        "labels": {LABEL_MODEL: action.model},
        "annotations": annotations,
    }
    containers = [{"name": name, "image": image} for name, image in action.images]
    return {"metadata": metadata, "spec": {"containers": containers}}


def publication(action: PublishHealth, known: Instance | None, now: datetime) -> Body:
    """Condition, gate and annotations in one strategic merge patch of pods/status (rule 26).

    Where a condition's status is that of the pod as last seen (`known`), its lastTransitionTime
    is left out, and the merge keeps the one that stands.
    """
    conditions = []
    if action.health is not None:
        before = known.published.health if known and known.published else None
        changed = before is not action.health
        words = (_STATUS[action.health], action.reason, action.message)
        conditions.append(_condition(CONDITION_HEALTHY, words, now if changed else None))
    if action.in_rotation is not None:
        changed = known is None or known.in_rotation is not action.in_rotation
        words = (str(action.in_rotation), action.reason, action.message)
        if action.gate_reason is not None:
            words = (str(action.in_rotation), action.gate_reason, action.gate_message)
        conditions.append(_condition(GATE_IN_ROTATION, words, now if changed else None))
    annotations: dict[str, str | None] = {}
    if action.state_change_time is not None:
        annotations[ANNOTATION_STATE_CHANGE_TIME] = format_time(action.state_change_time)
    if action.clear_attempt:
        annotations[ANNOTATION_REPAIR_ATTEMPT] = None
    metadata: Body = {"uid": action.uid}
    if action.resource_version is not None:
        metadata["resourceVersion"] = action.resource_version
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "status": {"conditions": conditions}}


def notice(action: GiveNotice, known: Instance | None, now: datetime) -> Body:
    """Deadline and gate in one patch of pods/status, on exactly the pod that was read (rule 8)."""
    message = f"to be deleted at {format_time(action.terminate_at)} or when it approves"
    changed = known is None or known.in_rotation is not False
    words = ("False", str(Reason.TERMINATION_DELAYED), message)
    gate = _condition(GATE_IN_ROTATION, words, now if changed else None)
    marks = {"annotations": {ANNOTATION_TERMINATE_AT: format_time(action.terminate_at)}}
    return {"metadata": _meant(action) | marks, "status": {"conditions": [gate]}}


def adoption(owner: Owner, action: AdoptInstance) -> Body:
    """Adds us as controller, to exactly the pod that was read."""
    return {"metadata": _meant(action) | {"ownerReferences": [controller_reference(owner)]}}


def answer(action: AnswerRequest) -> Body:
    """Takes the requests away, from exactly the pod that was read."""
    return {"metadata": _meant(action) | {"annotations": _NO_REQUESTS}}


def release(owner: Owner, action: ReleaseInstance) -> Body:
    """Takes us away as controller, from exactly the pod that was read."""
    gone = {"$patch": "delete", "uid": owner.uid}
    return {"metadata": _meant(action) | {"ownerReferences": [gone]}}


_Meant = AdoptInstance | AnswerRequest | GiveNotice | ReleaseInstance | RenewInstance


def _meant(action: _Meant) -> Body:
    return {"uid": action.uid, "resourceVersion": action.resource_version}


def _condition(kind: str, words: tuple[str, str, str], since: datetime | None) -> Body:
    status, reason, message = words
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    if since is not None:
        # metav1.Time holds whole seconds.
        condition["lastTransitionTime"] = format_time(since.replace(microsecond=0))
    return condition


def controller_reference(owner: Owner) -> Body:
    """The reference by which the set owns a child, and its collection follows the set."""
    return {
        "apiVersion": API_VERSION,
        "kind": SCALE_SET,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _gates(spec: Mapping[str, Any]) -> list[Body]:
    gates = [dict(gate) for gate in spec.get("readinessGates") or ()]
    if all(gate.get("conditionType") != GATE_IN_ROTATION for gate in gates):
        gates.append({"conditionType": GATE_IN_ROTATION})
    return gates


def _foreign(marks: Mapping[str, str] | None) -> dict[str, str]:
    return {k: v for k, v in (marks or {}).items() if not k.startswith(f"{LABEL_PREFIX}/")}
