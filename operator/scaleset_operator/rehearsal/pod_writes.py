"""What a client's write makes of a pod: bodies, patches, and the checks of what it may ask for.

Pure functions of the port's values and a pod. The checks are assertions: a caller that trips one
has a bug, whatever the API server would have answered.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason, format_time
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
from scaleset_operator.reconciler.ports import Owner
from scaleset_operator.rehearsal.errors import CONFLICT, ServerError
from scaleset_operator.rehearsal.objects import (
    STATUS_OF,
    Controller,
    FakePod,
    PodCondition,
    Wanted,
    whole_second,
)

_REASON: Final = re.compile(base.REASON_PATTERN)

Targeted = (
    AdoptInstance | AnswerRequest | DeleteInstance | GiveNotice | ReleaseInstance | RenewInstance
)


def controller_of(owner: Owner) -> Controller:
    """The owner reference that makes a pod this set's."""
    return Controller("ScaleSet", owner.key.name, owner.uid)


def selected(pod: FakePod, match_labels: Mapping[str, str]) -> bool:
    """Whether the selector takes the pod."""
    assert match_labels, "an empty selector would take every pod"
    return match_labels.items() <= pod.labels.items()


def body(
    owner: Owner, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> FakePod:
    """A pod of the set's template, with nothing of it under our prefix (R-49)."""
    metadata: Mapping[str, Any] = owner.template.get("metadata", {})
    return FakePod(
        namespace=owner.key.namespace,
        name=name,
        labels={**_foreign(metadata.get("labels", {})), base.LABEL_NAME: owner.key.name, **labels},
        annotations={**_foreign(metadata.get("annotations", {})), **annotations},
        spec=owner.template.get("spec", {}),
        controller=controller_of(owner),
    )


def _foreign(marks: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in marks.items() if not key.startswith(f"{base.GROUP}/")}


def instance_body(owner: Owner, action: CreateInstance) -> FakePod:
    """The pod that a create sends; asserts that name, id and lineage agree."""
    assert action.name == f"{owner.key.name}-{action.instance_id}", f"name and id: {action}"
    assert action.instance_id > 0, f"ids begin at 1: {action}"
    assert action.update_domain >= 0, f"an update domain below 0: {action}"
    assert action.model, f"a create without a model: {action}"
    assert action.attempt >= 0, f"a negative attempt: {action}"
    assert action.replaces != action.name, f"it replaces itself: {action}"
    labels = {
        base.LABEL_INSTANCE_ID: str(action.instance_id),
        base.LABEL_UPDATE_DOMAIN: str(action.update_domain),
        base.LABEL_MODEL: action.model,
    }
    lineage = {
        base.ANNOTATION_REPLACES: action.replaces,
        base.ANNOTATION_REPAIR_ATTEMPT: str(action.attempt) if action.attempt else None,
        base.ANNOTATION_MAINTENANCE_ITERATION: action.mark,
        base.ANNOTATION_MAINTENANCE_STATUS: action.maintenance,
    }
    annotations = {key: text for key, text in lineage.items() if text is not None}
    made = body(owner, action.name, labels, annotations)
    return replace(made, labels={**dict(action.labels), **made.labels}, wanted=_wanted(action))


def _wanted(action: CreateInstance) -> Wanted:
    should, must = action.node_labels, action.node_labels
    should, must = (should, ()) if action.may_go_anywhere else ((), must)
    return Wanted(must=must, should=should, best=action.node)


def is_instance(owner: Owner, pod: FakePod) -> bool:
    """Whether the pod is one of the set's own instances."""
    controlled = pod.controller is not None and pod.controller.uid == owner.uid
    return controlled and pod.instance_id is not None


def check_ours(owner: Owner, action: CreateInstance, pod: FakePod) -> None:
    """AlreadyExists is success for our own pod of this id that stays (design.md section 2)."""
    same = pod.labels.get(base.LABEL_INSTANCE_ID) == str(action.instance_id)
    if not (is_instance(owner, pod) and same) or pod.terminating:
        raise ServerError(CONFLICT, f"{action.name} is taken")


def check_target(owner: Owner, action: Targeted) -> None:
    """Asserts that an act on an existing pod is fenced and within the set (rule 5)."""
    assert action.uid, f"without a UID: {action}"
    assert action.resource_version, f"without a resourceVersion: {action}"
    assert owner.uid, "an owner without a UID"
    if isinstance(action, DeleteInstance | GiveNotice | RenewInstance):
        assert action.name.startswith(f"{owner.key.name}-"), f"another set's pod: {action}"


def check_publish(action: PublishHealth) -> None:
    """Asserts what the API server's schema for conditions would refuse."""
    assert action.uid, f"without a UID: {action}"
    assert _REASON.match(action.reason), f"no reason code: {action}"
    assert action.reason in set(Reason), f"a reason that is not documented: {action}"
    assert action.gate_reason is None or action.gate_reason in set(Reason), f"no reason: {action}"
    longest = max(len(action.message), len(action.gate_message))
    assert longest <= base.MAX_MESSAGE_LENGTH, f"too long: {action}"
    moment = action.state_change_time
    assert moment is None or moment.tzinfo is not None, f"a naive time: {action}"


def without_requests(pod: FakePod) -> dict[str, str]:
    """The pod's annotations but for those that ask for something."""
    asking = (base.ANNOTATION_REPAIR, base.ANNOTATION_OPERATION)
    return {key: text for key, text in pod.annotations.items() if key not in asking}


def renewed(pod: FakePod, action: RenewInstance) -> dict[str, Any]:
    """The fields of the pod after new images: the containers it names change, all others stay."""
    images = dict(action.images)
    assert images, f"nothing to renew: {action}"
    rows = pod.spec["containers"]
    assert images.keys() <= {row["name"] for row in rows}, (
        f"a container that is not there: {action}"
    )
    marks = {
        base.ANNOTATION_RENEWED_FROM: action.renewed_from,
        base.ANNOTATION_REPAIR_ATTEMPT: str(action.attempt) if action.attempt else None,
        base.ANNOTATION_STATE_CHANGE_TIME: None,
        base.ANNOTATION_REPAIR: None,
        base.ANNOTATION_OPERATION: None,
    }
    merged = {**pod.annotations, **marks}
    changed = [{**row, "image": images.get(row["name"], row["image"])} for row in rows]
    return {
        "labels": {**pod.labels, base.LABEL_MODEL: action.model},
        "annotations": {key: text for key, text in merged.items() if text is not None},
        "spec": {**pod.spec, "containers": changed},
    }


def published(pod: FakePod, action: PublishHealth, now: datetime) -> dict[str, Any]:
    """The fields of the pod after the patch: ours change, all others stay (rule 26)."""
    rows = dict(pod.conditions)
    if action.health is not None:
        status = STATUS_OF[action.health]
        rows[base.CONDITION_HEALTHY] = _row(
            rows.get(base.CONDITION_HEALTHY), status, action.reason, action.message, now
        )
    if action.in_rotation is not None:
        own = action.gate_reason is not None
        rows[base.GATE_IN_ROTATION] = _row(
            rows.get(base.GATE_IN_ROTATION),
            str(action.in_rotation),
            action.gate_reason or action.reason,
            action.gate_message if own else action.message,
            now,
        )
    annotations = dict(pod.annotations)
    if action.state_change_time is not None:
        annotations[base.ANNOTATION_STATE_CHANGE_TIME] = format_time(action.state_change_time)
    if action.clear_attempt:
        annotations.pop(base.ANNOTATION_REPAIR_ATTEMPT, None)
    return {"conditions": rows, "annotations": annotations}


def noticed(pod: FakePod, action: GiveNotice, now: datetime) -> dict[str, Any]:
    """The fields of the pod after the patch that gives notice (rule 8)."""
    gate = _row(
        pod.conditions.get(base.GATE_IN_ROTATION),
        "False",
        Reason.TERMINATION_DELAYED,
        f"to be deleted at {format_time(action.terminate_at)} or when it approves",
        now,
    )
    deadline = {base.ANNOTATION_TERMINATE_AT: format_time(action.terminate_at)}
    return {
        "conditions": {**pod.conditions, base.GATE_IN_ROTATION: gate},
        "annotations": {**pod.annotations, **deadline},
    }


def _row(
    old: PodCondition | None, status: str, reason: str, message: str, now: datetime
) -> PodCondition:
    kept = old is not None and old.status == status
    since = old.since if old is not None and kept else whole_second(now)
    return PodCondition(status, reason, message, since)
