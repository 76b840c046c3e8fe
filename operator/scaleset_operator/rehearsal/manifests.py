"""Pods as the wire shows them.

Pure. It must not know where a manifest goes.
"""

from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api import base
from scaleset_operator.api.base import format_time
from scaleset_operator.rehearsal.objects import FakePod, Run, image_id, whole_second

GRACE_SECONDS: Final = 30
"""terminationGracePeriodSeconds of every pod."""


def pod_manifest(pod: FakePod) -> dict[str, Any]:
    """The pod as the API server sends it; what the auditor is fed with."""
    metadata: dict[str, Any] = {
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": pod.uid,
        "resourceVersion": str(pod.resource_version),
        "labels": dict(pod.labels),
        "annotations": dict(pod.annotations),
    }
    if pod.created is not None:
        metadata["creationTimestamp"] = format_time(pod.created)
    if pod.controller is not None:
        metadata["ownerReferences"] = [
            {**pod.controller._asdict(), "apiVersion": base.API_VERSION, "controller": True}
        ]
    if pod.deleted_at is not None:
        due = pod.deleted_at + timedelta(seconds=GRACE_SECONDS)
        metadata["deletionTimestamp"] = format_time(whole_second(due))
        metadata["deletionGracePeriodSeconds"] = GRACE_SECONDS
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**pod.spec, **({"nodeName": pod.node} if pod.node else {})},
        "status": _pod_status(pod),
    }


def _pod_status(pod: FakePod) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "type": kind,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": format_time(condition.since),
        }
        for kind, condition in pod.conditions.items()
    ]
    rows.append({"type": "ContainersReady", "status": str(pod.containers_ready)})
    rows.append({"type": "Ready", "status": str(pod.ready)})
    return {
        "phase": pod.phase,
        "conditions": rows,
        "containerStatuses": [_container_status(run, pod) for run in pod.runs],
        **({"podIP": pod.ip} if pod.ip else {}),
    }


def _container_status(run: Run, pod: FakePod) -> dict[str, Any]:
    before = {} if run.before is None else {"startedAt": format_time(run.before), "exitCode": 0}
    return {
        "name": run.name,
        "image": run.image,
        "imageID": image_id(run.image),
        "restartCount": run.restarts,
        "ready": pod.containers_ready,
        "state": {"running": {"startedAt": format_time(run.started)}},
        "lastState": {"terminated": before} if before else {},
    }
