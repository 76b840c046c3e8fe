"""Two replicas as they are installed, of which one leads: it is killed, and it is paused."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from scaleset_operator.adapters.cluster.tenure import LOST_STATUS
from tests.integration.audit import requests_in
from tests.integration.sets import moment, names_of
from tests.integration.waiting import eventually
from tests.kind.deployment import ACCOUNT
from tests.kind.fleet import await_replaced
from tests.kind.pods import container, running
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

TAKE_OVER_S: Final = 20.0
AWAIT_S: Final = 60.0
END_S: Final = 5.0
"""Within so long a leader that is none any more ends; its kubelet tells whole seconds."""
AGAIN_S: Final = 90.0
"""A container that has ended before is started again after a pause of its kubelet's."""


def test_another_replica_leads_soon_after_the_leader_was_killed(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """R-16, R-17: and goes on with the repairs of the one that is gone."""
    first = fleet.pods("web")[2]
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        fleet.tell(first, status=500)
        holder = deployment.holder()
        deployment.signal(deployment.leading(), "KILL")
        began = time.monotonic()
        await_another(deployment, holder)
        assert time.monotonic() - began < TAKE_OVER_S
        await_replaced(fleet, first)
        deployment.await_ready()
    watch.auditor.expect_repaired(names_of([first]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


def test_a_leader_that_was_paused_and_goes_on_writes_nothing_and_ends(
    fleet: KindWorld, deployment: Deployment, cluster: KindCluster
) -> None:
    """R-17, rule 5: SIGSTOP in the middle of a repair, SIGCONT when the other one leads.

    By the Lease the other leads within twenty seconds; by the API server's audit log the one that
    was paused sends no write from then on, the Lease included, until it begins anew.
    """
    first, second = fleet.pods("web")[2], fleet.pods("web")[9]
    before, paused = deployment.lease(), deployment.leading()
    began = datetime.now(UTC)
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        fleet.tell(first, status=500)
        fleet.await_status("web", lambda s: s["repairs"]["inFlight"], "its repair is under way")
        stopped = datetime.now(UTC)
        with stopped_still(deployment, paused):
            await_another(deployment, before["holderIdentity"])
            after = deployment.lease()
            woken = datetime.now(UTC)
        reborn = await_reborn(deployment, paused)
        await_replaced(fleet, first)
        fleet.tell(second, status=500)
        await_replaced(fleet, second)
        deployment.await_ready()
    assert moment(after["acquireTime"]) - stopped < timedelta(seconds=TAKE_OVER_S)
    ended = container(reborn)["lastState"]["terminated"]
    assert ended["exitCode"] == LOST_STATUS, "it ended by itself"
    assert moment(ended["finishedAt"]) - woken < timedelta(seconds=END_S)
    assert "this process ends at once" in deployment.logs(reborn["metadata"]["name"], "--previous")
    name = paused["metadata"]["name"]
    assert writes(cluster, name, began, stopped), "it did lead, and the log tells"
    assert writes(cluster, name, woken, new_life(deployment, name)) == []
    later = writes(cluster, name, woken, datetime.now(UTC))
    assert [words for words in later if " leases " not in words] == [], "and stands by since"
    now = deployment.lease()
    assert now["holderIdentity"] == after["holderIdentity"]
    assert now["leaseTransitions"] == before["leaseTransitions"] + 1
    watch.auditor.expect_repaired(names_of([first, second]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight == 1


@contextmanager
def stopped_still(deployment: Deployment, pod: Json) -> Iterator[None]:
    """Inside, the pod's process runs not a step, and its connections stay open."""
    deployment.signal(pod, "STOP")
    try:
        yield
    finally:
        deployment.signal(pod, "CONT")


def await_another(deployment: Deployment, holder: str) -> None:
    """Wait until somebody else than this one holds the lease."""
    eventually(
        lambda: deployment.holder() not in {"", holder},
        "another leads",
        seconds=AWAIT_S,
        told=deployment.story,
    )


def await_reborn(deployment: Deployment, pod: Json) -> Json:
    """Wait until the pod's container runs once more than before, and give the pod."""
    name, times = pod["metadata"]["name"], container(pod)["restartCount"]

    def look() -> Json | None:
        (now,) = (pod for pod in deployment.pods() if pod["metadata"]["name"] == name)
        return now if container(now)["restartCount"] > times and running(now) else None

    return eventually(look, f"{name} runs again", seconds=AGAIN_S, told=deployment.story)


def new_life(deployment: Deployment, name: str) -> datetime:
    """When the pod's present process wrote its first line."""

    def first() -> str:
        lines = deployment.logs(name).splitlines()
        return next((line for line in lines if line.startswith("{")), "")

    said = eventually(first, f"{name} says something", told=deployment.story)
    return moment(json.loads(said)["time"])


def writes(cluster: KindCluster, pod: str, since: datetime, until: datetime) -> list[str]:
    """What one replica wrote in this span, as the API server received it."""
    known = cluster.state()
    assert known is not None
    found = requests_in(cluster.audit_log(known), user=ACCOUNT, since=since)
    return [
        f"{one.verb} {one.resource} {one.name} at {one.at}"
        for one in found
        if one.writes and one.pod == pod and one.at < until
    ]
