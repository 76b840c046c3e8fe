"""How many ports each instance uses, from the flows there are.

Ports and connections are told apart (S-13, S-29): flows to different destinations share a port, and
what an instance needs is set by the destination that it has most flows to. Must not know where
flows come from.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from socket import IPPROTO_TCP
from typing import NamedTuple

from scaleset_operator.agent.ctmessages import Flow
from scaleset_operator.agent.desired import Desired


class Triple(NamedTuple):
    """A destination: flows to different ones do not compete for ports (S-15)."""

    address: IPv4Address
    port: int
    protocol: str


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one instance uses.

    Attributes:
        flows: open ones; those that both sides have closed hold no port any more.
        ports: different source ports that these have.
        triples: flows to each destination, the most first.
        drops: flows that found no port, since the rules stand.
        denials: packets stopped because the instance has no way out.
    """

    flows: int = 0
    ports: int = 0
    triples: Mapping[Triple, int] = field(default_factory=dict)
    drops: int = 0
    denials: int = 0


def usage(
    desired: Desired,
    flows: Iterable[Flow],
    drops: Mapping[IPv4Address, int],
    denials: Mapping[IPv4Address, int],
) -> dict[str, Usage]:
    """Counts by instance; every one that is desired is in it, and no other."""
    triples: dict[IPv4Address, Counter[Triple]] = {}
    ports: dict[IPv4Address, set[int]] = {}
    for flow in flows:
        if flow.over:
            continue
        triples.setdefault(flow.source, Counter())[_triple(flow)] += 1
        ports.setdefault(flow.source, set()).add(flow.outer_port)
    counted = {}
    for outlet in desired.outlets:
        here = triples.get(outlet.address, Counter())
        counted[outlet.name] = Usage(
            flows=here.total(),
            ports=len(ports.get(outlet.address, ())),
            triples=dict(here.most_common()),
            drops=drops.get(outlet.address, 0),
            denials=denials.get(outlet.address, 0),
        )
    return counted


def _triple(flow: Flow) -> Triple:
    return Triple(
        flow.destination, flow.destination_port, "tcp" if flow.protocol == IPPROTO_TCP else "udp"
    )
