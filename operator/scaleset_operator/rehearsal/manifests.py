"""Pods as the wire shows them, and back.

Pure. It must not know where a manifest goes or comes from.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api import base
from scaleset_operator.api.base import format_time
from scaleset_operator.rehearsal.objects import (
    Controller,
    FakePod,
    PodCondition,
    Run,
    image_id,
    whole_second,
)

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
    owners: list[dict[str, Any]] = [{"uid": uid, "controller": False} for uid in pod.holders]
    if pod.controller is not None:
        controller = {**pod.controller._asdict(), "apiVersion": base.API_VERSION}
        owners.append({**controller, "controller": True})
    if owners:
        metadata["ownerReferences"] = owners
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


KUBELETS: Final = frozenset(
    {
        "PodScheduled",
        "Initialized",
        "PodReadyToStartContainers",
        "DisruptionTarget",
        "ContainersReady",
        "Ready",
    }
)
"""Conditions that the cluster in memory makes up by itself."""


def pod_of(manifest: Mapping[str, Any]) -> FakePod:
    """A pod from its manifest, as it stood in a real API server."""
    meta, spec = manifest["metadata"], manifest.get("spec") or {}
    status = manifest.get("status") or {}
    created = datetime.fromisoformat(meta["creationTimestamp"])
    rows = {row["type"]: row for row in status.get("conditions") or ()}
    runs = _runs(spec, status)
    deleted = meta.get("deletionTimestamp")
    return FakePod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        controller=_controller(meta),
        created=created,
        phase=status.get("phase", "Pending"),
        ip=status.get("podIP") or None,
        node=spec.get("nodeName") or None,
        started=max((run.started for run in runs), default=None),
        containers_ready=_condition(rows.get("ContainersReady")),
        deleted_at=datetime.fromisoformat(deleted) if deleted else None,
        conditions={
            kind: PodCondition(
                row["status"],
                row.get("reason") or "",
                row.get("message") or "",
                datetime.fromisoformat(row.get("lastTransitionTime") or meta["creationTimestamp"]),
            )
            for kind, row in rows.items()
            if kind not in KUBELETS
        },
        spec={**spec, "containers": spec.get("containers") or []},
        runs=runs,
        holders=tuple(
            row["uid"] for row in meta.get("ownerReferences") or () if not row.get("controller")
        ),
    )


def _controller(meta: Mapping[str, Any]) -> Controller | None:
    for row in meta.get("ownerReferences") or ():
        if row.get("controller"):
            return Controller(row["kind"], row["name"], row["uid"])
    return None


def _condition(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["status"] == "True"


def _runs(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[Run, ...]:
    """The present run of each container, in the order of the spec; none while any is missing."""
    said = {row["name"]: row for row in status.get("containerStatuses") or ()}
    found = []
    for container in spec.get("containers") or ():
        row = said.get(container["name"]) or {}
        state = row.get("state") or {}
        began = (state.get("running") or state.get("terminated") or {}).get("startedAt")
        if began is None:
            return ()
        count = row.get("restartCount") or 0
        moment = datetime.fromisoformat(began)
        found.append(Run(container["name"], container["image"], count, moment))
    return tuple(found)
