"""The reason codes of an OutboundRule's conditions, with their meaning and what to do.

Must not know: when a reason applies; that is decided in `core`.
"""

from enum import StrEnum
from typing import Final


class OutboundReason(StrEnum):
    """Why a condition of an OutboundRule, or OutboundPortsSufficient of a set, is as it is."""

    WITHIN_TIER = "WithinTier"
    NEAR_TIER_EDGE = "NearTierEdge"
    PORTS_EXHAUSTED = "PortsExhausted"
    POOL_TOO_LARGE = "PoolTooLarge"
    EMPTY_POOL = "EmptyPool"
    OUTBOUND_DENIED = "OutboundDenied"
    PORTS_OVERCOMMITTED = "PortsOvercommitted"
    CLAIMED_BY_OLDER_RULE = "ClaimedByOlderRule"
    PROGRAMMED = "Programmed"
    PROGRAMMING = "Programming"
    PLAN_ONLY = "PlanOnly"
    AGENT_LOST = "AgentLost"


OUTBOUND_REASON_TEXT: Final[dict[OutboundReason, str]] = {
    OutboundReason.WITHIN_TIER: "Every instance has its ports, and there is room for a surplus.",
    OutboundReason.NEAR_TIER_EDGE: (
        "Every instance has its ports, but the next ones, or a surplus that repairs and rollouts "
        "make, leave each with fewer."
    ),
    OutboundReason.PORTS_EXHAUSTED: (
        "An instance has no ports left: none were to be had for it, or all of its own are in use."
    ),
    OutboundReason.POOL_TOO_LARGE: "The pool has more than 1000 instances, where the table ends.",
    OutboundReason.EMPTY_POOL: "The rule selects no instance.",
    OutboundReason.OUTBOUND_DENIED: "denyOutbound is set: nobody of the pool has a way out.",
    OutboundReason.PORTS_OVERCOMMITTED: (
        "The manual allocation needs more ports than its addresses have, surplus included."
    ),
    OutboundReason.CLAIMED_BY_OLDER_RULE: (
        "A set or an address belongs to an older OutboundRule; the rest of the rule stands."
    ),
    OutboundReason.PROGRAMMED: "The agents report that every instance leaves by its own block.",
    OutboundReason.PROGRAMMING: "Agents that answer have not carried out all of it yet.",
    OutboundReason.PLAN_ONLY: "No agent carries it out for some instance: its figures are a plan.",
    OutboundReason.AGENT_LOST: (
        "An agent that carried it out has stopped answering; its node goes on as it was."
    ),
}
"""One sentence for each code, for people."""

OUTBOUND_ADVICE: Final[dict[OutboundReason, str]] = {
    OutboundReason.WITHIN_TIER: "Nothing.",
    OutboundReason.NEAR_TIER_EDGE: (
        "Delete first (maxSurge false, no terminate notice) to stay in the row, or split the pool."
    ),
    OutboundReason.PORTS_EXHAUSTED: (
        "Reuse and pool connections to the destination in status.busiest, retry with back-off, or "
        "add an address with a manual allocation."
    ),
    OutboundReason.POOL_TOO_LARGE: "Split the pool over several rules with their own addresses.",
    OutboundReason.EMPTY_POOL: "Nothing, or compare scaleSetSelector with the sets' labels.",
    OutboundReason.OUTBOUND_DENIED: "Nothing.",
    OutboundReason.PORTS_OVERCOMMITTED: "Lower allocatedOutboundPorts, or add front-end addresses.",
    OutboundReason.CLAIMED_BY_OLDER_RULE: "Give one of the two another selector or address.",
    OutboundReason.PROGRAMMED: "Nothing.",
    OutboundReason.PROGRAMMING: "Wait; if it lasts, read the log of the agent in the message.",
    OutboundReason.PLAN_ONLY: "Run the node agent on a node that holds the front-end address.",
    OutboundReason.AGENT_LOST: "Look at the agent's pod on that node.",
}
"""What a person can do."""
