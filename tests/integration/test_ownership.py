"""Whose pods they are: adoption, release, pods of others, the end of a set, overlapping sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import controller, names_of, template, uids_of
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World


def plain_pod(name: str, app: str) -> Json:
    """A pod that some person made."""
    return {
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "web", "image": "other:1"}]},
    }


@alongside
def test_instances_left_by_an_orphaning_delete_are_taken_in_again(world: World) -> None:
    """R-50: the same pods under a new set of the same name; none is made, none is lost."""
    world.scale_set("web", 5, repairs={"gracePeriod": "PT5S"})
    world.await_ready("web")
    before = uids_of(world.pods("web"))
    world.kubectl("delete", "sset/web", "--cascade=orphan")
    pods = path_of("Pod", world.namespace)
    assert uids_of(world.api.items(pods)) == before
    eventually(
        lambda: not any(controller(pod) for pod in world.api.items(pods)), "they are nobody's"
    )
    world.scale_set("web", 5, repairs={"gracePeriod": "PT5S"})
    world.await_ready("web")
    assert uids_of(world.pods("web")) == before
    assert uids_of(world.api.items(pods)) == before
    world.kubectl("scale", "sset/web", "--replicas=6")
    eventually(lambda: "web-6" in names_of(world.pods("web")), "the numbers go on")


@alongside
def test_an_instance_whose_labels_no_longer_match_is_released_and_made_up_for(
    world: World,
) -> None:
    """As a ReplicaSet does it: the pod lives on for whoever took it aside to look at it."""
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    aside = world.pods("web")[1]
    world.label(aside, app="set-aside")
    eventually(
        lambda: names_of(world.pods("web")) == ["web-1", "web-3", "web-4"], "another in its place"
    )
    world.await_ready("web")
    pod = world.get("web-2", "Pod")
    assert pod["metadata"]["uid"] == aside["metadata"]["uid"]
    assert not pod["metadata"].get("ownerReferences")
    assert not pod["metadata"].get("deletionTimestamp")
    assert world.status("web")["replicas"] == 3


@alongside
def test_pods_of_others_that_match_the_selector_are_told_and_left_alone(world: World) -> None:
    """X-11: reason ForeignPods, with the name."""
    stranger = world.api.create(path_of("Pod", world.namespace), plain_pod("stranger", "web"))
    world.scale_set("web", 2)
    world.await_ready("web")
    word = world.await_word("web", "Accepted", "True", "ForeignPods")
    assert "stranger" in word.message
    after = world.get("stranger", "Pod")
    assert after["metadata"]["uid"] == stranger["metadata"]["uid"]
    assert not after["metadata"].get("ownerReferences")
    assert len(world.pods("web")) == 2
    assert world.status("web")["replicas"] == 2


@alongside
def test_deleting_a_set_takes_its_instances_with_it_and_no_others(world: World) -> None:
    """R-50: protected ones too; nothing is made in their place."""
    world.api.create(path_of("Pod", world.namespace), plain_pod("stranger", "db"))
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    world.label(world.pods("web")[0], __protect_from_scale_set_actions="true")
    world.kubectl("delete", "sset/web", "--timeout=30s")
    pods = path_of("Pod", world.namespace)
    eventually(
        lambda: names_of(world.api.items(pods)) == ["stranger"],
        "only the other pod is there",
        seconds=90,  # The garbage collector hears of new kinds twice a minute.
        told=lambda: names_of(world.api.items(pods)),
    )


@alongside
def test_of_two_sets_that_overlap_the_younger_is_refused(world: World) -> None:
    """X-11: Accepted=False/SelectorOverlap names the elder, which goes on as if alone."""
    world.scale_set("elder", 3, template=template("web"), selector={"matchLabels": {"app": "web"}})
    world.await_ready("elder")
    before = uids_of(world.pods("elder"))
    both = {"metadata": {"labels": {"app": "web", "tier": "b"}}, "spec": template("web")["spec"]}
    world.scale_set("younger", 3, template=both, selector={"matchLabels": {"tier": "b"}})
    word = world.await_word("younger", "Accepted", "False", "SelectorOverlap")
    assert "elder" in word.message
    assert world.word("younger", "Ready").status == "False"
    world.kubectl("scale", "sset/elder", "--replicas=4")
    eventually(lambda: len(world.pods("elder")) == 4, "the elder goes on")
    world.await_ready("elder")
    assert before < uids_of(world.pods("elder"))
    assert world.everything_of("younger") == []
    world.delete("ScaleSet", "elder")
    eventually(lambda: len(world.pods("younger")) == 3, "its turn has come", seconds=60)
