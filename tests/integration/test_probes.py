"""The probe object: edited, deleted, of another protocol, on another port, or without one."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually, throughout
from tests.integration.world import HEALTHY, TIMEOUT_S, VERDICT_S, template, uids_of, word
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.world import Json, World


def dead_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def with_ports(name: str, *ports: int) -> Json:
    made = template(name)
    made["spec"]["containers"][0]["ports"] = [{"containerPort": port} for port in ports]
    return made


def reasons(world: World, name: str) -> set[str]:
    return {word(pod, HEALTHY).reason for pod in world.pods(name)}


@alongside
def test_an_edited_probe_judges_by_its_new_rules_alone(world: World) -> None:
    """P-25, P-31, R-04, R-09: a wrong path and a dead port convict after a timeout of their own;
    with the old rules back the first success does."""
    world.scale_set("web", 4)
    world.await_ready("web")
    world.change("web-http", "HealthProbe", path="/nowhere")
    edited = time.monotonic()

    def all_unhealthy_in_time() -> bool:
        bad = world.status("web")["unhealthyReplicas"]
        assert not bad or time.monotonic() - edited >= TIMEOUT_S - 1, "convicted too early"
        return bool(bad == 4)

    eventually(all_unhealthy_in_time, "all are Unhealthy", seconds=VERDICT_S)
    assert reasons(world, "web") == {"WrongStatus"}
    world.change("web-http", "HealthProbe", path="/healthz")
    world.await_ready("web")
    world.change("web-http", "HealthProbe", port=dead_port())
    eventually(lambda: reasons(world, "web") == {"ConnectionRefused"}, "refused", seconds=VERDICT_S)
    world.change("web-http", "HealthProbe", port=world.port)
    world.await_ready("web")
    eventually(
        lambda: world.get("web-http", "HealthProbe")["status"]["resolvedPort"] == world.port,
        "the probe tells its port",
    )


@alongside
def test_a_probe_deleted_in_use_stops_repairs_and_convicts_nobody(world: World) -> None:
    """R-02, P-24, P-17: whatever the instances do meanwhile; with the probe back, all goes on."""
    world.scale_set("web", 5, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    before = uids_of(world.pods("web"))
    world.delete("HealthProbe", "web-http")
    world.await_word("web", "Accepted", "False", "ProbeNotFound")
    sick = world.pods("web")[:2]
    world.endpoints.tell(sick, "status:500")

    def nobody_is_convicted() -> None:
        pods = world.pods("web")
        assert uids_of(pods) == before
        assert {word(pod, HEALTHY).status for pod in pods} == {"True"}
        assert {word(pod, "Ready").status for pod in pods} == {"True"}

    throughout(TIMEOUT_S + 7, nobody_is_convicted)
    assert world.status("web")["unhealthyReplicas"] == 0
    assert world.word("web", "RepairsAllowed")[:2] == ("False", "ProbeNotFound")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.probe()
        eventually(lambda: not uids_of(world.pods("web")) & uids_of(sick), "both are replaced")
        world.await_ready("web")
    watch.auditor.expect_repaired(pod["metadata"]["name"] for pod in sick)
    assert watch.auditor.violations() == []


@alongside
def test_a_tcp_probe_asks_for_no_more_than_a_handshake(world: World) -> None:
    """P-15, P-02, P-22: an instance that hangs or answers 500 is Healthy by it, and Unhealthy by
    the http probe of another set; a dead port refuses."""
    world.probe("tcp", protocol="tcp", path=None)
    world.probe("tcp-dead", protocol="tcp", path=None, port=dead_port())
    world.scale_set("shakes", 3, healthProbeRef={"name": "tcp"})
    world.scale_set("asks", 3)
    world.scale_set("dead", 2, healthProbeRef={"name": "tcp-dead"})
    world.await_ready("shakes", "asks")
    for name in ("shakes", "asks"):
        first, second, _ = world.pods(name)
        world.endpoints.tell([first], "status:500")
        world.endpoints.tell([second], "hang")
    eventually(
        lambda: world.status("asks")["unhealthyReplicas"] == 2,
        "two by http",
        told=lambda: world.told("asks"),
    )
    eventually(lambda: reasons(world, "dead") == {"ConnectionRefused"}, "refused")
    assert reasons(world, "shakes") == {"Answering"}
    assert world.status("shakes")["healthyReplicas"] == 3


@alongside
def test_a_probe_without_a_port_takes_the_only_one_declared(world: World) -> None:
    """P-05, P-23: several or none are ambiguous, said in status, and nothing is asked of anyone;
    a port on the probe ends it."""
    world.probe("open", port=None)
    world.scale_set(
        "one", 2, healthProbeRef={"name": "open"}, template=with_ports("one", world.port)
    )
    world.await_ready("one")
    world.probe("torn", port=None)
    world.scale_set(
        "two",
        2,
        healthProbeRef={"name": "torn"},
        template=with_ports("two", world.port, world.port + 1),
    )
    word_ = world.await_word("two", "Accepted", "False", "AmbiguousPort")
    assert "torn" in word_.message
    world.await_word("torn", "Ready", "False", "AmbiguousPort", kind="HealthProbe")
    eventually(lambda: len(world.pods("two")) == 2, "instances are made all the same")
    world.change("torn", "HealthProbe", port=world.port)
    world.await_ready("two")
    world.await_word("torn", "Ready", "True", "Probing", kind="HealthProbe")


@alongside
def test_a_probe_that_no_set_names_asks_nothing_of_anyone(world: World) -> None:
    """P-23, P-22: one probe serves two sets and counts for both; an unused one says so."""
    world.probe("idle")
    world.await_word("idle", "Ready", "False", "NotInUse", kind="HealthProbe")
    world.scale_set("web", 2)
    world.scale_set("api", 3)
    world.await_ready("web", "api")
    status = world.await_status(
        "web-http",
        lambda s: s["healthyInstances"] == 5,
        "the probe counts both",
        kind="HealthProbe",
    )
    assert status["scaleSets"] == 2
