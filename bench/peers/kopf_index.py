"""A peer: the pods of all sets in an index of kopf's own, as its documentation shows it.

It must not know the operator. It says on standard output when its first handler may run.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf

LABEL = "scaleset.dev/name"


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Leave out what an index does not need, for the peer's own good."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.2


@kopf.index("", "v1", "pods", labels={LABEL: kopf.PRESENT}, id="pods_of")
def pods_of(name: str | None, labels: kopf.Labels, status: kopf.Status, **_: Any) -> Any:
    """Set's name -> its pods, each with its address and whether it is ready."""
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return {labels[LABEL]: (name, status.get("podIP"), conditions.get("Ready") == "True")}


@kopf.on.event("scaleset.dev", "v1alpha1", "scalesets", id="decide")
def decide(name: str | None, **indices: Any) -> None:
    """The first call comes once the index is whole."""
    print(f"decided on {len(indices['pods_of'].get(name, ()))}", flush=True)


if __name__ == "__main__":
    asyncio.run(kopf.operator(clusterwide=True, standalone=True))
