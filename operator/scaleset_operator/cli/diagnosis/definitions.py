"""Whether the API server serves our kinds, and as this version of the plugin knows them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from scaleset_operator import __version__
from scaleset_operator.api.base import GROUP, VERSION
from scaleset_operator.api.crd import definition_of
from scaleset_operator.api.kinds import KINDS, Kind
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named

NAME: Final = "definitions"
APPLY: Final = "kubectl apply --server-side -f crds/"


def served(names: set[str], definitions: Mapping[str, Mapping[str, Any]] | None) -> Check:
    """Compare what is served with what this version would apply.

    Args:
        names: plurals that the API server serves in our group and version.
        definitions: name -> CustomResourceDefinition; None where they may not be read.
    """
    missing = sorted({kind.plural for kind in KINDS} - names)
    if missing:
        message = f"{GROUP}/{VERSION} is not served for {', '.join(missing)}"
        return Check(name=NAME, verdict=Verdict.FAILED, message=message, hint=APPLY)
    if definitions is None:
        message = f"{len(KINDS)} kinds served; their fields cannot be compared: no right to read"
        return Check(name=NAME, verdict=Verdict.UNKNOWN, message=message)
    older, newer = _differences(definitions)
    if older:
        message = f"older than this plugin ({__version__}), without {named(older)}"
        return Check(name=NAME, verdict=Verdict.FAILED, message=message, hint=APPLY)
    if newer:
        message = f"newer than this plugin ({__version__}), with {named(newer)}"
        return Check(name=NAME, verdict=Verdict.NOTE, message=message, hint="update the plugin")
    message = f"{len(KINDS)} kinds served as {VERSION}, as this plugin ({__version__}) knows them"
    return Check(name=NAME, verdict=Verdict.OK, message=message)


def _differences(definitions: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Fields that only we know, and fields that only the API server knows."""
    older: list[str] = []
    newer: list[str] = []
    for kind in KINDS:
        ours = _ours(kind)
        theirs = _fields(definitions.get(f"{kind.plural}.{GROUP}", {}))
        older += [f"{kind.name}.{path}" for path in sorted(ours - theirs)]
        newer += [f"{kind.name}.{path}" for path in sorted(theirs - ours)]
    return older, newer


@cache
def _ours(kind: Kind) -> frozenset[str]:
    return frozenset(_fields(definition_of(kind)))


def _fields(definition: Mapping[str, Any]) -> set[str]:
    """Every field of spec and status of our version."""
    for version in definition.get("spec", {}).get("versions", ()):
        if version["name"] == VERSION and version.get("served"):
            schema = version.get("schema", {}).get("openAPIV3Schema", {})
            properties = schema.get("properties", {})
            return {p for part in ("spec", "status") for p in _walk(part, properties.get(part, {}))}
    return set()


def _walk(path: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield path
    for name, inner in (schema.get("properties") or {}).items():
        yield from _walk(f"{path}.{name}", inner)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _walk(f"{path}[]", items)
