"""docs/api.md: every field of every kind, the schemas again, for people.

Must not know: how the schemas came to be.
"""

from collections.abc import Iterator
from typing import Final

from scaleset_operator.api.base import API_VERSION, CATEGORY
from scaleset_operator.api.crd import resource_schema
from scaleset_operator.api.kinds import KINDS, Kind
from scaleset_operator.api.schema import RULES, Schema

REFERENCE_FILE: Final = "api.md"
_OPENING: Final = f"""\
<!-- Generated from the models in operator/scaleset_operator/api by `make crds`; edit those. -->
# Fields of {API_VERSION}

What may be written in each field, what it means, and what the API server refuses. The same texts
answer to `kubectl explain`; `kubectl get {CATEGORY}` lists the objects of all kinds at once.

Seconds are integers where the source of a field has seconds. Spans are ISO 8601 text: whole days
(`P30D`), or hours, minutes and seconds (`PT1H30M`, `PT1800S`); no sign, fraction, week, month or
year, and never days together with hours. Times are RFC 3339. Unknown fields are refused by
`kubectl apply`, and what is out of its bounds by the API server.
"""


def reference_page() -> str:
    """The whole page: for each kind its names, its fields, and the rules across fields."""
    return "\n".join([_OPENING, *(_section(kind, resource_schema(kind)) for kind in KINDS)])


def _section(kind: Kind, schema: Schema) -> str:
    columns = ", ".join(f"`{one.name}`" for one in kind.columns if not one.wide)
    wide = ", ".join(f"`{one.name}`" for one in kind.columns if one.wide)
    lines = [
        f"## {kind.name}",
        "",
        schema["description"],
        "",
        f"`{kind.plural}`, short `{kind.short_name}`.",
        f"Columns: {columns}; with `-o wide` also {wide}.",
    ]
    if kind.selectable:
        paths = ", ".join(f"`{path.removeprefix('.')}`" for path in kind.selectable)
        lines += ["", f"Field selectors: {paths}."]
    for part in ("spec", "status"):
        lines += [
            "",
            f"### {kind.name}.{part}",
            "",
            "| Field | Type | Meaning |",
            "| --- | --- | --- |",
        ]
        lines += [_row(*found) for found in fields_of(schema["properties"][part], part)]
    rules = list(dict.fromkeys(one["message"] for one in rules_of(schema)))
    lines += ["", f"### Rules of {kind.name}", "", *(f"- {message}." for message in rules)]
    return "\n".join([*lines, ""])


def fields_of(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every field below a schema with its path, parents before children."""
    inner = schema.get("items", schema)
    for name, child in inner.get("properties", {}).items():
        suffix = "[]" if child.get("type") == "array" else ""
        yield f"{path}.{name}{suffix}", child
        yield from fields_of(child, f"{path}.{name}{suffix}")


def rules_of(schema: Schema) -> Iterator[dict[str, str]]:
    """Every CEL rule in a schema, from the outside in."""
    yield from schema.get(RULES, ())
    for child in (*schema.get("properties", {}).values(), schema.get("items")):
        if child:
            yield from rules_of(child)


def _row(path: str, schema: Schema) -> str:
    text = schema.get("description", "").replace("|", "\\|")
    return f"| `{path}` | {_type_of(schema)} | {text} |"


def _type_of(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"list of {_type_of(schema['items'])}"
    if schema["type"] == "object" and "additionalProperties" in schema:
        return f"map of {_type_of(schema['additionalProperties'])}"
    return str(
        {"duration": "span", "date-time": "time"}.get(schema.get("format", ""), schema["type"])
    )
