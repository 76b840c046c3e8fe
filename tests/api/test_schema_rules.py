"""The rules of a good API, kept by machine: bounds, texts, names, and nothing unstructural."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.crd import resource_schema
from scaleset_operator.api.kinds import KINDS, Kind
from scaleset_operator.api.reference import fields_of, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = tuple[str, dict[str, Any]]

UNSTRUCTURAL: Final = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "title", "const", "examples"}
LOWER_CASE_ENUMS: Final = {"HealthProbe.spec.protocol"}
"""Words that other documents fixed."""
PRESERVED: Final = "x-kubernetes-preserve-unknown-fields"


def nodes(schema: dict[str, Any], path: str) -> Iterator[Found]:
    """Every schema below and including this one: fields, items, and the values of maps."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def parts(*names: str) -> list[Found]:
    """The spec or the status of every kind, with its path."""
    return [
        (f"{kind.name}.{name}", resource_schema(kind)["properties"][name])
        for kind in KINDS
        for name in names
    ]


SPEC: Final = [found for path, part in parts("spec") for found in fields_of(part, path)]
STATUS: Final = [found for path, part in parts("status") for found in fields_of(part, path)]
NODES: Final = [found for path, part in parts("spec", "status") for found in nodes(part, path)]


def ids(found: list[Found]) -> list[str]:
    return [path for path, _ in found]


def is_leaf(schema: dict[str, Any]) -> bool:
    inner = schema.get("items", schema)
    return "properties" not in inner


@pytest.mark.parametrize(("path", "schema"), NODES, ids=ids(NODES))
def test_everything_has_bounds_and_a_form_the_api_server_takes(
    path: str, schema: dict[str, Any]
) -> None:
    """P-32: seconds are integers; nothing is a float, and nothing grows without bound."""
    assert not UNSTRUCTURAL & schema.keys()
    match schema["type"]:
        case "string":
            assert "enum" in schema or "maxLength" in schema
        case "integer":
            assert {"minimum", "maximum"} <= schema.keys()
            assert schema["format"] in {"int32", "int64"}
        case "array":
            assert "maxItems" in schema
            expected = "map" if path.endswith(".conditions") else schema["x-kubernetes-list-type"]
            assert schema["x-kubernetes-list-type"] == expected
            assert expected in {"atomic", "map", "set"}
        case "object":
            shaped = "properties" in schema or schema.get(PRESERVED)
            assert shaped or "maxProperties" in schema
            assert not ("properties" in schema and "additionalProperties" in schema)
        case other:
            assert other == "boolean"


@pytest.mark.parametrize(("path", "schema"), SPEC + STATUS, ids=ids(SPEC + STATUS))
def test_every_field_has_a_name_in_camel_case_and_a_text(path: str, schema: dict[str, Any]) -> None:
    name = path.rpartition(".")[2].removesuffix("[]")
    assert re.fullmatch("[a-z][A-Za-z]*", name)
    text = schema["description"]
    assert len(text) >= 20
    assert text.rstrip(".") != text
    assert "\n" not in text


@pytest.mark.parametrize(("path", "schema"), SPEC, ids=ids(SPEC))
def test_a_field_of_a_spec_says_its_default_its_range_and_an_example(
    path: str, schema: dict[str, Any]
) -> None:
    if not is_leaf(schema):
        return
    for label in ("Default: ", "Allowed: ", "Example: "):
        assert schema["description"].count(label) == 1, f"{path}: {label}"


@pytest.mark.parametrize(("path", "schema"), STATUS, ids=ids(STATUS))
def test_a_field_of_a_status_has_an_example_and_no_default(
    path: str, schema: dict[str, Any]
) -> None:
    assert "default" not in schema, path
    if is_leaf(schema):
        assert "Example: " in schema["description"]


@pytest.mark.parametrize(("path", "schema"), NODES, ids=ids(NODES))
def test_words_to_choose_from_are_in_pascal_case(path: str, schema: dict[str, Any]) -> None:
    form = "[a-z]+" if path in LOWER_CASE_ENUMS else "[A-Z][A-Za-z]+"
    for word in schema.get("enum", ()):
        assert re.fullmatch(form, word), path


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_every_rule_answers_in_plain_words_and_names_a_field(kind: Kind) -> None:
    found = list(rules_of(resource_schema(kind)))
    assert found
    for rule in found:
        assert "messageExpression" not in rule
        assert 20 <= len(rule["message"]) <= 200
        assert re.search(r"spec\.|metadata\.|matchLabels|podConditionType", rule["message"])
        assert re.search(r"must|need|allow|require|exactly|exclude|immutable", rule["message"])


@pytest.mark.parametrize(("path", "schema"), NODES, ids=ids(NODES))
def test_a_span_and_a_time_carry_their_pattern(path: str, schema: dict[str, Any]) -> None:
    """R-31: the API server's own readers of these formats take too much."""
    if schema.get("format") in {"duration", "date-time"}:
        assert schema["pattern"].startswith("^"), path
        assert schema["pattern"].endswith("$")
