"""What the outbound data plane of one node is to look like, as values.

Must not know nftables, conntrack, or who is in which pool and why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Final

from scaleset_operator.api.outboundrule import DEFAULT_IDLE_TIMEOUT, MAX_PORT

SHORTEST_IDLE: Final = timedelta(seconds=1)
"""The kernel counts whole seconds; the bounds of users stand in the API."""


@dataclass(frozen=True, kw_only=True, order=True)
class Block:
    """Source ports of one front-end address, both ends included."""

    frontend: IPv4Address
    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        """Whether the port is one of them."""
        return self.first <= port <= self.last

    def without(self, kept: "Block | None") -> tuple["Block", ...]:
        """What is left of it where `kept` is taken away: nothing, one piece or two."""
        if kept is None or kept.frontend != self.frontend:
            return (self,)
        ends = (
            (self.first, min(self.last, kept.first - 1)),
            (max(self.first, kept.last + 1), self.last),
        )
        pieces = {Block(frontend=self.frontend, first=a, last=b) for a, b in ends if a <= b}
        return tuple(sorted(pieces))


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """One instance's way out.

    Attributes:
        name: the instance, for whoever reads the counts.
        address: the instance's own address.
        block: the ports that its flows leave from; None leaves them to whoever else translates.
        idle: how long a flow may be idle before its port is free again.
        denied: whether it has no way out at all; it then uses no port either.
    """

    name: str
    address: IPv4Address
    block: Block | None = None
    idle: timedelta = DEFAULT_IDLE_TIMEOUT
    denied: bool = False


@dataclass(frozen=True, kw_only=True)
class Desired:
    """The whole data plane of a node.

    Attributes:
        outlets: every instance of a pool whose flows leave by this node.
        inside: networks that count as inside the cluster: what goes there is neither translated
            nor denied.
    """

    outlets: tuple[Outlet, ...] = ()
    inside: tuple[IPv4Network, ...] = ()

    def translated(self) -> Mapping[IPv4Address, Outlet]:
        """Who gets ports of its own, by address."""
        return {
            outlet.address: outlet
            for outlet in self.outlets
            if outlet.block is not None and not outlet.denied
        }

    def denied(self) -> frozenset[IPv4Address]:
        """Who has no way out."""
        return frozenset(outlet.address for outlet in self.outlets if outlet.denied)


def fault(desired: Desired) -> str | None:
    """Why this cannot be carried out as it stands; None where it can.

    No port stands in two blocks (S-16, S-18): one instance would then use up another's.
    """
    by_address = sorted(desired.outlets, key=lambda outlet: outlet.address)
    for one, other in pairwise(by_address):
        if one.address == other.address:
            return f"{one.name} and {other.name} have the same address, {one.address}"
    for outlet in desired.outlets:
        if outlet.idle < SHORTEST_IDLE:
            return f"{outlet.name}: an idle time-out of {outlet.idle} is shorter than a second"
    return _fault_of_blocks(desired.translated().values())


def _fault_of_blocks(outlets: Iterable[Outlet]) -> str | None:
    blocks = sorted((outlet.block, outlet.name) for outlet in outlets if outlet.block is not None)
    for block, name in blocks:
        if not 1 <= block.first <= block.last <= MAX_PORT:
            return f"{name}: {block.first} to {block.last} is no block of ports"
    for (one, name), (other, next_name) in pairwise(blocks):
        if one.frontend == other.frontend and other.first <= one.last:
            return f"{name} and {next_name} share ports of {one.frontend} from {other.first} on"
    return None
