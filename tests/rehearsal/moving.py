"""A set with an announced window, rehearsed: instances on old nodes, and updated ones beside them.

Must not know: what the operator makes of it.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import format_time
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from tests.rehearsal.runs import KEY, rehearsal
from tests.support.fake_clock import T0

UPDATED: Final = {"maintenance/updated": "yes"}
OPENS: Final = timedelta(minutes=2)
SCHEDULED: Final = timedelta(minutes=4)
ENDS: Final = timedelta(minutes=60)


def moving(replicas: int = 6, *, room: int | None = None, **window: Any) -> Rehearsal:
    """Before its first moment: three old nodes, on which the instances come up, and one updated.

    Args:
        replicas: of the set.
        room: pods that the updated node takes.
        window: other fields of its spec.
    """
    run = rehearsal(replicas)
    run.server.apply("ScaleSet", *KEY, {**run.scale_set["spec"], "updateDomainCount": 3})
    label(run, {"tier": "web"})
    announce(run, **window)

    def add() -> None:
        run.server.set_node("node-9", ready=True, labels=UPDATED, room=room)

    run.clock.after(timedelta(minutes=1), add)
    return run


def label(run: Rehearsal, labels: dict[str, str]) -> None:
    """The set bears these labels."""
    body = run.server.resource("ScaleSet", *KEY)
    run.server.restore("ScaleSet", {**body, "metadata": {**body["metadata"], "labels": labels}})


def announce(run: Rehearsal, **changes: Any) -> None:
    """A window that was announced a while ago, and opens within the first minutes."""
    times = {
        "announcedTime": T0 - timedelta(days=30),
        "preStartTime": T0 + OPENS,
        "preEndTime": T0 + SCHEDULED,
        "startTime": T0 + SCHEDULED,
        "endTime": T0 + ENDS,
    }
    spec = {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "impact": "Redeploy",
        "updatedNodeSelector": {"matchLabels": UPDATED},
        "updateDomains": {"pauseBetween": "PT10S"},
        "once": one_time(T0),
        **changes,
    }
    made = run.server.apply("MaintenanceWindow", KEY.namespace, "patch", spec)
    version = made["metadata"]["resourceVersion"]
    row = {name: format_time(at) for name, at in times.items()}
    status = {"announced": [{"iteration": 1, **row}], "lastIteration": 1}
    run.server.apply_status(KEY.namespace, "patch", version, status, kind="MaintenanceWindow")


def one_time(begin: datetime) -> dict[str, Any]:
    """The plan that was announced."""
    moments = {
        "selfService": (begin + OPENS, begin + SCHEDULED),
        "scheduled": (begin + SCHEDULED, begin + ENDS),
    }
    return {
        name: {"startTime": format_time(start), "endTime": format_time(end)}
        for name, (start, end) in moments.items()
    }


def on_updated(run: Rehearsal) -> list[str]:
    """Names of the instances that are on the updated node."""
    return [pod.name for pod in run.instances() if pod.node == "node-9"]
