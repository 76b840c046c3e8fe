"""The custom resources as last heard: which version stands, and what cannot be read."""

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.healthprobe import HealthProbeStatus
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import Resources
from tests.reconciler.bodies import probe_body, scale_set_body

WEB = Key("default", "web")
HTTP = Key("default", "web-http")
HOUR = timedelta(hours=1)


def replicas_of(resources: Resources, key: Key = WEB) -> int:
    known = resources.scale_set(key)
    assert known is not None
    return known.resource.spec.replicas


def path_of(resources: Resources) -> str | None:
    probe = resources.probe(HTTP)
    assert probe is not None
    return probe.spec.path


@pytest.mark.parametrize(
    ("versions", "stands"),
    [([5, 6], 6), ([6, 5], 6), ([9, 10], 10), ([10, 9], 10)],
    ids=["in order", "late", "one more digit", "late, one digit less"],
)
def test_a_newer_version_never_gives_way_to_an_older_one(versions: list[int], stands: int) -> None:
    """X-07."""
    resources = Resources()
    for version in versions:
        resources.put_scale_set(scale_set_body(version=version, replicas=version))
        resources.put_probe(probe_body(version=version, path=f"/{version}"))
    assert replicas_of(resources) == stands
    assert path_of(resources) == f"/{stands}"


def test_a_resource_that_was_made_anew_replaces_the_one_before_it() -> None:
    resources = Resources()
    resources.put_scale_set(scale_set_body(version=50, replicas=5, uid="old"))
    resources.put_scale_set(scale_set_body(version=7, replicas=7, uid="new"))
    resources.put_probe(probe_body(version=50, path="/old", uid="old"))
    resources.put_probe(probe_body(version=7, path="/new", uid="new"))
    assert replicas_of(resources) == 7
    assert path_of(resources) == "/new"


def test_our_own_write_stands_until_the_watch_shows_something_newer() -> None:
    resources = Resources()
    resources.put_scale_set(scale_set_body(version=5))
    resources.put_status(WEB, ScaleSetStatus(last_instance_id=9), "8")
    resources.put_scale_set(scale_set_body(version=6, replicas=6))
    known = resources.scale_set(WEB)
    assert known is not None
    assert known.owner.resource_version == "8"
    assert known.resource.status.last_instance_id == 9
    resources.put_scale_set(scale_set_body(version=9, replicas=9))
    assert replicas_of(resources) == 9


def test_what_was_heard_while_our_write_was_answered_is_not_undone_by_it() -> None:
    """X-07: else every later write would carry a version that is gone."""
    resources = Resources()
    resources.put_scale_set(scale_set_body(version=5))
    resources.put_scale_set(scale_set_body(version=9, replicas=9))
    resources.put_status(WEB, ScaleSetStatus(last_instance_id=3), "8")
    known = resources.scale_set(WEB)
    assert known is not None
    assert known.owner.resource_version == "9"
    assert known.resource.status.last_instance_id == 0


def test_a_status_written_to_what_is_gone_brings_nothing_back() -> None:
    resources = Resources()
    resources.put_status(WEB, ScaleSetStatus(), "8")
    resources.put_probe_status(HTTP, HealthProbeStatus(scale_sets=1))
    assert resources.keys() == resources.probe_keys() == ()


def test_a_probes_written_status_is_kept() -> None:
    resources = Resources()
    resources.put_probe(probe_body())
    resources.put_probe_status(HTTP, HealthProbeStatus(scale_sets=2))
    probe = resources.probe(HTTP)
    assert probe is not None
    assert probe.status.scale_sets == 2


def broken(body: dict[str, Any]) -> dict[str, Any]:
    spec = {**body["spec"], "replicas": "many", "protocol": "smoke signals"}
    return {**body, "spec": spec}


def test_what_cannot_be_read_is_named_and_stops_nobody_else() -> None:
    resources = Resources()
    assert resources.put_scale_set(broken(scale_set_body())) == WEB
    assert resources.put_probe(broken(probe_body())) == HTTP
    resources.put_scale_set(scale_set_body("other"))
    assert resources.keys() == (Key("default", "other"),)
    assert "replicas" in resources.unreadable["ScaleSet", WEB]
    assert "protocol" in resources.unreadable["HealthProbe", HTTP]


