"""From rules and the node's pods to what the node's data plane is to look like.

One rule or pod that makes no sense is left out and told; it never stops the others. Must not know
how ports were given out, or what stands in the kernel.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from scaleset_operator.agent.desired import Block, Desired, Outlet
from scaleset_operator.agent.members import Member
from scaleset_operator.api.agentreport import RuleReport, program_of
from scaleset_operator.api.outboundrule import OutboundRule, PortAllocation

Holds = Callable[[IPv4Address], bool]
"""Whether an address is one of this node's."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What this node is to carry out.

    Attributes:
        rules: namespace/name of each rule with an instance here -> what becomes of it.
        frontends: front-end addresses of rules that this node holds.
    """

    desired: Desired = field(default_factory=Desired)
    rules: Mapping[str, RuleReport] = field(default_factory=dict)
    frontends: tuple[str, ...] = ()


def assigned(
    members: Iterable[Member],
    rules: Iterable[OutboundRule],
    holds: Holds,
    inside: Iterable[IPv4Network],
) -> Assignment:
    """Sorts the node's instances to their ways out.

    Args:
        members: the pods of this node.
        rules: all that there are.
        holds: which addresses are this node's. An instance whose front end another node holds has
            no outlet here: the answers would arrive there (S-34).
        inside: networks whose traffic is neither translated nor denied.
    """
    known = sorted(rules, key=lambda rule: (rule.metadata.namespace, rule.metadata.name))
    sorting = _Sorting(members, holds)
    reports = dict(_told(known, sorting))
    return Assignment(
        desired=Desired(outlets=tuple(sorting.outlets.values()), inside=tuple(inside)),
        rules=reports,
        frontends=tuple(sorted({ip for rule in known for ip in _held(rule, holds)})),
    )


def _held(rule: OutboundRule, holds: Holds) -> Iterator[str]:
    return (ip for ip in rule.spec.frontend_ips if holds(IPv4Address(ip)))


def _told(rules: Iterable[OutboundRule], sorting: "_Sorting") -> Iterator[tuple[str, RuleReport]]:
    """Denials first: an instance that two rules claim has no way out rather than one too many."""
    rules = list(rules)
    faults = {rule.metadata.uid: sorting.deny(rule) for rule in rules}
    for rule in rules:
        seen, lacks = faults[rule.metadata.uid]
        seen_too, lacks_too = sorting.translate(rule)
        if seen or seen_too:
            message = "; ".join(dict.fromkeys([*lacks, *lacks_too]))
            report = RuleReport(program=program_of(rule), message=message)
            yield f"{rule.metadata.namespace}/{rule.metadata.name}", report


class _Sorting:
    """Who has which way out so far; takes one rule after the other."""

    def __init__(self, members: Iterable[Member], holds: Holds) -> None:
        self._holds = holds
        self._members = {member.key: member for member in members}
        youngest: dict[IPv4Address, Member] = {}
        for member in sorted(self._members.values(), key=lambda one: (one.created, one.key)):
            if member.address is not None:
                youngest[member.address] = member
        # A pod that is being torn down may still show an address that another has by now.
        self._addressed = {member.key: address for address, member in youngest.items()}
        self._blocks: list[tuple[Block, str]] = []
        self.outlets: dict[str, Outlet] = {}

    def deny(self, rule: OutboundRule) -> tuple[bool, list[str]]:
        """Whether anybody here is meant, and what keeps the rule from being carried out."""
        lacks, seen = [], False
        for name in rule.status.denied:
            key = f"{rule.metadata.namespace}/{name}"
            if key not in self._members:
                continue
            seen = True
            address = self._addressed.get(key)
            if address is None:
                lacks.append(f"{name} has no address of its own")
            else:
                self.outlets[key] = Outlet(name=key, address=address, denied=True)
        return seen, lacks

    def translate(self, rule: OutboundRule) -> tuple[bool, list[str]]:
        """As `deny`, for those who have ports."""
        lacks, seen = [], False
        for one in rule.status.allocations:
            key = f"{rule.metadata.namespace}/{one.instance}"
            if key not in self._members:
                continue
            seen = True
            block = _block(one)
            fault = self._fault(key, block)
            if fault is not None:
                lacks.append(fault)
                continue
            address, idle = self._addressed[key], rule.spec.idle_timeout
            self.outlets[key] = Outlet(name=key, address=address, block=block, idle=idle)
            self._blocks.append((block, key))
        return seen, lacks

    def _fault(self, key: str, block: Block) -> str | None:
        """Why the instance does not get these ports here."""
        name = key.partition("/")[2]
        if not self._holds(block.frontend):
            return f"{block.frontend} is no address of this node"
        if key not in self._addressed:
            return f"{name} has no address of its own"
        if key in self.outlets:
            return f"{name} has another way out already"
        if block.first > block.last:
            return f"{name}: {block.first} to {block.last} is no block of ports"
        for other, whose in self._blocks:
            shared = block.first <= other.last and other.first <= block.last
            if other.frontend == block.frontend and shared:
                return f"{name} and {whose} share ports of {block.frontend}"
        return None


def _block(one: PortAllocation) -> Block:
    frontend = IPv4Address(one.frontend_ip)
    return Block(frontend=frontend, first=one.first_port, last=one.last_port)
