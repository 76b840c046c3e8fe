"""Inputs that lie on a bound, and just inside it."""

from __future__ import annotations

from typing import Final

from tests.api.manifests import ABSENT, ONCE, PROBE, RULE, SET, WINDOW
from tests.api.refusal import EXTENDED, GRACE, NOTICE, POLICY
from tests.api.refused_others import DAYS, once, recurring

_ACCEPTED_SPANS: Final = ("PT30M", "PT90M", "PT1H", "PT1H30M", "PT1800S", "PT45M30S", "PT0H30M")

ACCEPTED: Final = (
    *((f"a grace of {text}", SET, {GRACE: text}) for text in _ACCEPTED_SPANS),
    *((f"an extended grace of {t}", SET, EXTENDED | {GRACE: t}) for t in ("PT0S", "P1D", "PT24H")),
    ("200 instances with repairs", SET, {"spec.replicas": 200}),
    ("0 instances", SET, {"spec.replicas": 0}),
    ("10000 instances, extended", SET, EXTENDED | {"spec.replicas": 10_000}),
    ("201 instances without repairs", SET, {f"{POLICY}.enabled": False, "spec.replicas": 201}),
    ("201 instances without a policy", SET, {POLICY: ABSENT, "spec.replicas": 201}),
    ("no source of health, no repairs", SET, {POLICY: ABSENT, "spec.healthProbeRef": ABSENT}),
    (
        "the instance's own report",
        SET,
        {"spec.healthProbeRef": ABSENT, "spec.applicationHealth": {}},
    ),
    ("1 update domain", SET, {"spec.updateDomainCount": 1}),
    ("20 update domains", SET, {"spec.updateDomainCount": 20}),
    ("maxInFlight 1%", SET, {f"{POLICY}.maxInFlight": "1%"}),
    ("suspended and disabled", SET, {POLICY: {"enabled": False, "serviceState": "Suspended"}}),
    ("a notice of PT5M", SET, {NOTICE: "PT5M"}),
    ("a notice of PT15M", SET, {NOTICE: "PT15M"}),
    ("an extended notice of PT0S", SET, EXTENDED | {NOTICE: "PT0S"}),
    ("an extended notice of P1D", SET, EXTENDED | {NOTICE: "P1D"}),
    ("an interval of 5 s", PROBE, {"spec.intervalInSeconds": 5}),
    ("a time-out of 11 s", PROBE, {"spec.timeoutInSeconds": 11}),
    ("an interval above the time-out", PROBE, {"spec.intervalInSeconds": 60}),
    ("no port", PROBE, {"spec.port": ABSENT}),
    ("port 1", PROBE, {"spec.port": 1}),
    ("port 65535", PROBE, {"spec.port": 65_535}),
    ("the path /", PROBE, {"spec.path": "/"}),
    ("a path with a query", PROBE, {"spec.path": "/healthz?deep=1"}),
    ("tcp without path", PROBE, {"spec.protocol": "tcp", "spec.path": ABSENT}),
    ("windows that meet", WINDOW, once(start="2026-11-27T00:00:00Z")),
    ("a time with an offset", WINDOW, once(start="2026-11-27T01:00:00+01:00")),
    ("less notice, urgent", WINDOW, {"spec.notifyBefore": "PT1H", "spec.urgent": True}),
    ("recurring", WINDOW, recurring()),
    ("50 days left out", WINDOW, recurring(blackoutDates=DAYS[:50])),
    (
        "recurring Pause at short notice",
        WINDOW,
        recurring(selfServiceLead=ABSENT) | {"spec.impact": "Pause", "spec.notifyBefore": "PT1H"},
    ),
    (
        "None with a scheduled window only",
        WINDOW,
        {"spec.impact": "None", "spec.once": {"scheduled": ONCE["scheduled"]}},
    ),
    (
        "paired with its namesake elsewhere",
        WINDOW,
        {"spec.pairedWith": {"name": "sample", "namespace": "other"}},
    ),
    ("8 ports", RULE, {"spec.allocatedOutboundPorts": 8}),
    ("64000 ports", RULE, {"spec.allocatedOutboundPorts": 64_000}),
    ("no way out", RULE, {"spec.frontendIPs": ABSENT, "spec.denyOutbound": True}),
    ("idle for PT120M", RULE, {"spec.idleTimeout": "PT2H"}),
)
