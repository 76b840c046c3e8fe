"""What is decided of one OutboundRule, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.api.agentreport import Hottest
from scaleset_operator.core.pool import Claims, Way
from tests.core._outbound import ADDRESS, a_rule, blocks, decided, heard, members, told

HOT = Hottest(address="203.0.113.5", port=443, protocol="tcp")


def test_the_51st_instance_halves_all_and_back_again_gives_them_the_same_ports() -> None:
    """S-07, S-11: through the status, as it is recorded."""
    fifty = decided(a_rule(), members(50))
    assert (fifty.pool_size, fifty.ports_per_instance) == (50, 1024)
    more = decided(a_rule(fifty), members(51))
    assert (more.pool_size, more.ports_per_instance) == (51, 512)
    for name, (first, last) in blocks(fifty).items():
        assert blocks(more)[name] == (first, last - 512)
    assert blocks(decided(a_rule(more), members(50))) == blocks(fifty)


def test_a_decision_that_is_taken_again_changes_nothing() -> None:
    """S-09: what is recorded is what is decided on."""
    once = decided(a_rule(), members(73))
    assert decided(a_rule(once), members(73)) == once


def test_an_instance_that_is_deleted_counts_no_more_and_keeps_its_ports() -> None:
    """S-06, S-32: a repair of 50 does not cross the edge; a terminate notice does."""
    pool = members(50)
    before = decided(a_rule(), pool)
    going = replace(pool[0], leaving=True)
    newcomer = replace(pool[1], name="web-51")
    now = decided(a_rule(before), (going, *pool[1:], newcomer))
    assert (now.pool_size, now.ports_per_instance) == (50, 1024)
    assert blocks(now)["web-1"] == blocks(before)["web-1"]
    assert len(blocks(now)) == len(set(blocks(now).values())) == 51
    noticed = decided(a_rule(before), (*pool, newcomer))
    assert (noticed.pool_size, noticed.ports_per_instance) == (51, 512)


@pytest.mark.parametrize("size", [50, 100, 200, 400, 800])
def test_at_the_end_of_a_row_it_warns(size: int) -> None:
    """S-32: one more instance, and each has half."""
    status = decided(a_rule(), members(size))
    assert status.instances_to_next_tier == 0
    assert told(status)[:2] == ("True", "NearTierEdge")
    assert told(decided(a_rule(), members(size - 1)))[1] == "WithinTier"


def test_a_surplus_that_would_cross_the_edge_is_told_of_before() -> None:
    """S-32: 45 instances, of which a rollout may make 9 more at once."""
    status = decided(a_rule(), members(45), surplus=9)
    assert told(status)[:2] == ("True", "NearTierEdge")
    assert "5 more fit, and repairs and rollouts may add 9" in told(status)[2]


def test_above_a_thousand_nothing_is_made_up_and_nobody_loses_ports() -> None:
    """S-02: flagged; the newest has none, all others keep theirs."""
    before = decided(a_rule(), members(1000))
    status = decided(a_rule(before), members(1001))
    assert blocks(status) == blocks(before)
    assert (status.ports_per_instance, status.unallocated) == (32, ("web-1001",))
    assert told(status)[:2] == ("False", "PoolTooLarge")
    assert "web-1001" in told(status)[2]


def test_an_empty_pool_has_no_allocation() -> None:
    """S-02."""
    status = decided(a_rule(), ())
    assert (status.ports_per_instance, status.allocations) == (0, ())
    assert told(status)[:2] == ("True", "EmptyPool")


def test_the_row_goes_by_instances_whatever_the_number_of_front_ends() -> None:
    """S-04, S-25: one block each, on one address; more addresses give nobody more."""
    second = "192.0.2.20"
    for size, ports in ((50, 1024), (51, 512)):
        both = decided(a_rule(frontendIPs=[ADDRESS, second]), members(size))
        assert both.ports_per_instance == ports
        assert len(both.allocations) == len({row.instance for row in both.allocations}) == size
        assert {row.last_port - row.first_port + 1 for row in both.allocations} == {ports}
        assert {row.frontend_ip for row in both.allocations} == {ADDRESS, second}


def test_whoever_has_an_address_of_its_own_needs_no_ports() -> None:
    """S-21, S-22: it counts in the pool, and nothing of it is translated."""
    pool = members(3)
    mixed = (replace(pool[0], way=Way.OWN_ADDRESS), replace(pool[1], way=Way.NODE), pool[2])
    status = decided(a_rule(), mixed)
    assert blocks(status).keys() == {"web-3"}
    assert status.pool_size == 3
    assert "1 on the network of their node" in told(status)[2]
    assert "1 with a public address" in told(status)[2]


def test_a_manual_allocation_is_checked_with_the_largest_pool() -> None:
    """S-33: 62 instances of 1024 on one address; 60 wanted and a surplus of 3 are refused."""
    by_hand: dict[str, Any] = {"allocatedOutboundPorts": 1024}
    fits = decided(a_rule(**by_hand), members(60), wanted=60, surplus=2)
    assert told(fits, "Accepted")[0] == "True"
    assert (fits.ports_per_instance, fits.instances_to_next_tier) == (1024, 2)
    refused = decided(a_rule(**by_hand), members(60), wanted=60, surplus=3)
    assert told(refused, "Accepted")[:2] == ("False", "PortsOvercommitted")
    assert "spec.allocatedOutboundPorts: 1024 for 63 instances" in told(refused, "Accepted")[2]
    assert refused.allocations == ()
    assert told(refused)[:2] == ("False", "PortsExhausted")


def test_an_address_of_an_older_rule_is_no_room_for_a_manual_allocation() -> None:
    """S-33: of two addresses one is left, and 63 instances of 1024 are one too many for it."""
    both: dict[str, Any] = {
        "frontendIPs": [ADDRESS, "192.0.2.11"],
        "allocatedOutboundPorts": 1024,
    }
    claims = Claims(addresses=((ADDRESS, "shop/older"),))
    refused = decided(a_rule(**both), members(63), wanted=63, claims=claims)
    assert told(refused, "Accepted")[:2] == ("False", "PortsOvercommitted")
    assert refused.allocations == ()
    fits = decided(a_rule(**both), members(62), wanted=62, claims=claims)
    assert {row.frontend_ip for row in fits.allocations} == {"192.0.2.11"}


def test_what_was_accepted_outlives_a_manual_allocation_that_is_refused() -> None:
    """S-33: a refusal takes ports from nobody."""
    before = decided(a_rule(), members(50), wanted=50)
    refused = decided(a_rule(before, allocatedOutboundPorts=2048), members(50), wanted=50)
    assert told(refused, "Accepted")[1] == "PortsOvercommitted"
    assert blocks(refused) == blocks(before)


def test_a_full_address_names_who_has_none() -> None:
    """S-12, S-18: its own node's address is full; the other address helps only whoever holds it."""
    rule = a_rule(frontendIPs=[ADDRESS, "192.0.2.11"], allocatedOutboundPorts=32_000)
    agents = {"node-1": heard(rule)}
    pool = (*members(3), replace(members(1)[0], name="api-1", node="node-2"))
    status = decided(rule, pool, wanted=4, agents=agents)
    assert status.unallocated == ("web-3",)
    assert told(status)[:2] == ("False", "PortsExhausted")
    assert "web-3; the others keep theirs" in told(status)[2]


