"""Scheduled events on a real API server: an instance is told, asks, approves, and goes early.

The instances' addresses are loopback's, so the test speaks for each of them from its own. An
auditor that knows nothing of the operator's code holds it to each deadline and approval.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.operator_fixture import OperatorProcess, free_port
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, VERDICT_S, World, moment, names_of, new_world, uids_of
from tests.support.auditor_watch import AuditorWatch
from tests.support.event_asker import Heard, approve, ask
from tests.support.kube_api import path_of
from tests.support.scraping import Scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster
    from tests.integration.world import Json

NOTICE: Final = {"enable": True, "notBeforeTimeout": "PT10M"}
REPAIRS: Final = {"gracePeriod": "PT0S"}
APPROVED: Final = f"{PREFIX}approve-termination"
DEADLINE: Final = f"{PREFIX}terminate-at"
ASK_S: Final = 1.0
"""As often as the bounds let one instance ask for long."""
LONG: Final = timedelta(minutes=8)
"""Whoever goes so long before its deadline went because of the approval."""


class Instances:
    """The instances of a world, asking an operator."""

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.port = port

    def hear(self, pod: Json) -> Heard:
        """What this one is told."""
        return ask(self.port, pod["status"]["podIP"])

    def await_event(self, pod: Json) -> dict[str, Any]:
        """Wait until this one is told of exactly one event, and give it."""

        def look() -> dict[str, Any]:
            (found,) = self.hear(pod).events or [{}]
            return found

        return eventually(look, "it is told", seconds=VERDICT_S, every=ASK_S)

    def await_nothing(self, pod: Json) -> Heard:
        """Wait until this one is told of no event."""
        return eventually(
            lambda: heard if not (heard := self.hear(pod)).events else None,
            "all is over",
            every=ASK_S,
        )

    def approve(self, pod: Json, *ids: str) -> Heard:
        """Have this one approve."""
        return approve(self.port, pod["status"]["podIP"], *ids)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the module's operator is asked."""
    return free_port()


@pytest.fixture(scope="module")
def operator(
    kinds: LocalCluster, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """As the fixture of that name elsewhere, with the port open."""
    folder = tmp_path_factory.mktemp("operator")
    with OperatorProcess(kinds, folder, "--events-port", str(port)) as process:
        yield process
        assert process.stop() == 0, process.last_words()
        assert not (faults := process.faults()), faults[0]


@pytest.fixture
def instances(operator: OperatorProcess, port: int) -> Iterator[Instances]:
    """Two sets, `web` and `other`, which are well."""
    with new_world(operator.cluster, "events") as world:
        for name in ("web", "other"):
            world.scale_set(name, 3, repairs=REPAIRS, terminateNotificationProfile=NOTICE)
        world.await_ready("web", "other")
        yield Instances(world, port)


def due(pod: Json) -> datetime:
    return moment(pod["metadata"]["annotations"][DEADLINE])


def test_an_instance_is_told_and_goes_when_one_of_its_set_approves(
    instances: Instances, operator: OperatorProcess
) -> None:
    """M-19, V-30, R-51, R-54: and an instance of another set sees nothing and ends nothing."""
    world = instances.world
    sick, peer, _ = world.pods("web")
    foreign = world.pods("other")[0]
    before = instances.hear(sick)
    assert before.events == []
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell([sick], "status:500")
        event = instances.await_event(sick)
        victim = world.get(sick["metadata"]["name"], "Pod")
        assert event["EventType"] == "Terminate"
        assert event["EventStatus"] == "Scheduled"
        assert event["Resources"] == names_of([victim])
        assert parsedate_to_datetime(event["NotBefore"]) == due(victim)
        assert "500" in event["Description"]
        told = instances.hear(peer)
        assert told.events == [event]
        assert told.number > before.number
        assert instances.hear(foreign).events == []
        assert instances.approve(foreign, event["EventId"]).code == "UnknownEvent"
        assert ask(instances.port, "127.0.0.1").code == "UnknownAsker"
        assert approve(instances.port, "127.0.0.1", event["EventId"]).code == "UnknownAsker"
        assert APPROVED not in world.get(sick["metadata"]["name"], "Pod")["metadata"]["annotations"]
        assert instances.approve(peer, event["EventId"]).status == 200
        eventually(lambda: is_gone(world, sick), "it is gone")
        assert due(victim) - datetime.now(UTC) > LONG
        over = instances.await_nothing(peer)
        assert over.number > told.number
        world.await_ready("web")
    watch.auditor.expect_repaired(names_of([sick]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    name = victim["metadata"]["name"]
    approved = world.events("web")["EventApproved"]
    assert approved.startswith(f"{peer['metadata']['name']} approved: Terminate of {name}, due at")
    line = f"{world.namespace}/web: {peer['metadata']['name']} at {peer['status']['podIP']}"
    assert f"{line} approved event {event['EventId']}" in operator.log.read_text(encoding="utf-8")
    check_counted(operator)


def check_counted(operator: OperatorProcess) -> None:
    figures = Scrape(operator.page("/metrics")[1])
    name = "scaleset_scheduled_event_requests_total"
    counted = {o: figures.value(name, outcome=o) for o in ("approved", "unknown_event", "failed")}
    # Others of this module ask the same operator, before or after.
    assert counted["approved"]
    assert counted["unknown_event"]
    assert not counted["failed"]
    assert (figures.value(name, outcome="unknown_asker") or 0) >= 2


def is_gone(world: World, pod: Json) -> bool:
    return pod["metadata"]["uid"] not in uids_of(world.everything_of("web"))


def test_the_number_outlives_the_operator_and_an_address_that_moved_approves_nothing(
    instances: Instances, operator: OperatorProcess
) -> None:
    """V-30, R-54: kill -9 in the middle; then another pod claims the address of the sick."""
    world = instances.world
    sick, peer, _ = world.pods("web")
    world.endpoints.tell([sick], "status:500")
    event = instances.await_event(sick)
    told = instances.hear(peer)
    operator.kill()
    with pytest.raises(OSError, match="refused"):
        instances.hear(peer)
    operator.start()
    operator.await_ready()
    assert instances.hear(peer).body == told.body, "word for word"
    stranger = claim(world, sick["status"]["podIP"])
    assert instances.approve(sick, event["EventId"]).code == "AddressMoved"
    marks = world.get(sick["metadata"]["name"], "Pod")["metadata"]["annotations"]
    assert APPROVED not in marks
    world.delete("Pod", stranger)
    eventually(
        lambda: instances.approve(sick, event["EventId"]).status == 200,
        "the address is its own",
        every=ASK_S,
    )
    assert instances.await_nothing(peer).number > told.number


def claim(world: World, address: str) -> str:
    """A pod of no set, on no node, at this address; gives its name."""
    body = {
        "metadata": {"name": "stranger"},
        "spec": {
            "schedulerName": "nobody",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "x", "image": "x"}],
        },
    }
    world.api.create(path_of("Pod", world.namespace), body)
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    world.kubectl(
        *("patch", "pod", "stranger", "--subresource=status", "--type=merge"),
        *("--patch", json.dumps({"status": status})),
    )
    return "stranger"
