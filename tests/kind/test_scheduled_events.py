"""Scheduled events asked by real pods, from within their own network, through the real Service."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo.deployment import NAMESPACE
from tests.integration.sets import VERDICT_S, names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.pods import process
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

SERVICE: Final = "scaleset-operator-events"
PATH: Final = "/metadata/scheduledevents?api-version=2020-07-01"
EVENTS_PORT: Final = 8082
NOTICE: Final = {"enable": True, "notBeforeTimeout": "PT10M"}
ASK_S: Final = 1.0
LONG_BEFORE_S: Final = 120.0
"""Whoever is gone by then, of ten minutes, went because of the approval."""


class Heard(NamedTuple):
    """What a pod was answered."""

    status: int
    body: Json

    @property
    def events(self) -> list[Json]:
        found: list[Json] = self.body.get("Events", [])
        return found

    @property
    def code(self) -> str:
        """Of a refusal."""
        return str(self.body.get("error", {}).get("code", ""))


class Inside:
    """Pods of a namespace, asking from inside.

    Attributes:
        host: where they ask: the Service's address.
    """

    def __init__(self, world: KindWorld, deployment: Deployment) -> None:
        self.world = world
        said = deployment.kubectl("-n", NAMESPACE, "get", "service", SERVICE, "-o", "json")
        self.host: str = json.loads(said)["spec"]["clusterIP"]

    def hear(self, pod: Json, host: str = "") -> Heard:
        """What this pod is told, from its own network."""
        return self._ask(pod, host or self.host)

    def approve(self, pod: Json, event: Json) -> Heard:
        """Have this pod approve an event."""
        body = {"StartRequests": [{"EventId": event["EventId"]}]}
        return self._ask(pod, self.host, "--data", json.dumps(body))

    def hear_as_its_node(self, pod: Json) -> Heard:
        """What the node of this pod is told, from the node's network."""
        return _heard(self.world.room.on_node(pod, *_curl(self.host)))

    def _ask(self, pod: Json, host: str, *words: str) -> Heard:
        on_node = partial(self.world.room.on_node, pod)
        within = ("nsenter", "--target", process(pod, on_node), "--net")
        return _heard(on_node(*within, *_curl(host), *words))


def _curl(host: str) -> tuple[str, ...]:
    asked = ("curl", "--silent", "--max-time", "10", "--header", "Metadata: true")
    return (*asked, "--write-out", "\n%{http_code}", f"http://{host}{PATH}")


def _heard(said: str) -> Heard:
    body, _, status = said.rpartition("\n")
    found: Any = json.loads(body) if body.strip() else {}
    return Heard(int(status), found)


def test_a_pod_is_told_through_the_service_and_its_approval_ends_the_wait(
    world: KindWorld, deployment: Deployment
) -> None:
    """M-19, V-30, R-54: known by its own address; another set's pod and the node learn nothing."""
    for name, size in (("web", 3), ("other", 1)):
        world.scale_set(
            name, size, repairs={"gracePeriod": "PT0S"}, terminateNotificationProfile=NOTICE
        )
    world.await_ready("web", "other", seconds=90)
    sick, peer, _ = world.pods("web")
    (foreign,) = world.pods("other")
    inside = Inside(world, deployment)
    assert inside.hear(sick) == Heard(200, {"DocumentIncarnation": 0, "Events": []})
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.tell(sick, status=500)
        (event,) = eventually(
            lambda: inside.hear(sick).events, "it is told", seconds=VERDICT_S + 30, every=ASK_S
        )
        assert event["Resources"] == names_of([sick])
        replicas = [f"{pod['status']['podIP']}:{EVENTS_PORT}" for pod in deployment.pods()]
        assert len(replicas) == 2
        eventually(
            lambda: all(inside.hear(peer, host).events == [event] for host in replicas),
            "both replicas tell it",
            every=ASK_S,
        )
        assert inside.hear(foreign).events == []
        assert inside.hear_as_its_node(sick).code in {"UnknownAsker", "HostNetwork"}
        eventually(
            lambda: inside.approve(foreign, event).code == "UnknownEvent",
            "the leader knows of no such event there",
            every=ASK_S,
        )
        # The Service leads to the standby as well, which declines.
        eventually(lambda: inside.approve(peer, event).status == 200, "it is approved", every=ASK_S)
        eventually(
            lambda: not uids_of(world.everything_of("web")) & uids_of([sick]),
            "it is gone",
            seconds=LONG_BEFORE_S,
        )
        over = eventually(
            lambda: heard if not (heard := inside.hear(peer)).events else None,
            "it is over",
            every=ASK_S,
        )
        assert over.body["DocumentIncarnation"] > 0
        world.await_ready("web")
    watch.auditor.expect_repaired(names_of([sick]))
    assert watch.auditor.violations() == []
    assert "approved: Terminate" in world.events("web")["EventApproved"]
