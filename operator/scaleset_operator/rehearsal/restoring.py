"""Pods put back: from what an operator saw of them, as they then stand in the server.

Pure. Must not know: where the sight comes from.
"""

from collections.abc import Mapping
from typing import Any

from scaleset_operator.api import base
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.pause import PAUSE, UNREADABLE
from scaleset_operator.rehearsal.objects import (
    STATUS_OF,
    Controller,
    FakePod,
    PodCondition,
    Run,
)


def pod_of(seen: Instance, scale_set: Mapping[str, Any]) -> FakePod:
    """An instance that was there already, with its published health and its gate."""
    meta, template = scale_set["metadata"], scale_set["spec"]["template"]
    rows = zip(seen.containers.names, seen.containers.images, strict=True)
    labels = {
        **(template.get("metadata", {}).get("labels") or {}),
        base.LABEL_NAME: meta["name"],
        base.LABEL_INSTANCE_ID: str(seen.instance_id),
        base.LABEL_UPDATE_DOMAIN: str(seen.update_domain),
        base.LABEL_MODEL: seen.model,
    }
    pod = FakePod(
        namespace=meta["namespace"],
        name=seen.name,
        uid=seen.uid,
        labels=labels,
        annotations=_annotations(seen),
        controller=Controller("ScaleSet", meta["name"], meta["uid"]),
        conditions=_ours(seen),
        spec={"containers": [{"name": name, "image": image} for name, image in rows]},
        deleted_at=seen.created if seen.terminating else None,
    )
    return FakePod(**{**_fields(pod), **as_seen(pod, seen)})


def _fields(pod: FakePod) -> dict[str, Any]:
    return {name: getattr(pod, name) for name in FakePod.__slots__}


def _annotations(seen: Instance) -> dict[str, str]:
    marks = {
        base.ANNOTATION_REPLACES: seen.replaces,
        base.ANNOTATION_REPAIR_ATTEMPT: str(seen.attempt) if seen.attempt else None,
        base.ANNOTATION_STATE_CHANGE_TIME: base.format_time(seen.started)
        if seen.started is not None and seen.started_is_recorded
        else None,
        base.ANNOTATION_TERMINATE_AT: base.format_time(seen.terminate_at)
        if seen.terminate_at is not None
        else None,
        base.ANNOTATION_MAINTENANCE_ITERATION: seen.mark or None,
        base.ANNOTATION_MAINTENANCE_STATUS: seen.maintenance or None,
        ANNOTATION_PAUSE: _pause(seen) if seen.pause_request else None,
    }
    return {key: text for key, text in marks.items() if text is not None}


def _pause(seen: Instance) -> str:
    """A request of that id; no recording tells its deadline."""
    if seen.pause_request == UNREADABLE:
        return UNREADABLE
    seconds = int(PAUSE.total_seconds())
    asked = PauseRequest(id=seen.pause_request, deadline=seen.created, seconds=seconds)
    return asked.text()


def _ours(seen: Instance) -> dict[str, PodCondition]:
    """The conditions that the operator writes."""
    rows = {}
    if seen.published is not None:
        said = seen.published
        rows[base.CONDITION_HEALTHY] = PodCondition(
            STATUS_OF[said.health], said.reason, said.message, said.since
        )
    if seen.in_rotation is not None:
        reason = seen.published.reason if seen.published is not None else ""
        rows[base.GATE_IN_ROTATION] = PodCondition(
            str(seen.in_rotation), reason, "", seen.started or seen.created
        )
    return rows


def as_seen(pod: FakePod, seen: Instance) -> dict[str, Any]:
    """The fields of a pod that others than the operator write, as they were seen."""
    started = pod.started if seen.started_is_recorded and pod.started else seen.started
    reported = {
        kind: PodCondition(STATUS_OF[health], "Reported", "", since)
        for kind, health, since in seen.reports
        if kind != "Ready"
    }
    ours = {kind: row for kind, row in pod.conditions.items() if kind.startswith(base.GROUP)}
    return {
        "created": seen.created,
        "ip": seen.ip,
        "node": seen.node,
        "started": started,
        "phase": "Failed" if seen.over else "Running" if seen.started else "Pending",
        "containers_ready": seen.containers_ready,
        "unready": seen.containers_ready and seen.in_rotation is True and not seen.ready,
        "conditions": {**reported, **ours},
        "labels": _with_own(pod, seen),
        "annotations": _with_requests(pod, seen),
        "runs": _runs(seen),
    }


def _with_own(pod: FakePod, seen: Instance) -> dict[str, str]:
    """Protection, and what other labels people gave it; older recordings tell only the former."""
    flags = {
        base.LABEL_PROTECT_FROM_SCALE_IN: seen.protected_from_scale_in,
        base.LABEL_PROTECT_FROM_ACTIONS: seen.protected_from_actions,
    }
    rest = {key: text for key, text in pod.labels.items() if key not in flags}
    return {**rest, **dict(seen.own_labels), **{k: "true" for k, stands in flags.items() if stands}}


def _with_requests(pod: FakePod, seen: Instance) -> dict[str, str]:
    marks = {
        base.ANNOTATION_REPAIR: seen.repair_request,
        base.ANNOTATION_OPERATION: seen.operation,
        base.ANNOTATION_APPROVE_TERMINATION: "true" if seen.termination_approved else "",
        base.ANNOTATION_PERFORM_MAINTENANCE: seen.maintenance_asked,
    }
    rest = {key: text for key, text in pod.annotations.items() if key not in marks}
    return {**rest, **{key: text for key, text in marks.items() if text}}


def _runs(seen: Instance) -> tuple[Run, ...]:
    """The containers' runs, as far as an instance tells; none before the first."""
    found, said = seen.containers, seen.started
    rows = zip(found.names, found.images, found.restarts, strict=True)
    if said is None:
        return ()
    return tuple(Run(name, image, max(count, 0), said) for name, image, count in rows)
