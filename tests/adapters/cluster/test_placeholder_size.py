"""A place as large as its instance, and as far from the others: it promises nothing else (M-26)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from scaleset_operator.adapters.cluster.placeholders import placeholder
from scaleset_operator.core.maintenance_acts import HoldPlace
from scaleset_operator.reconciler.ports import Key, Owner

PAUSE: Final = "pause:1"
OWNER: Final = Owner(
    key=Key("shop", "web"), uid="uid-web", resource_version="7", match_labels={"app": "web"}
)
HOLD: Final = HoldPlace(
    name="web-7-place",
    instance="web-7",
    model="m1",
    node_labels=(("maintenance/updated", "yes"),),
)


def container(name: str = "web", cpu: str = "100m", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "web:1", "resources": {"requests": {"cpu": cpu}}, **more}


def spec_for(*, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """The spec of the placeholder for such a template."""
    template = {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [container()], **spec},
    }
    made: dict[str, Any] = placeholder(replace(OWNER, template=template), HOLD, PAUSE)["spec"]
    return made


def apart(**term: Any) -> dict[str, Any]:
    """An affinity with one required term that keeps pods apart on nodes."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    one = {"topologyKey": "kubernetes.io/hostname", **term}
    return {"podAntiAffinity": {required: [one]}}


def terms_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    return found


def test_an_init_container_that_needs_most_counts() -> None:
    """M-26: the scheduler goes by the larger of them; a place without it would be too small."""
    made = spec_for(initContainers=[container("migrate", cpu="4")])
    (first,) = made["initContainers"]
    assert first["resources"] == {"requests": {"cpu": "4"}}
    assert first["image"] == PAUSE
    assert "command" not in first


def test_a_sidecar_counts_as_one() -> None:
    """M-26."""
    made = spec_for(initContainers=[container("proxy", restartPolicy="Always")])
    assert made["initContainers"][0]["restartPolicy"] == "Always"


def test_ports_of_the_node_are_held_too() -> None:
    """M-26: where one is taken, the instance could not come."""
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 9090}]
    made = spec_for(containers=[container(ports=ports)])
    assert made["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 8080}]


def test_on_the_network_of_the_node_every_port_is_one_of_it() -> None:
    """M-26: the API server would fill in the instance's; the place has no such network."""
    made = spec_for(hostNetwork=True, containers=[container(ports=[{"containerPort": 80}])])
    assert made["containers"][0]["ports"] == [{"hostPort": 80, "containerPort": 80}]
    assert "hostNetwork" not in made


@pytest.mark.parametrize("field", ["preemptionPolicy", "priorityClassName", "resourceClaims"])
def test_what_else_decides_over_the_node_is_kept(field: str) -> None:
    """M-26."""
    more: dict[str, Any] = {field: "as it is"}
    assert spec_for(**more)[field] == "as it is"


def test_places_of_instances_that_keep_apart_keep_apart() -> None:
    """M-26: two places on one node would be one place."""
    term = {"labelSelector": {"matchLabels": {"app": "web"}}}
    own, other = terms_of(spec_for(affinity=apart(**term)))
    assert own == {"topologyKey": "kubernetes.io/hostname", **term}
    assert other == {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"scaleset.dev/place-of": "web"}},
    }


@pytest.mark.parametrize(
    "term",
    [
        {"labelSelector": {"matchLabels": {"app": "database"}}},
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
        {"labelSelector": {"matchLabels": {"app": "web"}}, "namespaces": ["elsewhere"]},
        {},
    ],
    ids=["others", "unlabelled", "elsewhere", "nobody"],
)
def test_whoever_keeps_apart_from_others_only_may_share_a_node(term: dict[str, Any]) -> None:
    """M-26: asked for more than is needed, no node might be found."""
    assert len(terms_of(spec_for(affinity=apart(**term)))) == 1


def test_the_template_is_left_as_it_is() -> None:
    affinity = apart(labelSelector={"matchLabels": {"app": "web"}})
    spec_for(affinity=affinity)
    assert affinity == apart(labelSelector={"matchLabels": {"app": "web"}})


def test_the_set_and_the_instance_stand_on_it_and_none_of_the_sets_labels() -> None:
    """M-26: no Service, budget or set counts it."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}}
    made = placeholder(replace(OWNER, template=template), HOLD, PAUSE)
    assert made["metadata"]["labels"] == {
        "scaleset.dev/place-for": "web-7",
        "scaleset.dev/place-of": "web",
    }
