"""What there is to see of planned maintenance, and how windows are announced and asked for.

Imports nothing of the operator. It must not know what any test expects.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.integration.sets import PREFIX, names_of
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.sets import Json, Sets

ASKED: Final = f"{PREFIX}perform-maintenance"
STATUS: Final = f"{PREFIX}maintenance-redeploy-status"
PLACE: Final = f"{PREFIX}place-for"
UPDATED: Final = {"maintenance/updated": "yes"}
LEAD_S: Final = 2.0


def clock(seconds: float) -> str:
    """The time in so many seconds, as the API writes it."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def announce(world: Sets, name: str, tier: str, *, ask: float, work: float, **spec: Any) -> None:
    """Make a window for the sets of a tier that opens in a moment.

    Args:
        world: where.
        name: of the window.
        tier: the value of the sets' label `tier`.
        ask: seconds of self-service.
        work: seconds of the scheduled window after it.
        spec: fields beside the usual ones, or instead of them.
    """
    opens, works, ends = LEAD_S, LEAD_S + ask, LEAD_S + ask + work
    usual = {
        "scaleSetSelector": {"matchLabels": {"tier": tier}},
        "impact": "Redeploy",
        "notifyBefore": "PT1H",
        "urgent": True,
        "once": {
            "selfService": {"startTime": clock(opens), "endTime": clock(works)},
            "scheduled": {"startTime": clock(works), "endTime": clock(ends)},
        },
        "updateDomains": {"pauseBetween": "PT0S"},
        "updatedNodeSelector": {"matchLabels": UPDATED},
    }
    world.create("MaintenanceWindow", name, usual | spec)


def tier(world: Sets, name: str, value: str) -> None:
    """Give a set the label by which windows find it."""
    path = path_of("ScaleSet", world.namespace, name)
    world.api.merge(path, {"metadata": {"labels": {"tier": value}}})


def ask(world: Sets, pod: str, window: str) -> None:
    """An instance's owner wants its maintenance now."""
    path = path_of("Pod", world.namespace, pod)
    world.api.merge(path, {"metadata": {"annotations": {ASKED: window}}})


def answered(world: Sets, pod: str) -> bool:
    """Whether the request is off the pod."""
    return ASKED not in world.get(pod, "Pod")["metadata"].get("annotations", {})


def requests(world: Sets, name: str, pod: str) -> list[Json]:
    """What the set says of requests on one of its instances."""
    return [row for row in world.status(name).get("requests", []) if row["instance"] == pod]


def seven_names(world: Sets, pod: str) -> Json:
    """What stands on an instance of its maintenance; nothing while it is between two nodes."""
    there = world.api.find(path_of("Pod", world.namespace, pod)) or {"metadata": {}}
    found: Json = json.loads(there["metadata"].get("annotations", {}).get(STATUS, "{}"))
    return found


def in_flight(world: Sets, name: str) -> list[Json]:
    """A set's instances under maintenance."""
    found: list[Json] = (world.status(name).get("maintenance") or {}).get("inFlight", [])
    return found


def iteration(world: Sets, name: str) -> Json:
    """The iteration that concerns a set now, or next."""
    rows = (world.status(name).get("maintenance") or {}).get("iterations") or [{}]
    row: Json = rows[0]
    return row


def places(world: Sets) -> list[str]:
    """Pods that hold a place for somebody."""
    return names_of(world.api.items(path_of("Pod", world.namespace), labelSelector=PLACE))


def nodes_of(world: Sets, name: str) -> set[str | None]:
    """The nodes of a set's instances."""
    return {pod["spec"].get("nodeName") for pod in world.pods(name)}
