"""Planned maintenance on real nodes: owners go first, the window does the rest, pairs take turns.

One story, for its minutes are the windows': a set is walked from one node to another, an instance
that has nowhere to go stays as it is, and two paired sets share the time.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.kind import config
from tests.integration.sets import PREFIX, names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.pods import volume
from tests.kind.test_service import expose
from tests.kind.test_surroundings import kill
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

_, OLD, NEW = config.nodes()
UPDATED: Final = {"maintenance/updated": "yes"}
SIZE: Final = 8
DOMAINS: Final = 4
AT_ONCE: Final = SIZE // DOMAINS
ASK_S: Final = 75
WORK_S: Final = 240
MOVED_S: Final = 60.0
PLACE_S: Final = 180.0
ASKED: Final = f"{PREFIX}perform-maintenance"
STATUS: Final = f"{PREFIX}maintenance-redeploy-status"

pytestmark = pytest.mark.timeout(600)


@dataclass
class Seen:
    """What was seen while the windows were open.

    Attributes:
        fewest: ready endpoints of the Service, at the worst moment.
        domains: of `web`, each set of update domains that were under scheduled work at once.
        together: moments at which both sides of the pair were under maintenance.
        worked: sets that were seen under maintenance.
    """

    fewest: int = SIZE
    domains: set[frozenset[int]] = field(default_factory=set)
    together: list[Json] = field(default_factory=list)
    worked: set[str] = field(default_factory=set)

    def look(self, world: KindWorld) -> None:
        """Look once."""
        self.fewest = min(self.fewest, served(world, "web"))
        flights = {name: in_flight(world, name) for name in ("web", "left", "right")}
        self.worked |= {name for name, flight in flights.items() if flight}
        scheduled = [e for e in flights["web"] if e["origin"] == "Scheduled"]
        if scheduled:
            self.domains.add(frozenset(e.get("updateDomain", 0) for e in scheduled))
        if flights["left"] and flights["right"]:
            self.together.append(flights)


def served(world: KindWorld, name: str) -> int:
    """How many addresses a Service sends new connections to."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices"
    slices = world.api.items(path, labelSelector=f"kubernetes.io/service-name={name}")
    return sum(
        bool(endpoint["conditions"].get("ready"))
        for row in slices
        for endpoint in row.get("endpoints") or ()
    )


def in_flight(world: KindWorld, name: str) -> list[Json]:
    found: list[Json] = (world.status(name).get("maintenance") or {}).get("inFlight", [])
    return found


def iteration(world: KindWorld, name: str) -> Json:
    rows = (world.status(name).get("maintenance") or {}).get("iterations") or [{}]
    row: Json = rows[0]
    return row


def word(world: KindWorld, pod: str) -> Json:
    """What stands on an instance under the seven names."""
    text = world.get(pod, "Pod")["metadata"].get("annotations", {}).get(STATUS, "{}")
    found: Json = json.loads(text)
    return found


def clock(seconds: float) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def window(world: KindWorld, name: str, labels: Json, **spec: Any) -> None:
    """Announce a maintenance of the sets with these labels that begins in a moment."""
    ask, work = clock(2 + ASK_S), clock(2 + ASK_S + WORK_S)
    usual = {
        "scaleSetSelector": {"matchLabels": labels},
        "impact": "Redeploy",
        "notifyBefore": "PT1H",
        "urgent": True,
        "once": {
            "selfService": {"startTime": clock(2), "endTime": ask},
            "scheduled": {"startTime": ask, "endTime": work},
        },
        "updateDomains": {"pauseBetween": "PT0S"},
        "updatedNodeSelector": {"matchLabels": UPDATED},
    }
    world.create("MaintenanceWindow", name, usual | spec)


@contextmanager
def all_on_the_old_node(deployment: Deployment) -> Iterator[None]:
    """Inside, nothing new goes to the other one."""
    deployment.kubectl("cordon", NEW)
    try:
        yield
    finally:
        deployment.kubectl("uncordon", NEW)


@contextmanager
def updated(deployment: Deployment) -> Iterator[None]:
    """Inside, the new node is marked as updated."""
    ((key, value),) = UPDATED.items()
    deployment.kubectl("label", "node", NEW, f"{key}={value}", "--overwrite")
    try:
        yield
    finally:
        deployment.kubectl("label", "node", NEW, f"{key}-")


def ask(world: KindWorld, pod: str, name: str) -> None:
    """Its owner wants its maintenance now."""
    path = path_of("Pod", world.namespace, pod)
    world.api.merge(path, {"metadata": {"annotations": {ASKED: name}}})


def requests(world: KindWorld, pod: str) -> list[Json]:
    rows = world.status("web").get("requests", [])
    return [row for row in rows if row["instance"] == pod]


