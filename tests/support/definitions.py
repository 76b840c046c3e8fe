"""Our kinds on a cluster: the generated definitions, applied and served.

Must not know: what is in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from localcluster.cluster import LocalCluster

CRDS: Final = Path(__file__).parents[2] / "crds"


def define_kinds(cluster: LocalCluster) -> None:
    """Returns once the API server serves them."""
    for definition in sorted(CRDS.glob("*.yaml")):
        cluster.define(definition)
