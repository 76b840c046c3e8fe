"""Readiness gates and a real Service: who gets traffic, and when an instance gets it no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.sets import PREFIX, moment, names_of, uids_of
from tests.integration.waiting import eventually, throughout
from tests.kind.pods import PORT
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

SIZE: Final = 4
OUT_S: Final = 60.0


def served(world: KindWorld, name: str) -> set[str]:
    """The addresses that a Service sends new connections to."""
    said = world.room.kubectl(
        "get", "endpointslices", "-l", f"kubernetes.io/service-name={name}", "-o", "json"
    )
    return {
        address
        for row in json.loads(said)["items"]
        for endpoint in row.get("endpoints") or ()
        if endpoint["conditions"].get("ready")
        for address in endpoint["addresses"]
    }


def expose(world: KindWorld, name: str) -> None:
    """Make a Service of the set's name before it."""
    world.room.kubectl("create", "service", "clusterip", name, f"--tcp=80:{PORT}")


def address(pod: Json) -> str:
    found: str = pod["status"]["podIP"]
    return found


@alongside
def test_an_instance_that_fails_its_probe_leaves_the_service_and_comes_back(
    world: KindWorld,
) -> None:
    """P-16, P-17: nobody is replaced, the others go on."""
    expose(world, "web")
    world.scale_set("web", SIZE)
    world.await_ready("web")
    pods = world.pods("web")
    everybody = {address(pod) for pod in pods}
    eventually(lambda: served(world, "web") == everybody, "all are served", seconds=OUT_S)
    ill = pods[1]
    world.tell(ill, status=503)
    others = everybody - {address(ill)}
    eventually(lambda: served(world, "web") == others, "it is out", seconds=OUT_S)
    world.tell(ill)
    eventually(lambda: served(world, "web") == everybody, "it is back", seconds=OUT_S)
    assert uids_of(world.pods("web")) == uids_of(pods)


@alongside
def test_an_instance_is_told_before_it_goes_and_serves_nobody_meanwhile(world: KindWorld) -> None:
    """R-51, R-52, R-53, P-20, rule 8: out of rotation at once, its replacement without waiting,
    deleted at the deadline, and its preStop hook runs while nobody sends it anything."""
    expose(world, "web")
    template = world.template("web", lifecycle={"preStop": {"sleep": {"seconds": 3}}})
    template["spec"]["terminationGracePeriodSeconds"] = 10
    world.scale_set(
        "web",
        SIZE,
        template=template,
        repairs={"gracePeriod": "PT0S"},
        terminateNotificationProfile={"enable": True, "notBeforeTimeout": "PT15S"},
    )
    world.await_ready("web")
    ill = world.pods("web")[0]
    path = path_of("Pod", world.namespace, ill["metadata"]["name"])
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.tell(ill, status=500)

        def told() -> str:
            return str(
                world.api.get(path)["metadata"]["annotations"].get(f"{PREFIX}terminate-at", "")
            )

        deadline = moment(eventually(told, "it was told", seconds=OUT_S))
        eventually(lambda: address(ill) not in served(world, "web"), "it serves nobody")
        eventually(lambda: len(world.pods("web")) == SIZE + 1, "its replacement is there already")
        going = eventually(
            lambda: (world.api.find(path) or {"metadata": {}})["metadata"].get("deletionTimestamp"),
            "it is deleted",
            told=lambda: world.told("web"),
        )
        # The time in the pod is when its last second ends.
        assert moment(going).timestamp() - 10 >= deadline.timestamp() - 1

        def still_there() -> None:
            assert world.api.find(path) is not None
            assert address(ill) not in served(world, "web")

        throughout(1.0, still_there)  # The hook takes three seconds.
        eventually(lambda: world.api.find(path) is None, "it is gone")
        world.await_ready("web")
    assert watch.auditor.violations() == []
    watch.auditor.expect_repaired(names_of([ill]))
