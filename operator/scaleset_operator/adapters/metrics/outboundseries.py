"""The series of outbound ports: what each instance has and uses, and how near the next tier is.

Must not know: how a value comes about.
"""

from collections.abc import Mapping
from typing import Final

from scaleset_operator.adapters.metrics.definition import Kind, Series

MOST_DESTINATIONS: Final = 10
"""Destinations of one rule that are told at once: there may be any number of them."""
_RULE: Final = {"namespace": "of the OutboundRule", "rule": "its name"}
_INSTANCE: Final = _RULE | {"instance_name": "an instance with a block of ports, by pod name"}
_BY_AGENTS: Final = "as the agents report it; none of an agent that is silent"


def _gauge(name: str, text: str, labels: Mapping[str, str]) -> Series:
    return Series(name=f"scaleset_outbound_{name}", kind=Kind.GAUGE, text=text, labels=labels)


CONDITION: Final = _gauge(
    "condition",
    "1 for what each condition of the rule says now; anything else has no series.",
    _RULE
    | {
        "type": "Accepted, OutboundPortsSufficient or Programmed",
        "status": "True, False or Unknown",
        "reason": "a reason code of docs/reasons.md",
    },
)
POOL: Final = _gauge("pool_instances", "Instances in the pool, surplus ones included.", _RULE)
PORTS_EACH: Final = _gauge("ports_per_instance", "Ports that each instance is to have.", _RULE)
TO_NEXT_TIER: Final = _gauge(
    "instances_to_next_tier",
    "Instances that still fit before each has fewer ports; no series where that means nothing.",
    _RULE,
)
ALLOCATED: Final = _gauge("allocated_ports", "Ports of the block of an instance.", _INSTANCE)
USED: Final = _gauge(
    "used_ports",
    "Ports in use: open flows to the destination that the instance has most to, "
    + _BY_AGENTS
    + ".",
    _INSTANCE,
)
PEAK: Final = _gauge("peak_ports", f"Most ports that were in use at once, {_BY_AGENTS}.", _INSTANCE)
REFUSED: Final = Series(
    name="scaleset_outbound_refused_flows_total",
    kind=Kind.COUNTER,
    text=f"Flows that found no free port, {_BY_AGENTS}. It begins anew with the node's rules.",
    labels=_INSTANCE,
)
DESTINATION: Final = _gauge(
    "destination_ports",
    f"Ports in use to one destination, of the {MOST_DESTINATIONS} instances of the rule nearest to "
    "the end of their ports.",
    _INSTANCE | {"destination": "address:port/protocol"},
)
REPORT_AGE: Final = _gauge(
    "agent_report_age_seconds",
    "How long the report of a node's agent has gone without renewal; half a minute is usual.",
    {"node": "whose agent"},
)
ALL: Final = (
    CONDITION,
    POOL,
    PORTS_EACH,
    TO_NEXT_TIER,
    ALLOCATED,
    USED,
    PEAK,
    REFUSED,
    DESTINATION,
    REPORT_AGE,
)