def test_an_instance_gets_ports_of_an_address_that_its_node_holds() -> None:
    """S-25, S-34: answers to another address would reach another node."""
    rule = a_rule(frontendIPs=["192.0.2.11", ADDRESS])
    status = decided(rule, members(3), agents={"node-1": heard(rule)})
    assert {row.frontend_ip for row in status.allocations} == {ADDRESS}


def test_without_agents_everything_is_a_plan_and_says_so() -> None:
    """S-34."""
    status = decided(a_rule(), members(2))
    assert told(status, "Programmed")[:2] == ("False", "PlanOnly")
    assert "0 of 2" in told(status, "Programmed")[2]
    assert not any(row.programmed for row in status.allocations)


def test_what_an_agent_reports_as_carried_out_is_real() -> None:
    """S-34: only where the report is about this very allocation."""
    planned = a_rule(decided(a_rule(), members(2)))
    real = decided(planned, members(2), agents={"node-1": heard(planned)})
    assert told(real, "Programmed")[:2] == ("True", "Programmed")
    assert all(row.programmed for row in real.allocations)
    grown = decided(a_rule(real), members(51), agents={"node-1": heard(planned)})
    assert told(grown, "Programmed")[:2] == ("False", "Programming")
    assert not any(row.programmed for row in grown.allocations)


