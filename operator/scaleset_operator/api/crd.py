"""The CustomResourceDefinitions, written out: a pure function from the models to text.

Must not know: where the text goes; `scaleset-operator crds` writes and compares files.
"""

from typing import Any, Final

import yaml

from scaleset_operator.api.base import CATEGORY, GROUP, VERSION
from scaleset_operator.api.kinds import KINDS, Column, Kind
from scaleset_operator.api.schema import RULES, Schema, structural_schema

HEADER: Final = (
    "# Generated from the models in operator/scaleset_operator/api by `make crds`; edit those.\n"
)


def custom_resource_definitions() -> dict[str, str]:
    """Every definition: name of the file to text, the same on every call and every machine.

    Returns:
        One YAML document for each kind, named `<group>_<plural>.yaml`.
    """
    return {f"{GROUP}_{kind.plural}.yaml": HEADER + _yaml_of(definition_of(kind)) for kind in KINDS}


def definition_of(kind: Kind) -> dict[str, Any]:
    """One CustomResourceDefinition as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [_version_of(kind)],
        },
    }


def _version_of(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column_of(column) for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    version["subresources"] = _subresources_of(kind)
    version["schema"] = {"openAPIV3Schema": resource_schema(kind)}
    return version


def _column_of(column: Column) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.wide:
        shown["priority"] = 1
    if column.text:
        shown["description"] = column.text
    return shown


def _subresources_of(kind: Kind) -> dict[str, Any]:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return {"status": {}} | ({"scale": scale} if kind.scalable else {})


def resource_schema(kind: Kind) -> Schema:
    """The whole resource: its spec with defaults, its status without, its rules across both."""
    whole = structural_schema(kind.model)
    plain = structural_schema(kind.model, with_defaults=False)
    spec = whole["properties"]["spec"]
    rules = {RULES: whole[RULES]} if RULES in whole else {}
    return {
        "description": whole["description"],
        "type": "object",
        **rules,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": plain["properties"]["status"],
        },
    }


class _Plain(yaml.SafeDumper):
    """YAML without anchors: what is the same twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the dumper's own signature
        return True


def _yaml_of(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=2**16, allow_unicode=True)
