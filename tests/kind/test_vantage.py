"""Two replicas see from two places: what the standby hears is not repaired, real pods and paths."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.sets import HEALTHY, names_of, uids_of, word
from tests.integration.test_plugin_acts import Person
from tests.integration.waiting import eventually, throughout
from tests.kind.cuts import cut_off
from tests.kind.fleet import await_replaced
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

SIZE: Final = 4
LONG: Final = {"gracePeriod": "PT1H"}
KNOWN_S: Final = 90.0
HELD_S: Final = 25.0
"""More than a full timeout and two intervals: nothing but the vote is in the way by then."""
VETO: Final = "silent to this prober; another one has heard it"

pytestmark = pytest.mark.timeout(420)


def test_what_the_standby_hears_is_not_repaired_and_what_nobody_hears_is(
    world: KindWorld, deployment: Deployment, cluster: KindCluster
) -> None:
    """Rule 15, X-05: the leader's way to one instance is cut, which hangs, is cured, and hangs.

    While the standby hears it, it is left alone though its grace is over, and it is said why.
    """
    world.scale_set("web", SIZE, repairs=LONG)
    world.await_ready("web")
    silent = world.pods("web")[1]
    name, leader = silent["metadata"]["name"], deployment.leading()
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        cut_off(deployment, [leader], silent),
    ):
        world.tell(silent, hang=True)
        world.await_reason("web", silent, "InGracePeriod", seconds=KNOWN_S)
        world.tell(silent)
        world.await_reason("web", silent, "ProbeInconclusive", seconds=KNOWN_S)
        eventually(partial(takes_back, world, name), "the verdict is taken back", seconds=KNOWN_S)
        said = Person(world.namespace, cluster.kubeconfig).data("why", name)
        assert (said["decision"], said["reason"]) == ("Deferred", "ProbeInconclusive")
        assert said["cause"]["message"] == VETO
        world.change("web", automaticRepairsPolicy={"gracePeriod": "PT0S"})
        throughout(HELD_S, partial(assert_left_alone, world, silent))
        world.tell(silent, hang=True)
        await_replaced(world, silent)
        assert deployment.leading()["metadata"]["uid"] == leader["metadata"]["uid"]
    watch.auditor.expect_repaired(names_of([silent]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


def takes_back(world: KindWorld, name: str) -> bool:
    """Whether it stands on the pod that nothing is known of it, and why."""
    found = word(world.get(name, "Pod"), HEALTHY)
    return found == ("Unknown", "ProbeInconclusive", VETO)


def assert_left_alone(world: KindWorld, pod: Json) -> None:
    assert pod["metadata"]["uid"] in uids_of(world.pods("web"))
    assert not world.status("web")["repairs"].get("inFlight")
