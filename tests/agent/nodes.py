"""Pods and rules as the agent hears of them. Must not know what a test expects."""

from __future__ import annotations

from typing import Any

from scaleset_operator.api.outboundrule import OutboundRule
from tests.api.manifests import RULE, manifest

FRONT = "192.0.2.10"


def pod(number: int, **metadata: Any) -> dict[str, Any]:
    """Pod web-<number> of the ScaleSet web, with an address of its own."""
    return {
        "metadata": {
            "namespace": "shop",
            "name": f"web-{number}",
            "uid": f"{number:08}-1111-2222-3333-444444444444",
            "labels": {"scaleset.dev/name": "web"},
            "creationTimestamp": "2026-11-28T07:00:00Z",
            **metadata,
        },
        "spec": {},
        "status": {"phase": "Running", "podIP": f"10.1.0.{number}"},
    }


def ports(number: int, first: int, size: int = 1024, front: str = FRONT) -> dict[str, Any]:
    """The allocation of web-<number>."""
    ends = {"firstPort": first, "lastPort": first + size - 1}
    return {"instance": f"web-{number}", "frontendIP": front, **ends}


def rule(*allocations: dict[str, Any], name: str = "web", **changes: Any) -> OutboundRule:
    """A rule of the namespace shop with these allocations."""
    body = manifest(RULE, name=name, changes={"status.allocations": list(allocations), **changes})
    body["metadata"] |= {"namespace": "shop", "uid": f"uid-of-{name}"}
    return OutboundRule.model_validate(body)
