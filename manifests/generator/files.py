"""Every generated file of manifests/, and which of them differ from what stands there.

Must not know: who asks.
"""

from __future__ import annotations

from typing import Final

from manifests.generator.chart import chart
from manifests.generator.roles import agents_roles, node_roles, operators_roles, peoples_roles
from manifests.generator.sources import (
    GENERATED,
    MANIFESTS,
    definitions,
    read,
    resources_of,
    written,
)

INSTALL: Final = "install.yaml"
CHART: Final = "chart"
AGENT_ROLES: Final = "components/agent/roles.yaml"
NODE_ROLES: Final = "components/node-maintenance/roles.yaml"


def roles() -> dict[str, str]:
    """Path below manifests/ -> text of what is made from the code; the rest is made from files."""
    return {
        "base/roles.yaml": GENERATED + written(operators_roles()),
        "base/aggregated-roles.yaml": GENERATED + written(peoples_roles()),
        AGENT_ROLES: GENERATED + written(agents_roles()),
        NODE_ROLES: GENERATED + written(node_roles()),
    }


def the_rest() -> dict[str, str]:
    """Likewise of what is made from the files that stand there, the roles among them."""
    return {INSTALL: _install()} | {f"{CHART}/{name}": text for name, text in chart().items()}


def _install() -> str:
    """Everything for the whole cluster in one file, the namespace and the definitions first."""
    first, *rest = [*resources_of("base"), *resources_of("overlays/cluster-wide")]
    texts = [(MANIFESTS / first).read_text(encoding="utf-8")]
    texts += [written(read(f"../crds/{path.name}")) for path in definitions()]
    texts += [(MANIFESTS / name).read_text(encoding="utf-8") for name in rest]
    return GENERATED + "---\n".join(texts)


def stale() -> list[str]:
    """The files that are not what would be written, those that nobody would write included."""
    wanted = roles() | the_rest()
    written_by_hand = {"_helpers.tpl", "NOTES.txt", "dashboard.yaml", "vantage-secret.yaml"}
    leftover = [
        name
        for path in (MANIFESTS / CHART).rglob("*")
        if path.is_file() and path.name not in written_by_hand
        if (name := path.relative_to(MANIFESTS).as_posix()) not in wanted
    ]
    differing = [
        name
        for name, text in wanted.items()
        if not (MANIFESTS / name).exists() or (MANIFESTS / name).read_text(encoding="utf-8") != text
    ]
    return sorted([*differing, *leftover])
