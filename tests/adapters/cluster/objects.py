"""Pods as an API server stores them, for the adapter's tests; plain unless a test names more."""

from __future__ import annotations

from typing import Any, Final

from scaleset_operator.reconciler.ports import Key, Owner

UID: Final = "uid-of-web"
CREATED: Final = "2026-11-21T08:00:00Z"
RAN: Final = "2026-11-21T08:00:05Z"
WEB: Final = Key("default", "web")

OWNER: Final = Owner(
    key=WEB,
    uid=UID,
    resource_version="7",
    match_labels={"app": "web"},
    template={
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    },
)


def pod(number: int = 1, version: int = 10, **changes: Any) -> dict[str, Any]:
    """web-1, owned by the set `web` and running.

    `labels`, `annotations`, `spec` and `status` are added to what stands; everything else replaces
    a field of the metadata, or takes it away with None.
    """
    metadata: dict[str, Any] = {
        "name": f"web-{number}",
        "namespace": "default",
        "uid": f"uid-{number}",
        "resourceVersion": str(version),
        "creationTimestamp": CREATED,
        "labels": {
            "app": "web",
            "scaleset.dev/name": "web",
            "scaleset.dev/instance-id": str(number),
            "scaleset.dev/update-domain": "2",
            "scaleset.dev/model": "m1",
        }
        | changes.pop("labels", {}),
        "annotations": changes.pop("annotations", {}),
        "ownerReferences": [controller()],
    }
    spec = {
        "nodeName": "node-1",
        "containers": [{"name": "web", "image": "web:1"}],
        "readinessGates": [{"conditionType": "scaleset.dev/InRotation"}],
    } | changes.pop("spec", {})
    status = {
        "phase": "Running",
        "podIP": "127.16.0.1",
        "conditions": [condition("ContainersReady"), condition("Ready", "False")],
        "containerStatuses": [container(running=RAN)],
    } | changes.pop("status", {})
    named = {key: value for key, value in (metadata | changes).items() if value is not None}
    return {"metadata": named, "spec": spec, "status": status}


def controller(uid: str = UID, name: str = "web", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": "ScaleSet",
        "name": name,
        "uid": uid,
        "controller": True,
    } | changes


def condition(kind: str, status: str = "True", since: str = RAN, **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": since, **more}


def container(
    name: str = "web",
    *,
    running: str | None = None,
    ended: str | None = None,
    before: str | None = None,
    restarts: int = 0,
) -> dict[str, Any]:
    """The status of one container: when it began to run now, ran and ended, or ran before."""
    state: dict[str, Any] = {"waiting": {"reason": "CrashLoopBackOff"}}
    if running:
        state = {"running": {"startedAt": running}}
    if ended:
        state = {"terminated": {"startedAt": ended, "exitCode": 1}}
    last = {"terminated": {"startedAt": before, "exitCode": 1}} if before else {}
    return {"name": name, "restartCount": restarts, "state": state, "lastState": last}
