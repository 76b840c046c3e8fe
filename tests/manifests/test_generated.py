"""The manifests as they stand: that they are what their sources say, and agree with the code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from manifests.generator import files
from manifests.generator.openings import Openings, at, inline
from manifests.generator.sources import (
    CRDS,
    MANIFESTS,
    NAME,
    NAMESPACE,
    definitions,
    read,
    resources_of,
)
from manifests.generator.values import CONTAINER, DEPLOYMENT, VALUES, Value
from scaleset_operator import __version__
from scaleset_operator.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
IN_OBJECT: Final = [value for value in VALUES if value.file and value.own is None]


def identities(objects: Iterable[Json]) -> list[tuple[str, str]]:
    return sorted((one["kind"], one["metadata"]["name"]) for one in objects)


def test_every_generated_file_is_what_its_sources_say() -> None:
    assert files.stale() == []


def test_a_file_that_differs_or_that_nobody_writes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    without = files.the_rest()
    del without["chart/values.yaml"]
    monkeypatch.setattr(files, "the_rest", lambda: without | {"install.yaml": "other"})
    assert files.stale() == ["chart/values.yaml", "install.yaml"]


def test_install_yaml_is_the_namespace_the_definitions_and_the_overlay_for_the_cluster() -> None:
    sources = [*resources_of("base"), *resources_of("overlays/cluster-wide")]
    wanted = [one for source in sources for one in read(source)]
    wanted += [one for path in definitions() for one in read(f"../crds/{path.name}")]
    found = read(files.INSTALL)
    assert found[0]["kind"] == "Namespace"
    assert identities(found) == identities(wanted)
    assert all(one in wanted for one in found)
    assert len(set(identities(found))) == len(found), "nothing stands twice"


def test_the_definitions_are_all_in_their_kustomization() -> None:
    listed = yaml.safe_load((CRDS / "Kustomization").read_text(encoding="utf-8"))["resources"]
    assert listed == [path.name for path in definitions()]


def test_every_file_of_a_kustomization_is_there_and_none_is_forgotten() -> None:
    for kustomization in MANIFESTS.rglob("kustomization.yaml"):
        folder = kustomization.parent.relative_to(MANIFESTS).as_posix()
        there = {path.name for path in kustomization.parent.glob("*.yaml")} - {kustomization.name}
        assert {name.rpartition("/")[2] for name in resources_of(folder)} == there, folder


def test_image_version_and_port_are_those_of_the_code() -> None:
    (deployment,) = read(DEPLOYMENT)
    container = at(deployment, ("spec", "template", "spec", "containers"))[0]
    assert container["image"] == f"{NAME}:{__version__}"
    port, events = container["ports"]
    assert port["containerPort"] == DEFAULT_PORT
    (told,) = [one["value"] for one in container["env"] if one["name"].endswith("EVENTS_PORT")]
    assert told == str(events["containerPort"])
    (service,) = read("base/service.yaml")
    assert service["spec"]["ports"][0]["port"] == DEFAULT_PORT
    (head,) = read("chart/Chart.yaml")
    assert head["version"] == head["appVersion"] == __version__


def test_the_namespace_is_named_where_an_object_lives_in_one() -> None:
    """Nothing is left to a transformer: the files work with plain `kubectl apply -f` too."""
    for one in read(files.INSTALL):
        outside = one["kind"].startswith("Cluster") or one["kind"] in {
            "Namespace",
            "CustomResourceDefinition",
        }
        assert one["metadata"].get("namespace") == (None if outside else NAMESPACE)


@pytest.mark.parametrize("value", IN_OBJECT, ids=lambda value: value.key)
def test_the_default_of_a_value_is_what_the_source_says(value: Value) -> None:
    found: Any = yaml.safe_load((MANIFESTS / "chart" / "values.yaml").read_text(encoding="utf-8"))
    for step in value.key.split("."):
        found = found[step]
    assert found == at(read(value.file)[0], value.path)
    assert found is not None


def test_values_and_schema_name_the_same_and_say_what_each_is() -> None:
    schema = json.loads((MANIFESTS / "chart" / "values.schema.json").read_text(encoding="utf-8"))

    def leaves(place: Json, prefix: str = "") -> dict[str, Json]:
        found: dict[str, Json] = {}
        for name, one in place["properties"].items():
            inner = "properties" in one
            assert not inner or one["additionalProperties"] is False, name
            found |= leaves(one, f"{prefix}{name}.") if inner else {f"{prefix}{name}": one}
        return found

    found = leaves(schema)
    del found["global"]
    assert [*found] == [value.key for value in VALUES]
    assert all(one["description"].endswith((".", "=")) for one in found.values())


def test_a_value_enters_by_the_name_of_an_element_and_braces_of_others_stay() -> None:
    thing = {"list": [{"name": "other"}, {"name": "one", "value": 1}], "text": "{{ theirs }}"}
    assert at(thing, ("list", "one", "value")) == 1
    openings = Openings()
    mark = openings.mark(inline("{{ ours }}"))
    assert openings.filled(f"a: {mark}\nb: '{{{{ theirs }}}}'\n") == (
        "a: {{ ours }}\nb: '{{ \"{{\" }} theirs }}'\n"
    )


def test_the_place_of_the_operator_is_told_to_it() -> None:
    (deployment,) = read(DEPLOYMENT)
    told = {
        one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"]
        for one in at(deployment, (*CONTAINER, "env"))
        if "valueFrom" in one
    }
    assert told == {"POD_NAMESPACE": "metadata.namespace", "POD_NAME": "metadata.name"}
