"""Instances on a real API server: made, named, balanced, scaled out and in, read by autoscalers."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import (
    HEALTHY,
    IN_ROTATION,
    PREFIX,
    domain,
    instance_id,
    names_of,
    template,
    uids_of,
    word,
)
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World

LAST_TO_GO: Final = {"Default": 6, "Newest": 6, "Oldest": 1}
"""Scale-in policy -> which of the well ones goes first."""
MORE_AND_LESS = 43, 30
"""From 40 out to, and then in to."""
AUTOSCALER: Final = {
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": "ScaleSet",
            "name": "web",
        },
        "minReplicas": 5,
        "maxReplicas": 10,
    },
}


def spread(pods: list[Json]) -> Counter[int]:
    return Counter(domain(pod) for pod in pods)


def assert_balanced(pods: list[Json], domains: int = 5) -> None:
    """To within one."""
    sizes = [spread(pods)[number] for number in range(domains)]
    assert max(sizes) - min(sizes) <= 1, sizes


def has(world: World, name: str, replicas: int) -> bool:
    status = world.status(name)
    return len(world.everything_of(name)) == replicas == status.get("replicas")


@alongside
def test_forty_instances_are_made_named_balanced_and_owned(world: World) -> None:
    """M-11, R-07: five update domains of eight; status and kubectl say that all is well."""
    world.scale_set("web", 40)
    waited = world.kubectl("wait", "sset/web", "--for=condition=Ready", "--timeout=60s")
    assert "condition met" in waited
    raw, pods = world.get("web"), world.pods("web")
    assert names_of(pods) == [f"web-{number}" for number in range(1, 41)]
    assert spread(pods) == dict.fromkeys(range(5), 8)
    for pod in pods:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert owner["uid"] == raw["metadata"]["uid"]
        assert owner["controller"]
        assert owner["blockOwnerDeletion"]
        assert pod["metadata"]["labels"][f"{PREFIX}name"] == "web"
        assert pod["metadata"]["labels"][f"{PREFIX}model"] == raw["status"]["latestModel"]
        assert pod["spec"]["readinessGates"] == [{"conditionType": IN_ROTATION}]
        assert word(pod, HEALTHY).status == word(pod, "Ready").status == "True"
    status = world.await_status("web", lambda s: s["healthyReplicas"] == 40, "all are counted")
    assert status["observedGeneration"] == raw["metadata"]["generation"]
    assert status["replicas"] == status["readyReplicas"] == status["updatedReplicas"] == 40
    assert status["unhealthyReplicas"] == status["unknownReplicas"] == 0
    assert status["lastInstanceId"] == 40
    assert status["creating"] == status["scaleIn"] == []
    listed = world.kubectl("get", "sset", "web").splitlines()
    assert listed[0].split()[0] == "NAME"
    assert listed[1].split()[0] == "web"
    assert "40" in listed[1]


@alongside
def test_scaling_out_and_in_keeps_the_balance_and_uses_no_name_twice(world: World) -> None:
    """M-11, R-49: `kubectl scale`; the newest of the fullest domain goes; protection is honoured
    and belongs to one instance alone."""
    more, less = MORE_AND_LESS
    world.scale_set("web", 40)
    world.await_ready("web")
    world.kubectl("scale", "sset/web", f"--replicas={more}")
    eventually(lambda: has(world, "web", more), "scaled out")
    pods = world.pods("web")
    assert names_of(pods)[-3:] == ["web-41", "web-42", "web-43"]
    assert_balanced(pods)
    kept = pods[-1]
    world.label(kept, __protect_from_scale_in="true")
    eventually(lambda: world.status("web")["protectedReplicas"] == 1, "protection is counted")
    world.kubectl("scale", "sset/web", f"--replicas={less}")
    eventually(lambda: has(world, "web", less), "scaled in", told=lambda: world.told("web"))
    staying = world.pods("web")
    assert_balanced(staying)
    # By domain the newest went, whoever is protected aside.
    for number in range(5):
        of_domain = [pod for pod in pods if domain(pod) == number and pod is not kept]
        left = [pod for pod in staying if domain(pod) == number]
        left = [pod for pod in left if pod["metadata"]["uid"] != kept["metadata"]["uid"]]
        assert names_of(left) == names_of(of_domain[: len(left)])
    assert kept["metadata"]["uid"] in uids_of(staying)
    world.kubectl("scale", "sset/web", f"--replicas={less + 2}")
    eventually(lambda: has(world, "web", less + 2), "scaled out again")
    newest = world.pods("web")[-2:]
    assert names_of(newest) == ["web-44", "web-45"]
    assert not [
        p for p in newest if p["metadata"]["labels"].keys() & {f"{PREFIX}protect-from-scale-in"}
    ]
    assert world.status("web")["lastInstanceId"] == 45


@alongside
def test_scale_in_takes_the_unhealthy_and_the_never_started_first(world: World) -> None:
    """R-10, R-48: in every policy; then the policy's own order."""
    for policy in LAST_TO_GO:
        world.scale_set(policy.lower(), 6, scaleInPolicy=policy)
    sets = [policy.lower() for policy in LAST_TO_GO]
    world.await_ready(*sets)
    world.endpoints.tell([world.pods(name)[2] for name in sets], "status:503")
    for name in sets:
        world.await_status(name, lambda s: s["unhealthyReplicas"] == 1, "one is sick")
        held = template(name, marks={"localcluster/never-ready": "true"})
        world.change(name, replicas=7, template=held, upgradePolicy={"mode": "Manual"})
    for name in sets:
        eventually(partial(has, world, name, 7), "one that never starts")
        world.kubectl("scale", f"sset/{name}", "--replicas=5")
    for policy, name in zip(LAST_TO_GO, sets, strict=True):
        eventually(partial(has, world, name, 5), "scaled in", told=partial(world.told, name))
        assert [instance_id(pod) for pod in world.pods(name)] == [1, 2, 4, 5, 6]
        world.kubectl("scale", f"sset/{name}", "--replicas=4")
        eventually(partial(has, world, name, 4), "scaled in", told=partial(world.told, name))
        assert LAST_TO_GO[policy] not in {instance_id(pod) for pod in world.pods(name)}


