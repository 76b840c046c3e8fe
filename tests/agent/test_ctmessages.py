"""Messages of the kernel about flows, and the counts that are made from them."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv4Address
from socket import AF_INET, AF_INET6, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

from scaleset_operator.agent import ctmessages
from scaleset_operator.agent.ctmessages import Flow
from scaleset_operator.agent.desired import Desired, Outlet
from scaleset_operator.agent.usage import Triple, usage

FLOW = Flow(
    id=7,
    protocol=IPPROTO_TCP,
    source=IPv4Address("10.0.0.1"),
    source_port=40_000,
    destination=IPv4Address("192.0.2.100"),
    destination_port=443,
    far_end=IPv4Address("192.0.2.100"),
    far_port=443,
    outer=IPv4Address("192.0.2.10"),
    outer_port=1024,
    expires=240,
    over=False,
)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def ends(kind: int, source: tuple[IPv4Address, int], to: tuple[IPv4Address, int], by: int) -> bytes:
    addresses = attribute(1, source[0].packed) + attribute(2, to[0].packed)
    ports = attribute(1, bytes([by]))
    if by != IPPROTO_ICMP:
        ports += attribute(2, struct.pack("!H", source[1]))
        ports += attribute(3, struct.pack("!H", to[1]))
    return attribute(kind | 0x8000, attribute(0x8001, addresses) + attribute(0x8002, ports))


def told(flow: Flow, family: int = AF_INET, state: int = 3) -> bytes:
    """The body of the message by which the kernel tells of this flow."""
    body = struct.pack("=BBH", family, 0, 0)
    source, to = (flow.source, flow.source_port), (flow.destination, flow.destination_port)
    body += ends(1, source, to, flow.protocol)
    far, outer = (flow.far_end, flow.far_port), (flow.outer, flow.outer_port)
    body += ends(2, far, outer, flow.protocol)
    body += attribute(7, struct.pack("!I", flow.expires))
    if flow.protocol == IPPROTO_TCP:
        body += attribute(0x8004, attribute(0x8001, attribute(1, bytes([state]))))
    return body + attribute(12, struct.pack("!I", flow.id))


def test_a_flow_is_read_as_it_was_and_as_the_far_end_sees_it() -> None:
    assert ctmessages.flow_of(told(FLOW)) == FLOW
    udp = replace(FLOW, protocol=IPPROTO_UDP)
    assert ctmessages.flow_of(told(udp)) == udp


def test_other_protocols_and_families_are_none_of_ours() -> None:
    assert ctmessages.flow_of(told(replace(FLOW, protocol=IPPROTO_ICMP))) is None
    assert ctmessages.flow_of(told(FLOW, AF_INET6)) is None


def test_a_flow_that_both_sides_have_closed_is_over() -> None:
    """Its port is free (S-19); one that only one side has closed still holds it."""
    over = {state: ctmessages.flow_of(told(FLOW, state=state)) for state in range(1, 10)}
    assert {state for state, flow in over.items() if flow is not None and flow.over} == {7, 8}


def test_a_datagram_of_several_messages_is_told_apart() -> None:
    one, two = (struct.pack("=IHHII", 20, kind, 0, kind, 0) + bytes(4) for kind in (2, 3))
    assert [found[:2] for found in ctmessages.messages(one + two)] == [(2, 2), (3, 3)]
    assert list(ctmessages.messages(bytes(16))) == [], "a message without a length ends it"


def test_usage_tells_ports_from_connections_and_names_the_hottest_triple() -> None:
    """The need is the most flows to one destination, not their sum (S-13, S-14, S-29)."""
    other = IPv4Address("192.0.2.9")
    flows = [
        *(replace(FLOW, outer_port=1024 + at) for at in range(5)),
        *(replace(FLOW, outer_port=1024 + at, destination=other) for at in range(2)),
        replace(FLOW, protocol=IPPROTO_UDP),
        replace(FLOW, outer_port=1030, over=True),
        replace(FLOW, source=other),
    ]
    desired = Desired(
        outlets=(
            Outlet(name="web-1", address=FLOW.source),
            Outlet(name="web-2", address=IPv4Address("10.0.0.2")),
        )
    )
    counted = usage(desired, flows, {FLOW.source: 3}, {})
    assert counted.keys() == {"web-1", "web-2"}
    one = counted["web-1"]
    assert (one.flows, one.ports, one.drops) == (8, 5, 3)
    assert next(iter(one.triples.items())) == (Triple(FLOW.destination, 443, "tcp"), 5)
    assert one.triples[Triple(FLOW.destination, 443, "udp")] == 1
    assert (counted["web-2"].flows, counted["web-2"].drops) == (0, 0)
