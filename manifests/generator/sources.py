"""Where the sources are, and the names that all of them share.

Must not know: what is made of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
MANIFESTS: Final = ROOT / "manifests"
CRDS: Final = ROOT / "crds"
NAME: Final = "scaleset-operator"
NAMESPACE: Final = "scaleset-system"
AGENT_NAMESPACE: Final = "scaleset-agents"
"""The agents' own: what they need is more than that of the operator admits."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml, as its wheels are."""
LABELS: Final = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}
"""By which everything of one installation is known; also what selects the operator's pods."""
GENERATED: Final = "# Written by `make manifests`; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the shape of PyYAML's
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def written(objects: list[Json]) -> str:
    """These objects as YAML, each a document, with the keys in the order given."""
    return "---\n".join(
        yaml.dump(one, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
        for one in objects
    )


def read(path: str) -> list[Json]:
    """The objects of one file of manifests/, as they stand."""
    text = (MANIFESTS / path).read_text(encoding="utf-8")
    return [*yaml.load_all(text, Loader=_LOADER)]


def resources_of(kustomization: str) -> list[str]:
    """The files that a kustomization of manifests/ names, as paths from there."""
    (found,) = read(f"{kustomization}/kustomization.yaml")
    names = [name for name in found["resources"] if name.endswith(".yaml")]
    return [f"{kustomization}/{name}" for name in names]


def definitions() -> list[Path]:
    """The files of the CustomResourceDefinitions."""
    return sorted(CRDS.glob("*.yaml"))