@alongside
def test_an_autoscaler_finds_what_it_scales_and_scales_it(world: World) -> None:
    """The scale subresource gives replicas and the selector of exactly the instances.

    Below its minimum the real autoscaler needs no metrics, which nobody serves here.
    """
    world.scale_set("web", 3)
    world.await_ready("web")
    scale = world.scale("web")
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert scale["spec"]["replicas"] == scale["status"]["replicas"] == 3
    chosen = world.api.items(
        path_of("Pod", world.namespace), labelSelector=scale["status"]["selector"]
    )
    assert uids_of(chosen) == uids_of(world.pods("web"))
    autoscalers = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
    world.api.create(autoscalers, AUTOSCALER)
    eventually(
        lambda: has(world, "web", 5), "scaled by the autoscaler", told=partial(world.told, "web")
    )
    world.await_ready("web")
    assert world.scale("web")["status"]["replicas"] == 5
    managers = {
        entry["manager"]
        for entry in world.get("web")["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }
    assert "scaleset-operator" not in managers


@alongside
def test_an_instance_that_ends_by_itself_is_made_up_for(world: World) -> None:
    """R-19, R-22: a pod that is over is no instance; it costs no repair and no second successor."""
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    over = world.pods("web")[0]
    path = path_of("Pod", world.namespace, over["metadata"]["name"], "status")
    world.api.merge(path, {"status": {"phase": "Failed", "reason": "Evicted"}})
    eventually(lambda: names_of(world.everything_of("web"))[-1:] == ["web-5"], "made up for")
    world.await_ready("web")
    assert [instance_id(pod) for pod in world.everything_of("web")] == [2, 3, 4, 5]
    assert domain(world.pods("web")[-1]) == domain(over)
    assert world.status("web")["repairs"]["history"] == []
