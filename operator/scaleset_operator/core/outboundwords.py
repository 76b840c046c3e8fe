"""What is said of an OutboundRule: its three conditions, and its busiest instance.

Must not know how ports were given out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scaleset_operator.api.agentreport import InstanceReport
from scaleset_operator.api.base import ConditionStatus, Reason
from scaleset_operator.api.outboundreasons import OutboundReason
from scaleset_operator.api.outboundrule import (
    BusiestDestination,
    OutboundRuleSpec,
    OutboundRuleStatus,
    PortAllocation,
)
from scaleset_operator.api.scalesetstatus import OutboundSummary
from scaleset_operator.core.conditions import Word
from scaleset_operator.core.pool import Claims
from scaleset_operator.core.several import several

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
SUFFICIENT = "OutboundPortsSufficient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The ports of one instance, and what follows for the next ones.

    Attributes:
        left: instances that still fit before each has fewer; None where that means nothing.
        by_hand: whether the number was chosen by the owner, and has room.
        needed: instances that a refused allocation would have to serve, with room for `room`.
        surplus: instances that repairs and rollouts may make beside those wanted.
        on_node: members on the network of their node; public: those with an address of their own.
    """

    ports: int
    left: int | None
    by_hand: bool = False
    too_large: bool = False
    needed: int = 0
    room: int | None = None
    surplus: int = 0
    on_node: int = 0
    public: int = 0


@dataclass(slots=True)
class Carried:
    """What the agents carry out: instances by how far they are."""

    programmed: set[str] = field(default_factory=set)
    plan: list[str] = field(default_factory=list)
    silent: list[tuple[str, str]] = field(default_factory=list)
    pending: list[tuple[str, str]] = field(default_factory=list)
    usage: dict[str, InstanceReport] = field(default_factory=dict)


def words(
    spec: OutboundRuleSpec,
    status: OutboundRuleStatus,
    budget: Budget,
    carried: Carried,
    claims: Claims,
    without: Sequence[str],
) -> Iterator[Word]:
    """Accepted, OutboundPortsSufficient, Programmed."""
    yield _accepted(spec, budget, claims)
    yield _sufficient(spec, status, budget, carried, without)
    yield _programmed(status, carried)


def _accepted(spec: OutboundRuleSpec, budget: Budget, claims: Claims) -> Word:
    kind = "Accepted"
    if budget.room is not None:
        message = (
            f"spec.allocatedOutboundPorts: {spec.allocated_outbound_ports} for {budget.needed} "
            f"instances, surplus included; its addresses have room for {budget.room}: lower it, "
            f"or add addresses to spec.frontendIPs. Each keeps {budget.ports}"
        )
        return Word(kind, FALSE, OutboundReason.PORTS_OVERCOMMITTED, message)
    if claims.sets or claims.addresses:
        owned = [f"ScaleSet {name} belongs to {rule}" for name, rule in claims.sets]
        owned += [f"address {name} belongs to {rule}" for name, rule in claims.addresses]
        message = f"older OutboundRules come first: {several(owned)}"
        return Word(kind, FALSE, OutboundReason.CLAIMED_BY_OLDER_RULE, message)
    return Word(kind, TRUE, Reason.VALID, "the rule is carried out")


def _sufficient(
    spec: OutboundRuleSpec,
    status: OutboundRuleStatus,
    budget: Budget,
    carried: Carried,
    without: Sequence[str],
) -> Word:
    if spec.deny_outbound:
        message = f"{status.pool_size} instances have no way out (spec.denyOutbound)"
        return Word(SUFFICIENT, TRUE, OutboundReason.OUTBOUND_DENIED, message)
    if not status.pool_size:
        return Word(SUFFICIENT, TRUE, OutboundReason.EMPTY_POOL, "the pool is empty")
    if budget.too_large:
        ends = f"{status.pool_size} instances; the table ends at 1000"
        message = f"{ends}. Without ports: {several(without)}"
        return Word(SUFFICIENT, FALSE, OutboundReason.POOL_TOO_LARGE, message)
    if without:
        message = f"no ports are left for {several(without)}; the others keep theirs"
        return Word(SUFFICIENT, FALSE, OutboundReason.PORTS_EXHAUSTED, message)
    full = sorted(_full(status, carried.usage))
    if full:
        message = f"all ports are in use, so new flows fail: {several(full)}"
        return Word(SUFFICIENT, FALSE, OutboundReason.PORTS_EXHAUSTED, message)
    message = f"{status.pool_size} instances, {budget.ports} ports each{_apart(status, budget)}"
    if budget.left is None or budget.left >= max(1, budget.surplus):
        return Word(SUFFICIENT, TRUE, OutboundReason.WITHIN_TIER, message)
    more = f"{message}; {budget.left} more fit"
    if budget.surplus:
        more = f"{more}, and repairs and rollouts may add {budget.surplus}"
    return Word(SUFFICIENT, TRUE, OutboundReason.NEAR_TIER_EDGE, more)


