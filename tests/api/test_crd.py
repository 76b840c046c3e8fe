"""The generated files: the same every time, equal to crds/, and true to the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from scaleset_operator.api.crd import custom_resource_definitions, definition_of
from scaleset_operator.api.kinds import KINDS, Kind
from scaleset_operator.api.reference import REFERENCE_FILE, fields_of, reference_page
from scaleset_operator.api.repairpolicy import STANDARD_MAX_REPLICAS
from scaleset_operator.api.scaleset import MAX_REPLICAS, MAX_SCALE_SET_NAME_LENGTH
from scaleset_operator.api.schema import spelled

ROOT: Final = Path(__file__).parents[2]
CRDS: Final = ROOT / "crds"
FILES: Final = custom_resource_definitions()
PAGE: Final = reference_page()
NAMES: Final = [kind.name for kind in KINDS]


def version_of(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = definition_of(kind)["spec"]["versions"][0]
    return version


def field_at(kind: Kind, path: str) -> dict[str, Any]:
    """The schema behind a JSONPath such as .spec.replicas; conditions and indexes pass."""
    node = version_of(kind)["schema"]["openAPIV3Schema"]
    for name in path.strip(".").split("["):
        for step in (
            name.partition("]")[2].strip(".").split(".") if "]" in name else name.split(".")
        ):
            node = node.get("items", node)["properties"][step] if step else node
    assert isinstance(node, dict)
    return node


def test_the_files_in_crds_are_those_the_models_give() -> None:
    found = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    assert found.keys() == FILES.keys()
    assert found == FILES, "run `make crds`"


def test_the_reference_in_docs_is_the_one_the_models_give() -> None:
    assert (ROOT / "docs" / REFERENCE_FILE).read_text() == PAGE, "run `make crds`"


def test_generating_twice_gives_the_same() -> None:
    assert custom_resource_definitions() == FILES
    assert list(custom_resource_definitions()) == list(FILES)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_file_reads_back_as_its_definition(kind: Kind) -> None:
    text = FILES[f"scaleset.dev_{kind.plural}.yaml"]
    assert text.startswith("# Generated")
    assert yaml.safe_load(text) == definition_of(kind)
    assert "&id" not in text


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_names_and_category_are_those_of_the_design(kind: Kind) -> None:
    names = definition_of(kind)["spec"]["names"]
    short = {"ScaleSet": "sset", "HealthProbe": "hprobe", "MaintenanceWindow": "mwin"}
    assert names["shortNames"] == [short.get(kind.name, "orule")]
    assert names["categories"] == ["scaleset-operator"]
    assert definition_of(kind)["spec"]["scope"] == "Namespaced"


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_every_column_and_selectable_field_names_a_field_that_exists(kind: Kind) -> None:
    for column in kind.columns:
        if column.path.startswith(".metadata"):
            continue
        shown = field_at(kind, column.path)
        if column.type in {"integer", "boolean"}:
            assert shown["type"] == column.type, column
    for path in kind.selectable:
        assert field_at(kind, path)["type"] == "string"
    headings = [column.name for column in kind.columns]
    assert len(headings) == len(set(headings))


def test_only_a_scale_set_can_be_scaled_and_tells_autoscalers_its_pods() -> None:
    scale = {kind.name: version_of(kind)["subresources"].get("scale") for kind in KINDS}
    assert [name for name, found in scale.items() if found] == ["ScaleSet"]
    paths = scale["ScaleSet"]
    assert paths is not None
    assert paths["labelSelectorPath"] == ".status.selector"
    for path in paths.values():
        assert field_at(KINDS[0], path)["type"] in {"integer", "string"}


def test_the_rules_speak_of_the_limits_that_the_models_name() -> None:
    """R-05: a limit stands as a constant and in a rule's text; the two agree."""
    text = FILES["scaleset.dev_scalesets.yaml"]
    assert f"self.replicas <= {STANDARD_MAX_REPLICAS}" in text
    assert f"up to {MAX_REPLICAS}" in text
    assert f"size(self.metadata.name) <= {MAX_SCALE_SET_NAME_LENGTH}" in text


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_reference_lists_every_field_of_every_kind(kind: Kind) -> None:
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    assert f"## {kind.name}\n" in PAGE
    for part in ("spec", "status"):
        for path, _ in fields_of(schema["properties"][part], part):
            assert f"| `{path}` |" in PAGE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        ("x", "x"),
        (["a", "b"], "[a, b]"),
        ({"app": "web", "n": [1]}, "{app: web, n: [1]}"),
    ],
)
def test_an_example_is_written_as_in_a_manifest(value: object, text: str) -> None:
    assert spelled(value) == text
