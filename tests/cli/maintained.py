"""A set whose instances a window includes, as the API server holds it: for the tests of the plugin.

Must not know: what the plugin makes of it.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import (
    ANNOTATION_MAINTENANCE_ITERATION,
    ANNOTATION_MAINTENANCE_STATUS,
    ANNOTATION_PERFORM_MAINTENANCE,
)
from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS, PODS, SCALE_SETS
from tests.adapters.cluster.objects import UID, condition, pod
from tests.api.manifests import ONCE, WINDOW, manifest
from tests.support.builders import raw_spec
from tests.support.fake_plugin import FakeEntrance

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "host-patch-nov"
WINDOW_UID: Final = "0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"
END: Final = ONCE["scheduled"]["endTime"]
MARK: Final = f"{NAME}/1/0b6f6a0c/{END}"
TIMES: Final = {
    "preMaintenanceWindowStartTime": ONCE["selfService"]["startTime"],
    "preMaintenanceWindowEndTime": ONCE["selfService"]["endTime"],
    "maintenanceWindowStartTime": ONCE["scheduled"]["startTime"],
    "maintenanceWindowEndTime": END,
}
AHEAD: Final = {"isCustomerInitiatedMaintenanceAllowed": True} | TIMES
COMPLETED: Final = {
    "lastOperationResultCode": "MaintenanceCompleted",
    "lastOperationMessage": "moved to worker-3",
}
ABORTED: Final = {
    "lastOperationResultCode": "MaintenanceAborted",
    "lastOperationMessage": "no updated node has room",
}
LABELS: Final = {"tier": "web"}


def window(changes: dict[str, Any] | None = None, *, name: str = NAME) -> dict[str, Any]:
    """An announced one, whose self-service window is open at T0."""
    announced = {
        "iteration": 1,
        "announcedTime": "2026-10-21T00:00:00Z",
        "preStartTime": ONCE["selfService"]["startTime"],
        "preEndTime": ONCE["selfService"]["endTime"],
        "startTime": ONCE["scheduled"]["startTime"],
        "endTime": END,
    }
    meta = {"metadata.namespace": "default", "metadata.uid": WINDOW_UID}
    status = {"status.announced": [announced]}
    return manifest(WINDOW, name=name, changes=meta | status | (changes or {}))


def member(
    number: int,
    *,
    domain: int = 0,
    mark: str | None = MARK,
    said: Mapping[str, Any] | None = AHEAD,
    asked: str | None = None,
    ready: bool = True,
    **changes: Any,
) -> dict[str, Any]:
    """An instance, included and pending unless said otherwise."""
    held = {
        ANNOTATION_MAINTENANCE_ITERATION: mark,
        ANNOTATION_MAINTENANCE_STATUS: json.dumps(said) if said else None,
        ANNOTATION_PERFORM_MAINTENANCE: asked,
    }
    word = "True" if ready else "False"
    return pod(
        number,
        labels={"scaleset.dev/update-domain": str(domain)},
        annotations={key: value for key, value in held.items() if value is not None},
        status={"conditions": [condition("ContainersReady"), condition("Ready", word)]},
        **changes,
    )


def entry(number: int, phase: str = "Moving", *, domain: int = 0) -> dict[str, Any]:
    """An instance under maintenance."""
    return {
        "instance": f"web-{number}",
        "uid": f"uid-{number}",
        "window": NAME,
        "iteration": 1,
        "mark": MARK,
        "impact": "Redeploy",
        "origin": "SelfService",
        "phase": phase,
        "startTime": "2026-11-21T07:59:00Z",
        "phaseTime": "2026-11-21T07:59:30Z",
        "updateDomain": domain,
    }


def request(number: int, state: str, reason: str, message: str) -> dict[str, Any]:
    """What the operator says of an owner's request."""
    return {
        "instance": f"web-{number}",
        "uid": f"uid-{number}",
        "request": f"perform-maintenance={NAME}",
        "state": state,
        "reason": reason,
        "message": message,
        "time": "2026-11-21T08:00:00Z",
    }


def row(**fields: Any) -> dict[str, Any]:
    """What the set says of the iteration."""
    return {"window": NAME, "iteration": 1, "mark": MARK, **fields}


def scale_set(
    *entries: dict[str, Any], rows: tuple[dict[str, Any], ...] = (), requests: Any = ()
) -> dict[str, Any]:
    """The set."""
    ledger = {"window": NAME, "iterations": list(rows), "inFlight": list(entries)}
    meta = {"name": "web", "namespace": "default", "uid": UID, "generation": 1}
    return {
        "metadata": {**meta, "labels": dict(LABELS)},
        "spec": raw_spec(replicas=3),
        "status": {"maintenance": ledger, "requests": list(requests)},
    }


def cluster(
    *pods: dict[str, Any],
    windows: tuple[dict[str, Any], ...] | None = None,
    of: dict[str, Any] | None = None,
) -> FakeEntrance:
    """A cluster with the set, its window and these instances."""
    entrance = FakeEntrance()
    entrance.add(SCALE_SETS, of or scale_set())
    for one in (window(),) if windows is None else windows:
        body = copy.deepcopy(one)
        body["spec"]["scaleSetSelector"]["matchLabels"] = dict(LABELS)
        entrance.add(MAINTENANCE_WINDOWS, body)
    for one in pods:
        entrance.add(PODS, one)
    return entrance


def asked(entrance: FakeEntrance) -> list[tuple[str, str]]:
    """(instance, window) of each request that was written, in order."""
    found = []
    for verb, path, body in entrance.writes:
        assert verb == "merge"
        meta = body["metadata"]
        assert meta["uid"] == "uid-" + path.rpartition("-")[2], "on the very pod"
        assert meta["resourceVersion"], "on what was read"
        assert set(body) == {"metadata"}
        (written,) = meta["annotations"].items()
        assert written[0] == ANNOTATION_PERFORM_MAINTENANCE
        found.append((path.rpartition("/")[2], written[1]))
    return found