def _apart(status: OutboundRuleStatus, budget: Budget) -> str:
    """Those whose figures are others."""
    small = sum(size_of(row) < budget.ports for row in status.allocations)
    told = (
        (budget.on_node, "on the network of their node, with its ports"),
        (budget.public, "with a public address of their own, and all its ports"),
        (small, "with fewer until the ports beside theirs are free"),
    )
    return "".join(f"; {count} {text}" for count, text in told if count)


def _programmed(status: OutboundRuleStatus, carried: Carried) -> Word:
    kind = "Programmed"
    total = len(status.allocations) + len(status.denied)
    done = f"{len(carried.programmed)} of {total} instances leave as the status says"
    if carried.plan:
        message = (
            f"{done}; no agent on a node with the address, a plan only: {several(carried.plan)}"
        )
        return Word(kind, FALSE, OutboundReason.PLAN_ONLY, message)
    if carried.silent:
        nodes = sorted({node for _, node in carried.silent})
        message = f"{done}; no answer from the agents of {several(nodes)}"
        return Word(kind, FALSE, OutboundReason.AGENT_LOST, message)
    if carried.pending:
        told = [f"{name} ({why})" if why else name for name, why in carried.pending]
        return Word(kind, FALSE, OutboundReason.PROGRAMMING, f"{done}; not yet: {several(told)}")
    if not total:
        return Word(kind, FALSE, OutboundReason.EMPTY_POOL, "there is nothing to carry out")
    return Word(kind, TRUE, OutboundReason.PROGRAMMED, done)


def _full(status: OutboundRuleStatus, usage: Mapping[str, InstanceReport]) -> Iterator[str]:
    for row in status.allocations:
        used = usage.get(row.instance)
        if row.programmed and used is not None and used.used >= size_of(row):
            hot = f" to {destination(used)}" if used.hottest is not None else ""
            yield f"{row.instance}{hot}"


def busiest(
    status: OutboundRuleStatus,
    usage: Mapping[str, InstanceReport],
    before: BusiestDestination | None,
) -> BusiestDestination | None:
    """The instance nearest to its end, by eighths of its block: few figures are worth a write.

    While it is among the nearest, the one that was told stays.
    """
    found: list[tuple[int, BusiestDestination]] = []
    for row in status.allocations:
        used = usage.get(row.instance)
        if used is None or used.hottest is None or not used.peak:
            continue
        size = size_of(row)
        eighths = min(8, -(-used.peak * 8 // size))
        told = BusiestDestination(
            instance=row.instance, destination=destination(used), ports=eighths * size // 8
        )
        found.append((eighths, told))
    most = max((eighths for eighths, _ in found), default=0)
    top = [one for eighths, one in found if eighths == most]
    same = [one for one in top if before is not None and one.instance == before.instance]
    return next(iter(same or top), None)


def summary(name: str, status: OutboundRuleStatus) -> OutboundSummary:
    """What stands of it in the status of each set of the pool."""
    return OutboundSummary(
        rule=name,
        pool_size=status.pool_size,
        ports_per_instance=status.ports_per_instance,
        instances_to_next_tier=status.instances_to_next_tier,
    )


def size_of(row: PortAllocation) -> int:
    """Ports of a block."""
    return row.last_port - row.first_port + 1


def destination(used: InstanceReport) -> str:
    """Address, port and protocol; empty where there is none."""
    hot = used.hottest
    return "" if hot is None else f"{hot.address}:{hot.port}/{hot.protocol}"
