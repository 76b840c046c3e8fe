"""A pod as the API server sends it -> the slim record that the cache keeps.

Pure; what stands in no field of `Instance` is let go, and strings that repeat are shared.
Must not know: where the pod came from, or what is decided about it.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any, Final, NamedTuple

from scaleset_operator.adapters.cluster.containers import (
    containers_of,
    moment,
    renewed_from,
    started,
)
from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_MAINTENANCE_ITERATION,
    ANNOTATION_MAINTENANCE_STATUS,
    ANNOTATION_OPERATION,
    ANNOTATION_PERFORM_MAINTENANCE,
    ANNOTATION_RENEWED_FROM,
    ANNOTATION_REPAIR,
    ANNOTATION_REPAIR_ATTEMPT,
    ANNOTATION_REPLACES,
    ANNOTATION_STATE_CHANGE_TIME,
    ANNOTATION_TERMINATE_AT,
    CONDITION_HEALTHY,
    GATE_IN_ROTATION,
    GROUP,
    LABEL_INSTANCE_ID,
    LABEL_MODEL,
    LABEL_NAME,
    LABEL_PREFIX,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
    LABEL_UPDATE_DOMAIN,
    MAX_INT32,
    MAX_NAME_LENGTH,
    VMHealth,
)
from scaleset_operator.api.maintenanceledger import MAX_KEPT_LABELS
from scaleset_operator.core.observed import Instance, Published
from scaleset_operator.core.pause import request_on
from scaleset_operator.reconciler.ports import Key

log = logging.getLogger(__name__)

SCALE_SET: Final = "ScaleSet"
LONGEST_REQUEST: Final = 64
"""Characters of a request that are kept."""
LONGEST_MARK: Final = 400
LONGEST_STATUS: Final = 1_024
KEPT: Final = frozenset({LABEL_PROTECT_FROM_ACTIONS, LABEL_PROTECT_FROM_SCALE_IN})
"""Of our own labels, those that an instance keeps when it is moved (V-21)."""

Json = Mapping[str, Any]
Labels = frozenset[tuple[str, str]]

_HEALTH: Final = {"True": VMHealth.HEALTHY, "False": VMHealth.UNHEALTHY}
_OVER: Final = frozenset({"Failed", "Succeeded"})
_BOOKKEEPING: Final = frozenset(
    {
        "PodScheduled",
        "Initialized",
        "PodReadyToStartContainers",
        "DisruptionTarget",
        "ContainersReady",
        "Ready",
        CONDITION_HEALTHY,
        GATE_IN_ROTATION,
    }
)
_RESIZING: Final = "PodResize"


class OwnerRef(NamedTuple):
    """The ScaleSet that controls a pod."""

    uid: str
    name: str


class PodRecord(NamedTuple):
    """All that is kept of one pod.

    Attributes:
        owner: None where no controller stands on the pod.
        labels: without the instance id, so that pods of one set share them.
    """

    key: Key
    instance: Instance
    owner: OwnerRef | None
    labels: Labels

    @property
    def wakes(self) -> Key:
        """The ScaleSet that a change of this pod concerns: its owner, or the one it is named for.

        The label stands on every record: a pod without it is not watched.
        """
        if self.owner is not None:
            return Key(self.key.namespace, self.owner.name)
        return Key(self.key.namespace, label_of(self.labels, LABEL_NAME))


def pod_record(pod: Json) -> PodRecord | None:
    """Maps one pod; None for a pod that is no instance of any set.

    Raises:
        KeyError: the pod lacks what every stored object has (name, UID, times).
    """
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    instance_id = _whole_number(labels.get(LABEL_INSTANCE_ID))
    if instance_id is None or LABEL_NAME not in labels:
        log.debug(
            "%s/%s is ignored: it has no valid instance id or no name of a set",
            metadata["namespace"],
            metadata["name"],
        )
        return None
    controller = _controller(metadata)
    if controller is not None and not _is_scale_set(controller):
        return None
    return PodRecord(
        key=Key(intern(metadata["namespace"]), metadata["name"]),
        instance=_instance(pod, labels, instance_id),
        owner=_owner_ref(controller["uid"], controller["name"]) if controller else None,
        labels=_shared(frozenset(kv for kv in labels.items() if kv[0] != LABEL_INSTANCE_ID)),
    )


def label_of(labels: Labels, name: str) -> str:
    """The value of one label, empty where it does not stand."""
    return next((value for key, value in labels if key == name), "")


def _instance(pod: Json, labels: Json, instance_id: int) -> Instance:
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    annotations = metadata.get("annotations") or {}
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    recorded = moment(annotations.get(ANNOTATION_STATE_CHANGE_TIME))
    mark = annotations.get(ANNOTATION_RENEWED_FROM)
    gate = conditions.get(GATE_IN_ROTATION)
    return Instance(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        instance_id=instance_id,
        update_domain=_whole_number(labels.get(LABEL_UPDATE_DOMAIN)) or 0,
        model=intern(labels.get(LABEL_MODEL, "")),
        created=created,
        ip=status.get("podIP") or None,
        node=intern(spec["nodeName"]) if spec.get("nodeName") else None,
        started=recorded or started(spec, status, mark),
        started_is_recorded=recorded is not None,
        over=status.get("phase") in _OVER,
        terminating=metadata.get("deletionTimestamp") is not None,
        containers_ready=_holds(conditions.get("ContainersReady")),
        ready=_holds(conditions.get("Ready")),
        reports=(_readiness(spec, conditions, created), *_reports(conditions, created)),
        protected_from_scale_in=labels.get(LABEL_PROTECT_FROM_SCALE_IN) == "true",
        protected_from_actions=labels.get(LABEL_PROTECT_FROM_ACTIONS) == "true",
        published=_published(conditions.get(CONDITION_HEALTHY), created),
        in_rotation=None if gate is None else _holds(gate),
        attempt=_whole_number(annotations.get(ANNOTATION_REPAIR_ATTEMPT)) or 0,
        replaces=annotations.get(ANNOTATION_REPLACES) or None,
        containers=containers_of(spec, status),
        renewing=recorded is None and renewed_from(mark, len(spec["containers"])) is not None,
        terminate_at=moment(annotations.get(ANNOTATION_TERMINATE_AT)),
        termination_approved=annotations.get(ANNOTATION_APPROVE_TERMINATION) == "true",
        own_labels=_kept(labels),
        on_host=spec.get("hostNetwork") is True,
        **_asked(annotations),
    )


def _asked(annotations: Json) -> dict[str, str]:
    """What is asked of it, and what stands on it of maintenance: alike on many, so shared."""
    return {
        "repair_request": _request(annotations.get(ANNOTATION_REPAIR)),
        "operation": _request(annotations.get(ANNOTATION_OPERATION)),
        "mark": intern(annotations.get(ANNOTATION_MAINTENANCE_ITERATION, "")[:LONGEST_MARK]),
        "maintenance": intern(annotations.get(ANNOTATION_MAINTENANCE_STATUS, "")[:LONGEST_STATUS]),
        "maintenance_asked": annotations.get(ANNOTATION_PERFORM_MAINTENANCE, "")[:MAX_NAME_LENGTH],
        "pause_request": request_on(annotations),
    }


def _readiness(
    spec: Json, conditions: Mapping[str, Json], created: datetime
) -> tuple[str, VMHealth, datetime]:
    """Ready as it would be without our own gate: ContainersReady and every other gate.

    One that says False makes it Unhealthy, since the first did; one that nobody has reported yet
    makes it Unknown, for no report is no evidence.
    """
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or ()]
    inputs = ["ContainersReady", *[gate for gate in gates if gate != GATE_IN_ROTATION]]
    said = [_report(conditions[name], created) for name in inputs if name in conditions]
    worst = [since for _, health, since in said if health is VMHealth.UNHEALTHY]
    if worst:
        return "Ready", VMHealth.UNHEALTHY, min(worst)
    if len(said) < len(inputs):
        return "Ready", VMHealth.UNKNOWN, created
    unsure = [since for _, health, since in said if health is VMHealth.UNKNOWN]
    if unsure:
        return "Ready", VMHealth.UNKNOWN, min(unsure)
    return "Ready", VMHealth.HEALTHY, max(since for _, _, since in said)


def _reports(
    conditions: Mapping[str, Json], created: datetime
) -> list[tuple[str, VMHealth, datetime]]:
    return [
        _report(condition, created)
        for name, condition in conditions.items()
        if name not in _BOOKKEEPING and not name.startswith(_RESIZING)
    ]


def _report(condition: Json, created: datetime) -> tuple[str, VMHealth, datetime]:
    health = _HEALTH.get(condition["status"], VMHealth.UNKNOWN)
    return intern(condition["type"]), health, moment(condition.get("lastTransitionTime")) or created


def _published(condition: Json | None, created: datetime) -> Published | None:
    if condition is None:
        return None
    return Published(
        health=_HEALTH.get(condition["status"], VMHealth.UNKNOWN),
        reason=intern(condition.get("reason") or ""),
        since=moment(condition.get("lastTransitionTime")) or created,
        message=intern(condition.get("message") or ""),
    )


def _request(text: str | None) -> str:
    """What a person asks for; more than the longest of our words is only shown."""
    return intern((text or "")[:LONGEST_REQUEST])


def _holds(condition: Json | None) -> bool:
    return condition is not None and condition["status"] == "True"


def _controller(metadata: Json) -> Json | None:
    reference: Json
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return reference
    return None


def _is_scale_set(reference: Json) -> bool:
    group = reference.get("apiVersion", "").partition("/")[0]
    return reference.get("kind") == SCALE_SET and group == GROUP


def _whole_number(text: str | None) -> int | None:
    """A number as we write them: digits, no sign, no leading zero."""
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if 0 <= number <= MAX_INT32 and str(number) == text else None


@lru_cache(maxsize=4096)
def _owner_ref(uid: str, name: str) -> OwnerRef:
    return OwnerRef(uid, name)


def _is_kept(label: str) -> bool:
    return label in KEPT or not label.startswith(f"{LABEL_PREFIX}/")


def _kept(labels: Json) -> tuple[tuple[str, str], ...]:
    return _ordered(frozenset(kv for kv in labels.items() if _is_kept(kv[0])))


@lru_cache(maxsize=4096)
def _ordered(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels)[:MAX_KEPT_LABELS])


@lru_cache(maxsize=4096)
def _shared(labels: Labels) -> Labels:
    return labels
