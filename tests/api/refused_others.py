"""Wrong probes, windows and rules, each with the field and the range its refusal must name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.api.manifests import ABSENT, PROBE, RECURRING, RULE, WINDOW
from tests.api.refusal import PATTERN, Case

if TYPE_CHECKING:
    from tests.api.manifests import Manifest


def _probe(what: str, changes: Manifest, field: str, allowed: str) -> Case:
    return Case(what, PROBE, changes, field, allowed)


def _window(what: str, changes: Manifest, field: str, allowed: str) -> Case:
    return Case(what, WINDOW, changes, field, allowed)


def _rule(what: str, changes: Manifest, field: str, allowed: str) -> Case:
    return Case(what, RULE, changes, field, allowed)


PROBES: Final = (
    _probe("no protocol", {"spec.protocol": ABSENT}, "spec.protocol", "Required value"),
    *(
        _probe(f"protocol {text}", {"spec.protocol": text}, "spec.protocol", '"http", "tcp"')
        for text in ("https", "udp", "HTTP", "TCP", "")
    ),
    _probe("http without path", {"spec.path": ABSENT}, "spec.path", "/healthz"),
    _probe("tcp with a path", {"spec.protocol": "tcp"}, "spec.path", "protocol http only"),
    _probe("an empty path", {"spec.path": ""}, "spec.path", "at least 1"),
    _probe("a relative path", {"spec.path": "healthz"}, "spec.path", "^/"),
    _probe("a whole address as path", {"spec.path": "http://a/b"}, "spec.path", "^/"),
    _probe("a path with a blank", {"spec.path": "/a b"}, "spec.path", "^/"),
    _probe("a path with a fragment", {"spec.path": "/a#b"}, "spec.path", "^/"),
    _probe("a path with a line break", {"spec.path": "/a\r\nHost: x"}, "spec.path", "^/"),
    _probe("a path of 1025 characters", {"spec.path": "/" + "a" * 1024}, "spec.path", "1024"),
    _probe("port 0", {"spec.port": 0}, "spec.port", "greater than or equal to 1"),
    _probe("port 65536", {"spec.port": 65_536}, "spec.port", "less than or equal to 65535"),
    _probe("port -1", {"spec.port": -1}, "spec.port", "greater than or equal to 1"),
    _probe('port "80"', {"spec.port": "80"}, "spec.port", "integer"),
    _probe("port 80.5", {"spec.port": 80.5}, "spec.port", "integer"),
    _probe("an interval of 4 s", {"spec.intervalInSeconds": 4}, "intervalInSeconds", "to 5"),
    _probe("an interval as span", {"spec.intervalInSeconds": "PT15S"}, "intervalIn", "integer"),
    _probe("an interval of 5.5 s", {"spec.intervalInSeconds": 5.5}, "intervalIn", "integer"),
    _probe("a time-out of 10 s", {"spec.timeoutInSeconds": 10}, "timeoutInSeconds", "to 11"),
    _probe("a time-out as text", {"spec.timeoutInSeconds": "31"}, "timeoutInSeconds", "integer"),
    _probe("a time-out of over a day", {"spec.timeoutInSeconds": 86_401}, "timeout", "86400"),
)


def once(**times: str) -> Manifest:
    """Changes of a once window: `pre_start`, `pre_end`, `start`, `end`."""
    paths = {
        "pre_start": "spec.once.selfService.startTime",
        "pre_end": "spec.once.selfService.endTime",
        "start": "spec.once.scheduled.startTime",
        "end": "spec.once.scheduled.endTime",
    }
    return {paths[name]: time for name, time in times.items()}


def recurring(**changes: object) -> Manifest:
    return {"spec.once": ABSENT, "spec.recurring": RECURRING} | {
        f"spec.recurring.{name}": value for name, value in changes.items()
    }


DAYS: Final = [f"2027-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)][:51]

NODES: Final[Manifest] = {"jobTemplate": {"spec": {}}}

WINDOWS: Final = (
    _window("both once and recurring", {"spec.recurring": RECURRING}, "spec.once", "exactly one"),
    _window("neither once nor recurring", {"spec.once": ABSENT}, "spec.recurring", "exactly one"),
    _window(
        "self-service that ends as it starts",
        once(pre_end="2026-11-20T00:00:00Z"),
        "spec.once.selfService.startTime",
        "earlier than",
    ),
    _window(
        "self-service that ends before it starts",
        once(pre_end="2026-11-19T00:00:00Z"),
        "spec.once.selfService.startTime",
        "earlier than",
    ),
    _window(
        "windows that overlap by a second",
        once(start="2026-11-26T23:59:59Z"),
        "spec.once.selfService.endTime",
        "no later than",
    ),
    _window(
        "windows that overlap once zones are regarded",
        once(start="2026-11-27T00:30:00+01:00"),
        "spec.once.selfService.endTime",
        "no later than",
    ),
    _window(
        "a scheduled window that ends as it starts",
        once(end="2026-11-27T02:00:00Z"),
        "spec.once.scheduled.startTime",
        "earlier than",
    ),
    _window("a time without zone", once(end="2026-11-27T08:00:00"), "endTime", "Z|"),
    _window("a day for a time", once(end="2026-11-27"), "endTime", "T[0-9]{2}"),
    _window("30 February", once(end="2026-02-30T08:00:00Z"), "endTime", "date-time"),
    _window("a time in words", once(end="tonight"), "endTime", "date-time"),
    _window("a time as number", {"spec.once.scheduled.endTime": 1}, "endTime", "of type"),
    _window(
        "Redeploy without self-service",
        {"spec.once.selfService": ABSENT},
        "spec.once.selfService",
        "required with impact Redeploy",
    ),
    _window("Pause with self-service", {"spec.impact": "Pause"}, "selfService", "Redeploy only"),
    _window("no scheduled window", {"spec.once.scheduled": ABSENT}, "scheduled", "Required value"),
    _window("impact Reboot", {"spec.impact": "Reboot"}, "impact", '"None", "Pause", "Redeploy"'),
    _window("notice of P29D", {"spec.notifyBefore": "P29D"}, "spec.notifyBefore", "P30D or more"),
    _window("notice of P366D", {"spec.notifyBefore": "P366D"}, "spec.notifyBefore", "P365D"),
    _window("a notice of 30d", {"spec.notifyBefore": "30d"}, "spec.notifyBefore", PATTERN),
    _window("four cron fields", recurring(schedule="10 12 * *"), "schedule", "){4}$"),
    _window("a cron word", recurring(schedule="@weekly xx"), "schedule", "){4}$"),
    _window("a zone with a blank", recurring(timeZone="Europe Berlin"), "timeZone", "[A-Za-z]"),
    _window("a window of PT1M", recurring(duration="PT1M"), "duration", "PT5M to P7D"),
    _window("a window of P8D", recurring(duration="P8D"), "duration", "PT5M to P7D"),
    _window("a lead of P91D", recurring(selfServiceLead="P91D"), "Lead", "PT1H to P90D"),
    _window("a blackout that is no day", recurring(blackoutDates=["Xmas"]), "Dates[0]", "[0-9]{4}"),
    _window("30 February left out", recurring(blackoutDates=["2027-02-30"]), "Dates[0]", "date"),
    _window("a day left out twice", recurring(blackoutDates=["2027-02-01"] * 2), "Date", "Dupl"),
    _window("51 days left out", recurring(blackoutDates=DAYS), "blackoutDates", "at most 50"),
    _window(
        "recurring Redeploy without a lead",
        recurring(selfServiceLead=ABSENT),
        "spec.recurring.selfServiceLead",
        "required with impact Redeploy",
    ),
    _window(
        "recurring Pause with a lead",
        recurring() | {"spec.impact": "Pause"},
        "spec.recurring.selfServiceLead",
        "Redeploy only",
    ),
    _window(
        "a window paired with itself",
        {"spec.pairedWith.name": "sample"},
        "spec.pairedWith.name",
        "another MaintenanceWindow",
    ),
    _window(
        "a pause of P2D between domains",
        {"spec.updateDomains.pauseBetween": "P2D"},
        "spec.updateDomains.pauseBetween",
        "PT0S to P1D",
    ),
    _window(
        "Redeploy to nowhere",
        {"spec.updatedNodeSelector": ABSENT},
        "spec.updatedNodeSelector",
        "required with impact Redeploy",
    ),
    _window(
        "work on nodes with Pause",
        recurring(selfServiceLead=ABSENT) | {"spec.impact": "Pause", "spec.nodeMaintenance": NODES},
        "spec.nodeMaintenance",
        "Redeploy only",
    ),
    _window(
        "two days for a node",
        {"spec.nodeMaintenance": NODES | {"timeout": "P2D"}},
        "spec.nodeMaintenance.timeout",
        "PT1M to P1D",
    ),
    _window("no Job", {"spec.nodeMaintenance": {}}, "nodeMaintenance.jobTemplate", "Required"),
    _window(
        "iterations that shrink",
        {"spec.iterations": {"percents": [50, 10, 100]}},
        "spec.iterations.percents",
        "must not fall",
    ),
    _window("iterations of nothing", {"spec.iterations": {"percents": [0]}}, "percents[0]", "to 1"),
    _window("more than all", {"spec.iterations": {"percents": [101]}}, "percents[0]", "to 100"),
    _window("no iterations", {"spec.iterations": {"percents": []}}, "percents", "at least 1"),
    _window("an audience twice", {"spec.audiences": ["a", "a"]}, "spec.audiences", "Duplicate"),
    _window("an audience with a dot", {"spec.audiences": ["a.b"]}, "audiences[0]", "[a-z0-9]"),
)

RULES: Final = (
    _rule("no address", {"spec.frontendIPs": []}, "spec.frontendIPs", "1 to 16 addresses"),
    _rule("an address twice", {"spec.frontendIPs": ["192.0.2.1"] * 2}, "frontendIPs", "Duplicate"),
    _rule("a host name", {"spec.frontendIPs": ["web.example"]}, "frontendIPs", "25[0-5]"),
    _rule("address 256", {"spec.frontendIPs": ["192.0.2.256"]}, "frontendIPs", "25[0-5]"),
    _rule("17 addresses", {"spec.frontendIPs": [f"192.0.2.{n}" for n in range(17)]}, "IPs", "16"),
    _rule("1001 ports", {"spec.allocatedOutboundPorts": 1001}, "OutboundPorts", "multiple of 8"),
    _rule("4 ports", {"spec.allocatedOutboundPorts": 4}, "OutboundPorts", "multiple of 8"),
    _rule("64008 ports", {"spec.allocatedOutboundPorts": 64_008}, "OutboundPorts", "64000"),
    _rule("-8 ports", {"spec.allocatedOutboundPorts": -8}, "OutboundPorts", "to 0"),
    _rule("idle for PT3M59S", {"spec.idleTimeout": "PT3M59S"}, "idleTimeout", "PT4M to PT120M"),
    _rule("idle for PT121M", {"spec.idleTimeout": "PT121M"}, "idleTimeout", "PT4M to PT120M"),
    _rule("no selector", {"spec.scaleSetSelector": ABSENT}, "scaleSetSelector", "Required value"),
)