def test_an_agent_that_is_silent_or_complains_is_named() -> None:
    """S-34: what its node does is not known, and not pretended."""
    planned = a_rule(decided(a_rule(), members(2)))
    silent = decided(planned, members(2), agents={"node-1": heard(planned, silent=True)})
    assert told(silent, "Programmed")[:2] == ("False", "AgentLost")
    assert "node-1" in told(silent, "Programmed")[2]
    faulty = decided(planned, members(2), agents={"node-1": heard(planned, message="nft failed")})
    assert told(faulty, "Programmed")[:2] == ("False", "Programming")
    assert "nft failed" in told(faulty, "Programmed")[2]


def test_the_busiest_destination_is_named_in_ports_and_not_in_connections() -> None:
    """S-13, S-29: 700 ports of 1024 are six eighths; 5000 connections are not looked at."""
    planned = a_rule(decided(a_rule(), members(2)))
    used = {"web-2": {"used": 10, "peak": 700, "flows": 5_000, "hottest": HOT}}
    status = decided(planned, members(2), agents={"node-1": heard(planned, used=used)})
    assert status.busiest is not None
    assert status.busiest.instance == "web-2"
    assert status.busiest.destination == "203.0.113.5:443/tcp"
    assert status.busiest.ports == 768
    again = {"web-2": {"used": 11, "peak": 701, "hottest": HOT}}
    same = decided(a_rule(status), members(2), agents={"node-1": heard(planned, used=again)})
    assert same == status, "a few ports more are not worth a write"


def test_an_instance_that_uses_all_its_ports_is_named_with_its_destination() -> None:
    """S-12, S-17, S-18: its neighbours are not concerned."""
    planned = a_rule(decided(a_rule(), members(2)))
    used = {"web-1": {"used": 1024, "peak": 1024, "hottest": HOT}}
    status = decided(planned, members(2), agents={"node-1": heard(planned, used=used)})
    assert told(status)[:2] == ("False", "PortsExhausted")
    assert "web-1 to 203.0.113.5:443/tcp" in told(status)[2]
    assert "web-2" not in told(status)[2]


def test_of_two_rules_the_older_one_has_what_both_claim() -> None:
    """The younger says so, and goes on with the rest."""
    claims = Claims(sets=(("web", "older"),), addresses=((ADDRESS, "shop/older"),))
    rule = a_rule(frontendIPs=[ADDRESS, "192.0.2.11"])
    status = decided(rule, members(2), claims=claims)
    assert told(status, "Accepted")[:2] == ("False", "ClaimedByOlderRule")
    assert "ScaleSet web belongs to older" in told(status, "Accepted")[2]
    assert {row.frontend_ip for row in status.allocations} == {"192.0.2.11"}


def test_without_any_address_left_nobody_has_ports() -> None:
    """Two rules never give out ports of one address."""
    status = decided(a_rule(), members(2), claims=Claims(addresses=((ADDRESS, "shop/older"),)))
    assert status.allocations == ()
    assert told(status)[:2] == ("False", "PortsExhausted")


def test_denied_instances_have_no_ports_and_are_listed() -> None:
    """S-31: whoever is on its node's network is not: the node's own traffic would be stopped."""
    pool = (*members(2), replace(members(1)[0], name="web-9", way=Way.NODE))
    status = decided(a_rule(denyOutbound=True), pool)
    assert status.denied == ("web-1", "web-2")
    assert status.allocations == ()
    assert told(status)[1] == "OutboundDenied"
