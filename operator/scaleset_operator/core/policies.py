"""Whether NetworkPolicies keep the prober away from a set's instances; only what is certain counts.

Every question has three answers: yes, no, and None where too little is known. A set counts as shut
off only when a policy selects it for certain and no rule of any policy may let the prober in
(S-31). Knows nothing of probes, verdicts or repairs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network

from scaleset_operator.api.base import LABEL_PREFIX

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label by which the API server marks every namespace with its own name."""
TCP = "TCP"


class Operator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One line of a label selector.

    Attributes:
        operator: None is one that this version does not know.
    """

    key: str
    operator: Operator | None
    values: frozenset[str] = frozenset()


Selector = tuple[Requirement, ...]
"""All of them must hold; an empty one selects everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """Ports that a rule opens: a number, a range, a container port's name, or with None all."""

    protocol: str = TCP
    port: int | str | None = None
    end_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBlock:
    """Addresses that a rule lets in, as CIDRs."""

    cidr: str
    excepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom a rule lets in: a block of addresses, or pods by their labels and their namespace's.

    Attributes:
        pods: None where the rule names none: every pod of the namespaces it names.
        namespaces: None where the rule names none: the policy's own.
    """

    block: AddressBlock | None = None
    pods: Selector | None = None
    namespaces: Selector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """One rule: no ports are all ports, no peers is everybody."""

    ports: tuple[PortRange, ...] = ()
    peers: tuple[Peer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One NetworkPolicy that concerns what comes in; others are left out."""

    name: str
    selects: Selector = ()
    ingress: tuple[Ingress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberPlace:
    """Where the prober's requests come from; None is not known."""

    namespace: str | None = None
    namespace_labels: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    addresses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The policies of one set's namespace, and what they are held against.

    Attributes:
        labels: that every instance of the set bears.
        named_ports: name of a container port -> its number.
        complete: whether the instances bear no other labels and name no other ports.
    """

    namespace: str
    policies: tuple[Policy, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    named_ports: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False
    place: ProberPlace = ProberPlace()


def way_in(around: Surroundings, port: int) -> bool | None:
    """Whether the prober reaches the instances' port, as far as policies go; None is not known.

    Args:
        around: as last read.
        port: TCP, that the probe asks.
    """
    selecting = [(p, _of_instances(p.selects, around)) for p in around.policies]
    shut = _any(selects for _, selects in selecting)
    opened = _any(
        _all((selects, _admits(rule, around, port)))
        for policy, selects in selecting
        for rule in policy.ingress
    )
    if shut is False or opened is True:
        return True
    return False if shut is True and opened is False else None


def shut_by(around: Surroundings, port: int) -> str | None:
    """The policy that for certain keeps the prober from the instances' port; None where none does.

    Args:
        around: as last read.
        port: TCP, that the probe asks.
    """
    if way_in(around, port) is not False:
        return None
    return min(p.name for p in around.policies if _of_instances(p.selects, around))


def _admits(rule: Ingress, around: Surroundings, port: int) -> bool | None:
    ports = _any(_opens(one, around, port) for one in rule.ports) if rule.ports else True
    peers = _any(_lets_in(one, around) for one in rule.peers) if rule.peers else True
    return _all((ports, peers))


def _opens(one: PortRange, around: Surroundings, port: int) -> bool | None:
    if one.protocol != TCP:
        return False
    if one.port is None:
        return True
    if isinstance(one.port, int):
        return one.port <= port <= (one.end_port or one.port)
    if not around.complete:
        return None
    return around.named_ports.get(one.port) == port


def _lets_in(peer: Peer, around: Surroundings) -> bool | None:
    if peer.block is not None:
        return _holds_one(peer.block, around.place.addresses)
    place = around.place
    if place.namespace is None:
        return None
    near: bool | None = place.namespace == around.namespace
    if peer.namespaces is not None:
        near = _of_namespace(peer.namespaces, place)
    return _all((near, _matches(peer.pods or (), place.labels)))


def _of_namespace(selector: Selector, place: ProberPlace) -> bool | None:
    known = place.namespace_labels
    if known is not None:
        return _matches(selector, known)
    own = {NAMESPACE_NAME: place.namespace or ""}
    return _all(_meets(one, own) if one.key in own else None for one in selector)


def _of_instances(selector: Selector, around: Surroundings) -> bool | None:
    """Labels under our prefix differ from instance to instance: they are not known of all."""
    return _all(
        _meets(one, around.labels)
        if one.key in around.labels
        or (around.complete and not one.key.startswith(f"{LABEL_PREFIX}/"))
        else None
        for one in selector
    )


def _matches(selector: Selector, labels: Mapping[str, str] | None) -> bool | None:
    if labels is None:
        return None if selector else True
    return _all(_meets(one, labels) for one in selector)


def _meets(one: Requirement, labels: Mapping[str, str]) -> bool | None:
    value = labels.get(one.key)
    match one.operator:
        case Operator.IN:
            return value in one.values
        case Operator.NOT_IN:
            return value not in one.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None
        case None:
            return None


def _holds_one(block: AddressBlock, addresses: tuple[str, ...] | None) -> bool | None:
    if not addresses:
        return None
    try:
        inside = [a for a in addresses if _within(a, block.cidr)]
        return any(not any(_within(a, hole) for hole in block.excepts) for a in inside)
    except ValueError:
        return None


def _within(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr, strict=False)


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    if False in found:
        return False
    return None if None in found else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    if True in found:
        return True
    return None if None in found else False