def test_nothing_is_done_on_what_a_resource_was_before_it_could_not_be_read() -> None:
    """X-07."""
    resources = Resources()
    resources.put_scale_set(scale_set_body(version=5))
    resources.put_probe(probe_body(version=5))
    resources.put_scale_set(broken(scale_set_body(version=6)))
    resources.put_probe(broken(probe_body(version=6)))
    assert resources.scale_set(WEB) is None
    assert resources.probe(HTTP) is None


def test_a_fault_goes_with_a_version_that_can_be_read_and_with_the_resource() -> None:
    resources = Resources()
    for version in (5, 7):
        resources.put_scale_set(broken(scale_set_body(version=version)))
        resources.put_probe(broken(probe_body(version=version)))
        assert len(resources.unreadable) == 2
        if version == 5:
            resources.put_scale_set(scale_set_body(version=6))
            resources.put_probe(probe_body(version=6))
        else:
            resources.drop_scale_set(WEB)
            resources.drop_probe(HTTP)
        assert resources.unreadable == {}


def test_a_dropped_resource_is_gone() -> None:
    resources = Resources()
    resources.put_scale_set(scale_set_body())
    resources.put_probe(probe_body())
    resources.drop_scale_set(WEB)
    resources.drop_probe(HTTP)
    assert resources.keys() == resources.probe_keys() == ()


def test_one_probe_serves_all_sets_of_its_namespace_that_name_it() -> None:
    """P-22."""
    resources = Resources()
    for name, probe in (("a", "web-http"), ("b", "web-http"), ("c", "other"), ("d", None)):
        resources.put_scale_set(scale_set_body(name, probe=probe))
    elsewhere = scale_set_body("e")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    resources.put_scale_set(elsewhere)
    assert [user.key.name for user in resources.users_of(HTTP)] == ["a", "b"]


X, Y, XY = {"app": "x"}, {"tier": "y"}, {"app": "x", "tier": "y"}
OVERLAPS = {
    "the same labels": (X, X, X, X),
    "the older selects the younger": (X, X, Y, XY),
    "the younger selects the older": (Y, XY, X, X),
}


@pytest.mark.parametrize("labels", OVERLAPS.values(), ids=OVERLAPS)
def test_of_two_sets_that_overlap_the_younger_is_told(labels: tuple[dict[str, str], ...]) -> None:
    older_selects, older_bears, younger_selects, younger_bears = labels
    bodies = [
        scale_set_body("older", selects=older_selects, bears=older_bears, age=HOUR),
        scale_set_body("younger", selects=younger_selects, bears=younger_bears),
    ]
    for order in (bodies, bodies[::-1]):
        resources = Resources()
        for body in order:
            resources.put_scale_set(body)
        assert resources.overlaps_with(Key("default", "younger")) == "older"
        assert resources.overlaps_with(Key("default", "older")) is None


def test_of_sets_made_in_the_same_second_one_is_told_and_always_the_same() -> None:
    resources = Resources()
    resources.put_scale_set(scale_set_body("a", uid="uid-2"))
    resources.put_scale_set(scale_set_body("b", uid="uid-1"))
    assert resources.overlaps_with(Key("default", "a")) == "b"
    assert resources.overlaps_with(Key("default", "b")) is None


@pytest.mark.parametrize("difference", ["labels", "namespace"])
def test_sets_whose_pods_can_be_told_apart_do_not_overlap(difference: str) -> None:
    other = scale_set_body("other", age=HOUR)
    if difference == "labels":
        other = scale_set_body("other", selects={"app": "x"}, bears={"app": "x"}, age=HOUR)
    else:
        other["metadata"]["namespace"] = "elsewhere"
    resources = Resources()
    resources.put_scale_set(scale_set_body())
    resources.put_scale_set(other)
    assert resources.overlaps_with(WEB) is None


def test_a_template_without_labels_bears_none() -> None:
    body = scale_set_body()
    del body["spec"]["template"]["metadata"]
    resources = Resources()
    resources.put_scale_set(body)
    known = resources.scale_set(WEB)
    assert known is not None
    assert known.template_labels == {}


def test_what_cannot_be_read_is_told_without_what_a_template_may_hold() -> None:
    """X-11: the field, the value and what is allowed; but a secret in a template is not logged."""
    resources = Resources()
    body = scale_set_body()
    spec = {**body["spec"], "replicas": "many", "template": ["hunter2"]}
    resources.put_scale_set({**body, "spec": spec})
    problem = resources.unreadable["ScaleSet", WEB]
    assert "spec.replicas: " in problem
    assert "not 'many'" in problem
    assert "spec.template: " in problem
    assert "hunter2" not in problem
    assert resources.unreadable_keys() == (WEB,)
