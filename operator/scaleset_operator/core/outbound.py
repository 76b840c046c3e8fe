"""The decision over one OutboundRule: who has which ports, and what is said of it.

Everything that an agent carries out follows from the status that is recorded here, written by
compare and swap, so that of two operators at once one writes in vain and no port has two owners.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from scaleset_operator.api.agentreport import AgentReport, program_of
from scaleset_operator.api.outboundrule import (
    MAX_ALLOCATIONS,
    MAX_LISTED,
    MAX_UNALLOCATED,
    OutboundRule,
    OutboundRuleStatus,
    PortAllocation,
)
from scaleset_operator.core.conditions import timed
from scaleset_operator.core.outboundwords import Budget, Carried, busiest, words
from scaleset_operator.core.pool import Claims, Member, Way
from scaleset_operator.core.portblocks import PortBlock, Tenant, assign
from scaleset_operator.core.ports import Grid, capacity_by_hand, end_of_row, ports_by_table


@dataclass(frozen=True, slots=True)
class Heard:
    """What one node's agent reports, and whether it still answers."""

    report: AgentReport
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """Everything that one decision over a rule is made from.

    Attributes:
        members: instances of its pool, the oldest first; sets of older rules are left out.
        wanted: the largest count that the sets of the pool ask for, and surplus what repairs and
            rollouts make beside it.
        agents: node -> what its agent reports.
    """

    rule: OutboundRule
    members: tuple[Member, ...] = ()
    wanted: int = 0
    surplus: int = 0
    claims: Claims = field(default_factory=Claims)
    agents: Mapping[str, Heard] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Instances that count in the pool."""
        return sum(not member.leaving for member in self.members)

    @property
    def frontends(self) -> tuple[str, ...]:
        """The addresses that no older rule has."""
        taken = {address for address, _ in self.claims.addresses}
        return tuple(one for one in self.rule.spec.frontend_ips if one not in taken)


def outbound_status(view: RuleView, now: datetime) -> OutboundRuleStatus:
    """The rule's next status.

    Args:
        view: what was seen; the blocks that are held stand in the rule's own status.
        now: the time of what was not so before.
    """
    rule = view.rule
    budget = _budget(view)
    blocks, without = _blocks(view, budget)
    status = rule.status.model_copy(
        update={
            "observed_generation": rule.metadata.generation,
            "pool_size": view.size,
            "ports_per_instance": budget.ports,
            "instances_to_next_tier": budget.left,
            "allocations": _rows(blocks),
            "unallocated": without[:MAX_UNALLOCATED],
            "denied": _denied(view),
        }
    )
    carried = _carried(rule.model_copy(update={"status": status}), view)
    status = status.model_copy(
        update={
            "allocations": tuple(
                row.model_copy(update={"programmed": row.instance in carried.programmed})
                for row in status.allocations
            ),
            "busiest": busiest(status, carried.usage, rule.status.busiest),
        }
    )
    said = words(rule.spec, status, budget, carried, view.claims, without)
    shown = timed(said, rule.status.conditions, rule.metadata.generation, now)
    return status.model_copy(update={"conditions": shown})


def _budget(view: RuleView) -> Budget:
    """How many ports each instance has, and how many more have as many."""
    spec, size = view.rule.spec, view.size
    on_node = sum(m.way is Way.NODE for m in view.members if not m.leaving)
    public = sum(m.way is Way.OWN_ADDRESS for m in view.members if not m.leaving)
    base = Budget(ports=0, left=None, surplus=view.surplus, on_node=on_node, public=public)
    by_hand = spec.allocated_outbound_ports
    if spec.deny_outbound:
        return base
    if by_hand:
        room = capacity_by_hand(by_hand, len(view.frontends))
        needed = max(view.wanted + view.surplus, size)
        if needed > room:
            # What was accepted before stands; nobody loses ports to a refusal (S-33).
            before = view.rule.status.ports_per_instance
            return replace(base, ports=before, left=0, needed=needed, room=room)
        return replace(base, ports=by_hand, left=room - size, by_hand=True)
    row = ports_by_table(size)
    if row is None:
        least = ports_by_table(MAX_ALLOCATIONS) or 0
        return replace(base, ports=least, left=0, too_large=True)
    end = end_of_row(size)
    return replace(base, ports=row, left=None if end is None or not size else end - size)


def _blocks(view: RuleView, budget: Budget) -> tuple[dict[str, PortBlock], tuple[str, ...]]:
    if not budget.ports:
        refused = budget.room is not None or not view.frontends
        wanting = view.members if refused and not view.rule.spec.deny_outbound else ()
        return {}, tuple(m.name for m in wanting if m.way is Way.FRONTEND and not m.leaving)
    held = {row.instance: _block(row) for row in view.rule.status.allocations}
    served = [m for m in view.members if m.way is Way.FRONTEND]
    # Whoever holds ports goes before whoever comes, and who leaves only keeps what it has.
    served.sort(key=lambda m: (m.leaving, m.name not in held))
    counted = [m for m in served if not m.leaving][:MAX_ALLOCATIONS]
    beyond = [m.name for m in served if not m.leaving][MAX_ALLOCATIONS:]
    going = [m for m in served if m.leaving and m.name in held]
    tenants = [
        Tenant(
            name=member.name,
            frontends=_reachable(view, member),
            held=held.get(member.name),
            leaving=member.leaving,
        )
        for member in (*counted, *going)
    ]
    grid = Grid.by_hand(budget.ports) if budget.by_hand else Grid.by_table(budget.ports)
    found = assign(tenants, grid)
    return dict(found.blocks), (*found.without, *beyond)


def _reachable(view: RuleView, member: Member) -> tuple[str, ...]:
    """Addresses that the member's own node holds: answers reach no other; else all, as a plan."""
    heard = view.agents.get(member.node or "")
    here = frozenset(heard.report.frontends) if heard is not None else frozenset()
    return tuple(one for one in view.frontends if one in here) or view.frontends


