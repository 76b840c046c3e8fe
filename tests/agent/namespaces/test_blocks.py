"""Real flows through the rules: whose ports they leave from, and what exhaustion does."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from tests.agent.namespaces.gateway import block_of, pool
from tests.support.namespaces import FRONTENDS, SERVERS, client

if TYPE_CHECKING:
    from tests.agent.namespaces.gateway import Gateway


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_sixty_instances_leave_from_their_own_blocks(gateway: Gateway, protocol: str) -> None:
    """The far end sees the front end and a port of the sender's block, for each of 60 (S-34)."""
    gateway.apply(pool(60, 512))
    for number in range(1, 61):
        for server in SERVERS[:2]:
            host, port = gateway.opened(number, protocol=protocol, server=server).seen
            assert host == str(FRONTENDS[0])
            assert port in block_of(number, 512)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_full_block_hurts_nobody_else(gateway: Gateway, protocol: str) -> None:
    """At exhaustion new flows fail, those there go on, and neighbours have theirs (S-17, S-18)."""
    desired = pool(3, 4)
    gateway.apply(desired)
    flows = [gateway.opened(2, protocol=protocol) for _ in range(4)]
    assert {flow.port for flow in flows} == set(range(1028, 1032)), "all of its ports"
    assert gateway.refused(2, protocol=protocol)
    for neighbour in (1, 3):
        assert gateway.opened(neighbour, protocol=protocol).port in block_of(neighbour, 4)
    assert all(flow.lives() for flow in flows)
    assert gateway.usage(desired, 2).drops >= 1
    assert gateway.usage(desired, 1).drops == gateway.usage(desired, 3).drops == 0


def test_a_flow_that_is_closed_gives_its_port_back(gateway: Gateway) -> None:
    """With one port, the next flow to the same place succeeds once the last is closed (S-19).

    Whether a port is free at once or after a second is chance, so there are several.
    """
    desired = pool(1, 1)
    gateway.apply(desired)
    last = gateway.opened(1)
    assert gateway.refused(1)
    for _ in range(6):
        last.close()
        assert gateway.usage(desired, 1).flows == 0
        last = gateway.opened(1)
        assert last.port == block_of(1, 1).first


def test_one_flow_each_to_many_destinations_uses_one_port(gateway: Gateway) -> None:
    """Destinations that differ in address, port or protocol share a port (S-13, S-15)."""
    desired = pool(1, 1)
    gateway.apply(desired)
    flows = [gateway.opened(1, server=server) for server in SERVERS]
    flows += [gateway.opened(1, port=port) for port in (81, 82)]
    flows += [gateway.opened(1, protocol="udp")]
    assert {flow.port for flow in flows} == {block_of(1, 1).first}
    assert all(flow.lives() for flow in flows)
    used = gateway.usage(desired, 1)
    assert (used.flows, used.ports) == (11, 1)
    assert set(used.triples.values()) == {1}


def test_flows_to_one_destination_use_a_port_each(gateway: Gateway) -> None:
    """No two flows are the same to the far end (S-13, S-16)."""
    desired = pool(1, 8)
    gateway.apply(desired)
    flows = [gateway.opened(1) for _ in range(6)]
    flows += [gateway.opened(1, protocol="udp") for _ in range(6)]
    assert len({(flow.protocol, flow.port) for flow in flows}) == 12
    used = gateway.usage(desired, 1)
    assert used.flows == 12
    assert set(used.triples.values()) == {6}, "the two protocols do not compete"


def test_nobody_else_gets_in_by_a_mapped_port(gateway: Gateway) -> None:
    """Answers of the far end come through, and nothing else does (S-28)."""
    gateway.apply(pool(1, 1))
    flow = gateway.opened(1, protocol="udp")
    assert flow.lives()
    flow.near.settimeout(0.3)
    for server, port in ((SERVERS[1], 80), (SERVERS[0], 81)):
        stranger = gateway.listener("udp", server, port)
        stranger.sendto(b"let me in", flow.seen)
    with pytest.raises(TimeoutError):
        flow.near.recv(100)
    assert flow.lives()


def test_ports_need_no_listener_and_no_probe(gateway: Gateway) -> None:
    """Nobody listens at the instance, and nothing says that it is healthy (S-24)."""
    gateway.apply(pool(1, 8))
    prober = gateway.rooms.tcp(gateway.rooms.server, SERVERS[0])
    with pytest.raises(ConnectionRefusedError):
        prober.connect((str(client(1)), 8080))
    assert gateway.opened(1).port in block_of(1, 8)


def test_what_comes_in_goes_on_while_the_block_is_full(gateway: Gateway) -> None:
    """Exhaustion is of the way out alone (S-17)."""
    gateway.apply(pool(1, 1))
    gateway.opened(1)
    assert gateway.refused(1)
    listener = gateway.rooms.tcp(gateway.rooms.clients, client(1), 8080)
    listener.listen()
    prober = gateway.rooms.tcp(gateway.rooms.server, SERVERS[0])
    prober.settimeout(2)
    prober.connect((str(client(1)), 8080))
    inbound, seen = listener.accept()
    gateway.rooms.keep(inbound)
    assert seen[0] == str(SERVERS[0])


def test_networks_inside_are_not_translated(gateway: Gateway) -> None:
    """What stays in the cluster keeps its own address, and takes no port."""
    inside = (IPv4Network((SERVERS[7], 32)), IPv4Network("10.0.0.0/8"))
    desired = dataclasses.replace(pool(1, 1), inside=inside)
    gateway.apply(desired)
    assert not gateway.apply(desired).changed
    flows = [gateway.opened(1, server=SERVERS[7]) for _ in range(3)]
    assert {flow.seen[0] for flow in flows} == {str(client(1))}
    assert gateway.opened(1).seen == (str(FRONTENDS[0]), block_of(1, 1).first)


def test_flows_are_ended_once_and_one_that_is_gone_is_no_fault(gateway: Gateway) -> None:
    """The kernel ends the very flow that is named, and no later one in its place (S-07)."""
    gateway.apply(pool(1, 1))
    gateway.opened(1, protocol="udp")
    ended = gateway.flows(FRONTENDS[0])
    assert gateway.conntrack().end(ended) == 1
    later = gateway.opened(1, protocol="udp")
    assert gateway.conntrack().end(ended) == 0
    assert later.lives()
