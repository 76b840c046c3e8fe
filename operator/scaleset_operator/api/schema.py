"""From a model to the structural schema that a CustomResourceDefinition may hold.

pydantic's schema has `$ref`, `title`, `anyOf` with null, and no list types; the API server takes
none of these. Bounds, enums, patterns and CEL rules pass through; every text gets its default,
range and example from the model itself, so that they cannot differ.
Must not know: any one kind or field.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

LIST_MAP_KEYS: Final = {"conditions": ["type"]}
"""Lists whose items have a key of their own; every other list is atomic (protocol rule 25)."""

RULES: Final = "x-kubernetes-validations"
LIST_TYPE: Final = "x-kubernetes-list-type"
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_FIRST: Final = ("description", "type", "format", "default", "enum")
_DROPPED: Final = frozenset({"title", "examples", "required", "properties", "items"})
_INT32_LIMIT: Final = 2**31


def structural_schema(model: type[BaseModel], *, with_defaults: bool = True) -> Schema:
    """The OpenAPI v3 schema of a model: everything inline, nothing the API server would refuse.

    Args:
        model: The model; its docstring becomes the description.
        with_defaults: Whether the API server fills in defaults: yes for a spec, no for a status,
            where what is left out must stay left out.
    """
    document = model.model_json_schema(by_alias=True)
    return _Translation(document.get("$defs", {}), with_defaults=with_defaults).of(document)


class _Translation:
    """One document's definitions, and the walk that puts them in place."""

    def __init__(self, definitions: Mapping[str, Schema], *, with_defaults: bool) -> None:
        self._definitions = definitions
        self._with_defaults = with_defaults

    def of(self, node: Schema, *, name: str = "", required: bool = True) -> Schema:
        """The structural form of one node.

        Args:
            node: A node of pydantic's document.
            name: The property's name, for the lists that have keys.
            required: Whether the property must be given, for its text.
        """
        node = self._inlined(node)
        schema = {key: value for key, value in node.items() if key not in _DROPPED}
        if not self._with_defaults or schema.get("default") is None:
            schema.pop("default", None)
        if schema.get(PRESERVE):
            schema.pop("additionalProperties", None)
        if schema.get("type") == "integer":
            schema["format"] = "int32" if _fits_int32(schema) else "int64"
        text = _text_of(node, schema, required=required, hints=self._with_defaults)
        if text:
            schema["description"] = text
        schema |= self._children(node, name)
        return {key: schema[key] for key in _FIRST if key in schema} | schema

    def _inlined(self, node: Schema) -> Schema:
        """The node with what it refers to put in its place; its own words win, rules add up."""
        branches = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
        target = branches[0] if branches else self._referred(node)
        if target is None:
            return node
        inner = self._inlined(target)
        own = {key: value for key, value in node.items() if key not in {"$ref", "$defs", "anyOf"}}
        rules = [*inner.get(RULES, ()), *own.get(RULES, ())]
        return inner | own | ({RULES: rules} if rules else {})

    def _referred(self, node: Schema) -> Schema | None:
        reference = node.get("$ref")
        return self._definitions[reference.rpartition("/")[2]] if reference else None

    def _children(self, node: Schema, name: str) -> Schema:
        """What lies below: properties, items and the values of a map."""
        below: Schema = {}
        if "properties" in node:
            required = node.get("required", [])
            if required:
                below["required"] = required
            below["properties"] = {
                key: self.of(child, name=key, required=key in required)
                for key, child in node["properties"].items()
            }
        if "items" in node:
            keys = LIST_MAP_KEYS.get(name)
            below[LIST_TYPE] = "map" if keys else node.get(LIST_TYPE, "atomic")
            if keys:
                below["x-kubernetes-list-map-keys"] = keys
            below["items"] = _bare(self.of(node["items"]))
        if isinstance(node.get("additionalProperties"), dict):
            below["additionalProperties"] = _bare(self.of(node["additionalProperties"]))
        return below


def _bare(schema: Schema) -> Schema:
    """An item's schema; a scalar has no text of its own, the list above it speaks."""
    if schema.get("type") != "object":
        schema.pop("description", None)
    return schema


def _fits_int32(schema: Schema) -> bool:
    return bool(schema.get("maximum", _INT32_LIMIT) < _INT32_LIMIT)


def _text_of(node: Schema, schema: Schema, *, required: bool, hints: bool) -> str:
    """A field's text on one line, and after it what its bounds, default and example say."""
    text = " ".join(node.get("description", "").split())
    if node.get("type") == "object" and not schema.get(PRESERVE) and "examples" not in node:
        return text
    parts = _hints_of(node, schema, required=required) if hints else _example_of(node)
    missing = (f"{label}: {value}." for label, value in parts if f"{label}:" not in text)
    return " ".join((text, *missing)).strip()


def _hints_of(node: Schema, schema: Schema, *, required: bool) -> Iterator[tuple[str, str]]:
    allowed = _allowed_by(schema)
    if allowed:
        yield "Allowed", allowed
    if "examples" in node:
        yield "Default", "none, it must be given" if required else _default_of(schema)
    yield from _example_of(node)


def _default_of(schema: Schema) -> str:
    return spelled(schema["default"]) if "default" in schema else "none"


def _example_of(node: Schema) -> Iterator[tuple[str, str]]:
    if "examples" in node:
        yield "Example", spelled(node["examples"][0])


def _allowed_by(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if schema.get("type") == "boolean":
        return "true, false"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return ""


def spelled(value: object) -> str:
    """A value as it is written in a manifest, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return f"{{{', '.join(f'{key}: {spelled(one)}' for key, one in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(spelled(one) for one in value)}]"
        case _:
            return str(value)
