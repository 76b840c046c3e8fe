"""Restart and Reimage on real pods: what stays, what is new, and where it cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from localcluster import images
from tests.integration.alongside import alongside
from tests.integration.sets import PREFIX, names_of
from tests.integration.waiting import eventually
from tests.kind.images import ELSEWHERE, SECOND
from tests.kind.pods import container, volume
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

CURED_S: Final = 90.0


def identity(pod: Json) -> tuple[Any, ...]:
    """What a repair in place keeps."""
    return pod["metadata"]["uid"], pod["spec"]["nodeName"], pod["status"]["podIP"]


def root(pod: Json) -> str:
    """Where the root file system of the pod's container is on its node."""
    number = container(pod)["containerID"].rpartition("/")[2]
    return f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{number}/rootfs"


def mark(world: KindWorld, pod: Json) -> None:
    """Leave a file in the pod's volume and one in its container's root."""
    for folder in (volume(pod), root(pod)):
        world.room.on_node(pod, "touch", f"{folder}/mark")


def assert_renewed(world: KindWorld, before: Json, after: Json) -> None:
    assert identity(after) == identity(before)
    assert container(after)["containerID"] != container(before)["containerID"]
    assert container(after)["restartCount"] == 1
    assert "mark" in world.room.on_node(after, "ls", volume(after)).split()
    assert "mark" not in world.room.on_node(after, "ls", root(after)).split()


@alongside
def test_a_restart_keeps_the_pod_and_its_volume_and_renews_its_root(world: KindWorld) -> None:
    """R-24, R-56, rule 10."""
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S", "repairAction": "Restart"})
    world.await_ready("web")
    ill = world.pods("web")[1]
    mark(world, ill)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.tell(ill, status=500)
        after = renewed(world, ill)
    assert container(after)["image"].endswith("library/instance:dev")
    assert_renewed(world, ill, after)
    assert watch.auditor.violations() == []
    assert (watch.auditor.renewed(), watch.auditor.repaired()) == (names_of([ill]), [])


@alongside
def test_a_reimage_brings_the_latest_image_into_the_same_pod(world: KindWorld) -> None:
    """R-55, R-56, rule 10."""
    repairs = {"gracePeriod": "PT0S", "repairAction": "Reimage"}
    world.scale_set("web", 3, repairs=repairs, upgradePolicy={"mode": "Manual"})
    world.await_ready("web")
    ill = world.pods("web")[1]
    mark(world, ill)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=world.template("web", image=SECOND))
        world.tell(ill, status=500)
        after = renewed(world, ill)
    assert images.full_name(after["spec"]["containers"][0]["image"]) == images.full_name(SECOND)
    model = after["metadata"]["labels"][f"{PREFIX}model"]
    assert model == world.status("web")["latestModel"]
    assert_renewed(world, ill, after)
    assert watch.auditor.violations() == []


@alongside
def test_a_restart_without_a_second_spelling_is_refused_with_its_reason(world: KindWorld) -> None:
    """R-56, X-11: the node knows no digest of that registry's; the instance is left alone."""
    world.scale_set(
        "web",
        3,
        template=world.template("web", image=ELSEWHERE),
        repairs={"gracePeriod": "PT0S", "repairAction": "Restart"},
    )
    world.await_ready("web")
    ill = world.pods("web")[1]
    world.tell(ill, status=500)
    row = world.await_reason("web", ill, "NoEquivalentImage", seconds=CURED_S)
    assert row["repairDecision"] == "Deferred"
    after = world.get(ill["metadata"]["name"], "Pod")
    assert identity(after) == identity(ill)
    assert container(after)["restartCount"] == 0


def renewed(world: KindWorld, pod: Json) -> Json:
    """Wait until the repair of this pod is closed as a success, and give the pod."""
    name = pod["metadata"]["name"]

    def closed() -> bool:
        repairs = world.status("web")["repairs"]
        done = repairs["history"][:1]
        return bool(done) and (done[0]["instance"], done[0]["result"]) == (name, "Succeeded")

    eventually(closed, f"{name} is cured", seconds=CURED_S, told=lambda: world.told("web"))
    return world.api.get(path_of("Pod", world.namespace, name))