def _rows(blocks: Mapping[str, PortBlock]) -> tuple[PortAllocation, ...]:
    rows = sorted(blocks.items(), key=lambda item: item[1])
    return tuple(
        PortAllocation(
            instance=name,
            frontend_ip=block.frontend,
            first_port=block.first,
            last_port=block.last,
        )
        for name, block in rows[:MAX_LISTED]
    )


def _block(row: PortAllocation) -> PortBlock:
    return PortBlock(row.frontend_ip, row.first_port, row.last_port)


def _denied(view: RuleView) -> tuple[str, ...]:
    """Who has no way out: not those on their node's network, whose address is not theirs alone."""
    if not view.rule.spec.deny_outbound:
        return ()
    names = (m.name for m in view.members if m.way is not Way.NODE)
    return tuple(sorted(names))[:MAX_ALLOCATIONS]


def _carried(rule: OutboundRule, view: RuleView) -> Carried:
    """What the agents carry out of this status, and how it is used."""
    key = f"{rule.metadata.namespace}/{rule.metadata.name}"
    program = program_of(rule)
    carried = Carried()
    nodes = {m.name: m.node for m in view.members}
    concerned = {row.instance: row for row in rule.status.allocations}
    for name in (*concerned, *rule.status.denied):
        node = nodes.get(name) or ""
        heard = view.agents.get(node)
        said = None if heard is None else heard.report.rules.get(key)
        mine = None
        if heard is not None:
            mine = heard.report.instances.get(f"{rule.metadata.namespace}/{name}")
        if mine is not None:
            carried.usage[name] = mine
        if heard is None or not _serves(heard.report, concerned.get(name)):
            carried.plan.append(name)
        elif heard.silent:
            carried.silent.append((name, node))
        elif said is None or said.program != program or said.message or mine is None:
            carried.pending.append((name, said.message if said is not None else ""))
        else:
            carried.programmed.add(name)
    return carried


def _serves(report: AgentReport, row: PortAllocation | None) -> bool:
    """Whether the node of this agent can carry it out: a denial always, a block by its address."""
    return row is None or row.frontend_ip in report.frontends