def test_owners_go_first_the_window_does_the_rest_and_pairs_take_turns(
    world: KindWorld, deployment: Deployment
) -> None:
    """M-05 to M-09, M-12, M-14 to M-17, M-26, V-17, V-19, V-21, V-22."""
    expose(world, "web")
    pace = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100 // DOMAINS}}
    with all_on_the_old_node(deployment):
        world.scale_set("web", SIZE, updateDomainCount=DOMAINS, upgradePolicy=pace)
        for name in ("left", "right", "stuck"):
            world.scale_set(name, 2, updateDomainCount=2)
        world.await_ready("web", "left", "right", "stuck", seconds=120)
        for name in ("web", "left", "right", "stuck"):
            path = path_of("ScaleSet", world.namespace, name)
            world.api.merge(path, {"metadata": {"labels": {"tier": name}}})
    before = world.pods("web")
    eventually(lambda: served(world, "web") == SIZE, "all are served")
    assert {pod["spec"]["nodeName"] for pod in before} == {OLD}
    with updated(deployment), AuditorWatch(world.api, namespace=world.namespace) as watch:
        window(world, "patch", {"tier": "web"})
        window(world, "one", {"tier": "left"}, pairedWith={"name": "other"})
        window(world, "other", {"tier": "right"}, pairedWith={"name": "one"})
        nowhere = {"matchLabels": {"maintenance/updated": "nowhere"}}
        window(world, "nowhere", {"tier": "stuck"}, updatedNodeSelector=nowhere)
        stuck = world.pods("stuck")[0]
        await_open(world, stuck["metadata"]["name"])
        ask(world, stuck["metadata"]["name"], "nowhere")
        first = pulled_forward(world, before[3])
        assert_refused_a_second_time(world, first)
        walk(world, deployment)
        assert_stayed(world, stuck)
    after = world.pods("web")
    assert names_of(after) == names_of(before), "everybody keeps the name"
    assert not uids_of(after) & uids_of(before)
    assert {pod["spec"]["nodeName"] for pod in after} == {NEW}
    assert first["metadata"]["uid"] in uids_of(after), "it was not taken a second time"
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []
    assert places(world) == []


def await_open(world: KindWorld, pod: str) -> None:
    """Wait until owners may go first, and it says so on the instances."""
    eventually(
        lambda: word(world, pod).get("isCustomerInitiatedMaintenanceAllowed"),
        "the self-service window is open",
        seconds=MOVED_S,
        told=lambda: world.told("stuck"),
    )


def pulled_forward(world: KindWorld, pod: Json) -> Json:
    """Move one instance at its owner's wish: same name, id and labels; volume and address new."""
    name = pod["metadata"]["name"]
    world.label(pod, team="shop")
    world.room.on_node(pod, "touch", f"{volume(pod)}/mark")
    await_open(world, name)
    ask(world, name, "patch")
    eventually(
        lambda: word(world, name).get("lastOperationResultCode") == "MaintenanceCompleted",
        f"{name} was moved",
        seconds=MOVED_S,
        told=lambda: world.told("web"),
    )
    after = world.get(name, "Pod")
    assert after["metadata"]["uid"] != pod["metadata"]["uid"]
    assert after["spec"]["nodeName"] == NEW
    assert after["status"]["podIP"] != pod["status"]["podIP"]
    kept = ("app", "team", f"{PREFIX}instance-id", f"{PREFIX}update-domain")
    there = {**pod["metadata"]["labels"], "team": "shop"}
    assert {key: after["metadata"]["labels"].get(key) for key in kept} == {
        key: there[key] for key in kept
    }
    assert "mark" not in world.room.on_node(after, "ls", volume(after)).split()
    return after


def assert_refused_a_second_time(world: KindWorld, pod: Json) -> None:
    name = pod["metadata"]["name"]
    ask(world, name, "patch")
    row = eventually(lambda: requests(world, name), f"{name} is refused", seconds=MOVED_S)[0]
    assert row["reason"] == "AlreadyAttempted"
    eventually(
        lambda: ASKED not in world.get(name, "Pod")["metadata"]["annotations"], "it was answered"
    )
    assert world.get(name, "Pod")["metadata"]["uid"] == pod["metadata"]["uid"]


def walk(world: KindWorld, deployment: Deployment) -> None:
    """The scheduled window: domain by domain, with the leader killed in the middle."""
    seen, killed = Seen(), False
    deadline = time.monotonic() + ASK_S + WORK_S
    while not done(world):
        assert time.monotonic() < deadline, world.told("web", "left", "right")
        seen.look(world)
        if not killed and iteration(world, "web").get("completed", 0) >= 2:
            leader = deployment.leader()
            (pod,) = (p for p in deployment.pods() if p["metadata"]["name"] == leader)
            kill(deployment, pod)
            killed = True
        time.sleep(0.2)
    assert killed
    assert seen.fewest >= SIZE - AT_ONCE, "no more than one domain is away"
    assert {len(at_once) for at_once in seen.domains} == {1}, "one domain at a time"
    assert len(frozenset().union(*seen.domains)) == DOMAINS
    assert seen.worked == {"web", "left", "right"}
    assert seen.together == [], "one side of the pair at a time"


def done(world: KindWorld) -> bool:
    """Whether everybody is on the new node and nothing is under way."""
    for name in ("web", "left", "right"):
        if {pod["spec"].get("nodeName") for pod in world.pods(name)} != {NEW}:
            return False
        if in_flight(world, name):
            return False
    return True


def assert_stayed(world: KindWorld, pod: Json) -> None:
    """An instance without anywhere to go is left as it was, and is out of this iteration."""
    name = pod["metadata"]["name"]
    eventually(
        lambda: word(world, name).get("lastOperationResultCode") == "MaintenanceAborted",
        f"{name} has nowhere to go",
        seconds=PLACE_S,
        told=lambda: world.told("stuck"),
    )
    after = world.get(name, "Pod")
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert "maintenanceWindowStartTime" not in word(world, name)
    world.await_ready("stuck")


def places(world: KindWorld) -> list[str]:
    """Pods that hold a place for somebody."""
    path = path_of("Pod", world.namespace)
    return names_of(world.api.items(path, labelSelector=f"{PREFIX}place-for"))
