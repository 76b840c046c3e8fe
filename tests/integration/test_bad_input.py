"""Sets that are wrong in every way there is, side by side, and one among them that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.waiting import eventually
from tests.integration.world import (
    HEALTHY,
    VERDICT_S,
    names_of,
    new_world,
    template,
    uids_of,
    word,
)
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import Json, World

WAITING: Final = {"gracePeriod": "PT1H"}
"""Repairs are on, so that the reasons count, and nothing is replaced while it is looked at."""


def ref(name: str) -> Json:
    return {"healthProbeRef": {"name": name}}


SETS: Final[dict[str, dict[str, Any]]] = {
    "no-probe": {"healthProbeRef": None},
    "unknown-probe": {"repairs": WAITING, **ref("nobody")},
    "deleted-probe": {"repairs": WAITING, **ref("short-lived")},
    "overlapping": {
        "repairs": WAITING,
        "template": {
            "metadata": {"labels": {"app": "bystander", "also": "mine"}},
            "spec": template("any")["spec"],
        },
        "selector": {"matchLabels": {"also": "mine"}},
    },
    "no-containers": {
        "repairs": WAITING,
        "template": {"metadata": {"labels": {"app": "no-containers"}}, "spec": {"containers": []}},
    },
    "dead-port": {"repairs": WAITING, **ref("dead-port")},
    "hanging": {"repairs": WAITING},
    "ten-megabytes": {"repairs": WAITING},
    "binary": {"repairs": WAITING},
    "looping": {"repairs": WAITING},
}
SCRIPTS: Final = {
    "hanging": "hang",
    "ten-megabytes": "body:10485760",
    "binary": "binary",
    "looping": "loop",
}
"""What one of the three instances does; the others are well."""

OF_THE_SET: Final = {
    "no-probe": ("InstancesHealthy", "Unknown", "NoProbe"),
    "unknown-probe": ("Accepted", "False", "ProbeNotFound"),
    "deleted-probe": ("Accepted", "False", "ProbeNotFound"),
    "overlapping": ("Accepted", "False", "SelectorOverlap"),
    "no-containers": ("Accepted", "False", "InvalidTemplate"),
}
OF_THE_INSTANCE: Final = {
    "dead-port": ("False", "ConnectionRefused"),
    "hanging": ("False", "ProbeTimedOut"),
    "ten-megabytes": ("True", "Answering"),
    "binary": ("False", "MalformedAnswer"),
    "looping": ("False", "WrongStatus"),
}


class Street:
    """All of them in one namespace, with the bystander that is well.

    Attributes:
        before: instances of the bystander, as they were before any of the others came.
        first: of each other set that has instances, the first.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        world.probe("short-lived")
        world.probe("dead-port", port=1)
        world.scale_set("bystander", 5, repairs={"gracePeriod": "PT0S"})
        world.await_ready("bystander")
        self.before = world.pods("bystander")
        for name, fields in SETS.items():
            world.scale_set(name, 3, **fields)
        world.await_ready("no-probe", "deleted-probe", *SCRIPTS)
        eventually(lambda: len(world.pods("dead-port")) == 3, "a dead port stops no create")
        world.delete("HealthProbe", "short-lived")
        self.first = {name: world.pods(name)[0] for name in OF_THE_INSTANCE}
        for name, script in SCRIPTS.items():
            world.endpoints.tell([self.first[name]], script)


@pytest.fixture(scope="module")
def street(operator: OperatorProcess) -> Iterator[Street]:
    with new_world(operator.cluster, "street") as world:
        yield Street(world)


@pytest.mark.parametrize("name", OF_THE_SET)
def test_a_set_that_is_wrong_says_so_in_its_condition(street: Street, name: str) -> None:
    """R-02, R-10, X-11: one reason each; what can be made is made, and nothing turns Unhealthy."""
    condition, status, reason = OF_THE_SET[name]
    told = street.world.await_word(name, condition, status, reason)
    assert told.message
    counted = street.world.status(name)
    assert counted["unhealthyReplicas"] == 0
    made = 0 if name in {"overlapping", "no-containers"} else 3
    assert counted["replicas"] == len(street.world.pods(name)) == made


@pytest.mark.parametrize("name", OF_THE_INSTANCE)
def test_an_endpoint_that_is_wrong_gives_its_instance_a_reason(street: Street, name: str) -> None:
    """R-03, R-04, P-11, P-14, P-27: refused, silent, nonsense, a loop; ten megabytes are fine."""
    expected = OF_THE_INSTANCE[name]
    others = "False" if name == "dead-port" else "True"
    pod = street.first[name]["metadata"]["name"]

    def says() -> bool:
        found = [word(one, HEALTHY) for one in street.world.pods(name)]
        return found[0][:2] == expected and {one.status for one in found[1:]} == {others}

    eventually(says, f"{pod}: {expected}", seconds=VERDICT_S, told=lambda: street.world.told(name))


def test_the_bystander_goes_on_undisturbed(street: Street) -> None:
    """R-20, P-27: it is Ready with the instances it had; one that breaks is repaired in time,
    among all these."""
    world = street.world
    assert world.word("bystander", "Accepted").status == "True"
    assert uids_of(world.pods("bystander")) == uids_of(street.before)
    sick = street.before[2]
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell([sick], "status:500")
        eventually(
            lambda: sick["metadata"]["uid"] not in uids_of(world.pods("bystander")),
            "it is repaired",
            seconds=VERDICT_S,
        )
        world.await_ready("bystander")
    watch.auditor.expect_repaired(names_of([sick]))
    assert watch.auditor.violations() == []
