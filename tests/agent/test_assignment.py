"""Who gets which way out on a node, and that no bad rule or pod stops the others."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.agent.assignment import Assignment, assigned
from scaleset_operator.agent.desired import Block, Outlet, fault
from scaleset_operator.agent.heldaddresses import held_networks, holds
from scaleset_operator.agent.members import member_of
from scaleset_operator.api.agentreport import program_of
from tests.agent.nodes import FRONT, pod, ports, rule

if TYPE_CHECKING:
    from scaleset_operator.api.outboundrule import OutboundRule

INSIDE = (IPv4Network("10.0.0.0/8"),)


def sorted_out(pods: list[dict[str, Any]], *rules: OutboundRule, held: str = FRONT) -> Assignment:
    members = [member for member in map(member_of, pods) if member is not None]
    found = assigned(members, rules, lambda address: str(address) == held, INSIDE)
    assert fault(found.desired) is None, "the plane takes what comes out of here"
    return found


def outlet(number: int, first: int, size: int = 1024) -> Outlet:
    block = Block(frontend=IPv4Address(FRONT), first=first, last=first + size - 1)
    address = IPv4Address(f"10.1.0.{number}")
    return Outlet(name=f"shop/web-{number}", address=address, block=block)


def test_instances_of_this_node_get_the_ports_of_their_allocation() -> None:
    """An instance elsewhere is none of this node's (S-34)."""
    web = rule(ports(1, 1024), ports(2, 2048), ports(3, 3072))
    found = sorted_out([pod(1), pod(3)], web)
    assert set(found.desired.outlets) == {outlet(1, 1024), outlet(3, 3072)}
    assert found.desired.inside == INSIDE
    assert found.frontends == (FRONT,)
    assert found.rules["shop/web"].program == program_of(web)
    assert found.rules["shop/web"].message == ""


def test_the_idle_time_of_the_rule_goes_along() -> None:
    """S-19."""
    web = rule(ports(1, 1024), **{"spec.idleTimeout": "PT10M"})
    (one,) = sorted_out([pod(1)], web).desired.outlets
    assert one.idle == timedelta(minutes=10)


def test_a_front_end_that_another_node_holds_is_not_used_here() -> None:
    """The answers would arrive there; the figures stay a plan (S-34)."""
    found = sorted_out([pod(1)], rule(ports(1, 1024)), held="192.0.2.99")
    assert found.desired.outlets == ()
    assert found.frontends == ()
    assert found.rules["shop/web"].message == f"{FRONT} is no address of this node"


def test_a_pod_with_the_address_of_its_node_gets_no_ports() -> None:
    on_host = pod(1) | {"spec": {"hostNetwork": True}}
    found = sorted_out([on_host, pod(2)], rule(ports(1, 1024), ports(2, 2048)))
    assert found.desired.outlets == (outlet(2, 2048),)
    assert found.rules["shop/web"].message == "web-1 has no address of its own"


def test_who_is_denied_has_no_way_out_also_where_another_rule_gives_ports() -> None:
    denies = rule(name="shut", **{"spec.denyOutbound": True, "status.denied": ["web-1", "web-9"]})
    found = sorted_out([pod(1), pod(2)], rule(ports(1, 1024), ports(2, 2048)), denies)
    by_name = {one.name: one for one in found.desired.outlets}
    assert by_name["shop/web-1"].denied
    assert by_name["shop/web-1"].block is None
    assert by_name["shop/web-2"] == outlet(2, 2048)
    assert found.rules["shop/shut"].message == ""
    assert found.rules["shop/web"].message == "web-1 has another way out already"


def test_a_block_that_makes_no_sense_is_left_out_and_the_others_stand() -> None:
    """No port stands in two blocks (S-16, S-18)."""
    backwards = ports(3, 4096) | {"lastPort": 4000}
    web = rule(ports(1, 1024), ports(2, 2000), backwards, ports(4, 5120))
    found = sorted_out([pod(n) for n in range(1, 5)], web)
    assert {one.name for one in found.desired.outlets} == {"shop/web-1", "shop/web-4"}
    assert found.rules["shop/web"].message == (
        "web-2 and shop/web-1 share ports of 192.0.2.10; web-3: 4096 to 4000 is no block of ports"
    )


def test_an_address_that_two_pods_show_is_the_younger_ones() -> None:
    """The older is being torn down."""
    younger = pod(2, creationTimestamp="2026-11-28T08:00:00Z")
    younger["status"]["podIP"] = "10.1.0.1"
    found = sorted_out([pod(1), younger], rule(ports(1, 1024), ports(2, 2048)))
    (one,) = found.desired.outlets
    assert (one.name, one.address) == ("shop/web-2", IPv4Address("10.1.0.1"))


def test_the_block_of_an_instance_goes_with_it_to_its_new_address() -> None:
    """M-08, S-31: it was moved, and is the same instance."""
    web = rule(ports(1, 1024), ports(2, 2048))
    moved = pod(1, uid="uid-of-its-successor")
    moved["status"] = {"phase": "Running", "podIP": "10.1.0.9"}
    found = {one.name: one for one in sorted_out([moved, pod(2)], web).desired.outlets}
    assert found["shop/web-1"].address == IPv4Address("10.1.0.9")
    assert found["shop/web-1"].block == outlet(1, 1024).block
    assert found["shop/web-2"] == outlet(2, 2048)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_is_nobody(phase: str) -> None:
    assert member_of(pod(1) | {"status": {"phase": phase, "podIP": "10.1.0.1"}}) is None


def test_of_several_addresses_the_one_of_ipv4_counts() -> None:
    both = pod(1)
    both["status"] |= {"podIP": "fd00::1", "podIPs": [{"ip": "fd00::1"}, {"ip": "10.1.0.7"}]}
    found = member_of(both)
    assert found is not None
    assert found.address == IPv4Address("10.1.0.7")


TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.5
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
     |-- 192.0.2.16
        /28 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
"""


def test_the_nodes_own_addresses_are_those_that_the_kernel_delivers_here() -> None:
    held = held_networks(TRIE)
    assert held == {IPv4Network("10.0.0.5/32"), IPv4Network("192.0.2.16/28")}
    assert holds(held, IPv4Address("192.0.2.20"))
    assert not holds(held, IPv4Address("10.0.0.255"))
    assert not holds(held, IPv4Address("127.0.0.1"))
