"""Good manifests, one of each kind, and a way to spoil one field of them.

Must not know: what a spoiled manifest is refused for.
"""

from __future__ import annotations

import copy
from typing import Any, Final

Manifest = dict[str, Any]

ABSENT: Final = object()
"""In a change: the field is removed."""

PROBE: Final = "HealthProbe"
SET: Final = "ScaleSet"
WINDOW: Final = "MaintenanceWindow"
RULE: Final = "OutboundRule"

PLURALS: Final = {
    PROBE: "healthprobes",
    SET: "scalesets",
    WINDOW: "maintenancewindows",
    RULE: "outboundrules",
}

ONCE: Final = {
    "selfService": {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-27T00:00:00Z"},
    "scheduled": {"startTime": "2026-11-27T02:00:00Z", "endTime": "2026-11-27T08:00:00Z"},
}
RECURRING: Final = {
    "schedule": "0 2 * * TUE#2",
    "timeZone": "Europe/Amsterdam",
    "duration": "PT4H",
    "selfServiceLead": "P7D",
}

_SPECS: Final[dict[str, Manifest]] = {
    PROBE: {"protocol": "http", "path": "/healthz", "port": 8080},
    SET: {
        "replicas": 200,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1.4.2"}]},
        },
        "healthProbeRef": {"name": "web-http"},
        "automaticRepairsPolicy": {"enabled": True},
    },
    WINDOW: {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "impact": "Redeploy",
        "once": ONCE,
        "updatedNodeSelector": {"matchLabels": {"maintenance/updated": "2026-11"}},
    },
    RULE: {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": ["192.0.2.10"]},
}


def manifest(kind: str, *, name: str = "sample", changes: Manifest | None = None) -> Manifest:
    """Builds a good manifest of a kind, then changes it.

    `changes` maps dotted paths (`spec.replicas`) to values; parents are made where missing.
    """
    body: Manifest = {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": copy.deepcopy(_SPECS[kind]),
    }
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ABSENT:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return body
