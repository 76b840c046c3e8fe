"""The objects that the operator is given, wherever the demo plays.

Must not know: in which order things happen, or what is said about them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from demo.venue import Cluster

ROOT: Final = Path(__file__).resolve().parents[1]
SAMPLE: Final = ROOT / "manifests" / "samples" / "demo-extended.yaml"


def sample() -> tuple[dict[str, Any], dict[str, Any]]:
    """The HealthProbe and the ScaleSet of the sample."""
    probe, scale_set = yaml.safe_load_all(SAMPLE.read_text(encoding="utf-8"))
    return probe, scale_set


def apply(cluster: Cluster, objects: list[dict[str, Any]]) -> str:
    """Apply objects in the namespace `default`; gives what kubectl said."""
    return cluster.kubectl(
        *("apply", "-n", "default", "-f", "-"),
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )
