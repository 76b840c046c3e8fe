"""Growth, shrinking, leaving, a restart and an uninstall, under flows that stand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scaleset_operator.agent.nftframe import TABLE
from scaleset_operator.agent.nftrules import transaction
from tests.agent.namespaces.gateway import FIRST_PORT, block_of, outlet, pool
from tests.support.namespaces import FRONTENDS, SERVERS, client
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from scaleset_operator.agent.desired import Desired
    from tests.agent.namespaces.gateway import Flow, Gateway

FOREIGN = """
table ip foreign {
    map seen {
        type ipv4_addr : verdict
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.9.0.0/16 counter masquerade
    }
}
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy accept;
        tcp dport 4444 drop
    }
}
"""


def halved(desired: Desired) -> Desired:
    """Everybody keeps the lower half of its block; one more instance has a half that was freed."""
    kept = tuple(
        replace(one, block=replace(one.block, last=one.block.first + 511))
        for one in desired.outlets
        if one.block is not None
    )
    freed = block_of(1, 512, first=FIRST_PORT + 512)
    return replace(desired, outlets=(*kept, outlet(len(kept) + 1, freed)))


def spread(gateway: Gateway, number: int, protocol: str) -> dict[bool, list[Flow]]:
    """Opens flows until some are on each half of a block of 1024: on the kept one, or not."""
    begin = block_of(number, 1024).first
    flows: dict[bool, list[Flow]] = {True: [], False: []}
    for _ in range(40):
        made = gateway.opened(number, protocol=protocol)
        flows[made.port < begin + 512].append(made)
        if all(flows.values()):
            return flows
    message = "40 ports at random are in the same half"
    raise AssertionError(message)


def test_the_51st_instance_halves_the_blocks_and_ends_flows_on_reclaimed_ports_alone(
    gateway: Gateway,
) -> None:
    """Kept ports live on; flows on reclaimed ones end; new ones succeed at once (S-07, S-10)."""
    fifty = pool(50, 1024)
    gateway.apply(fifty)
    flows = {
        (number, protocol): spread(gateway, number, protocol)
        for number in (1, 25, 50)
        for protocol in ("tcp", "udp")
    }
    on_reclaimed = [flow for halves in flows.values() for flow in halves[False]]
    grown = halved(fifty)
    assert gateway.apply(grown).ended == len(on_reclaimed)
    assert all(flow.lives() for halves in flows.values() for flow in halves[True])
    assert all(flow.is_dead() for flow in on_reclaimed)
    for number in range(1, 51):
        port = gateway.opened(number, port=81).port
        assert port in block_of(number, 1024)
        assert port < block_of(number, 1024).first + 512
    assert gateway.opened(51, port=81).port in range(FIRST_PORT + 512, FIRST_PORT + 1024)


def test_shrinking_disturbs_no_flow(gateway: Gateway) -> None:
    """Blocks grow around the flows that there are (S-11)."""
    fifty = pool(50, 1024)
    grown = halved(fifty)
    gateway.apply(grown)
    flows = [gateway.opened(number) for number in (1, 2, 50)]
    assert gateway.apply(replace(fifty, outlets=fifty.outlets[1:])).ended == 1, "the one that left"
    assert flows[0].is_dead()
    assert all(flow.lives() for flow in flows[1:])


def test_growth_inside_a_row_changes_nothing_for_those_there(gateway: Gateway) -> None:
    """A joining instance ends no flow and is one element more (S-06, S-09)."""
    gateway.apply(pool(49, 1024))
    flows = [gateway.opened(number) for number in (1, 49)]
    applied = gateway.apply(pool(50, 1024))
    assert (applied.changed, applied.ended) == (True, 0)
    assert all(flow.lives() for flow in flows)
    assert not gateway.apply(pool(50, 1024)).changed, "a second time is nothing"


def test_an_instance_that_leaves_gives_its_ports_back(gateway: Gateway) -> None:
    """Its flows end, and the port is free for whoever has it next (S-06)."""
    gateway.apply(pool(2, 1))
    gone, stays = gateway.opened(1), gateway.opened(2)
    heir = outlet(3, block_of(1, 1))
    two = pool(2, 1)
    assert gateway.apply(replace(two, outlets=(two.outlets[1], heir))).ended == 1
    assert gateway.opened(3).port == gone.port
    assert stays.lives()


def test_an_idle_flow_frees_its_port_and_a_keepalive_holds_it(gateway: Gateway) -> None:
    """Idle is since the last packet, for TCP and UDP; four minutes are two seconds here (S-19)."""
    desired = pool(1, 2, idle=timedelta(seconds=2))
    gateway.apply(desired)
    held = [gateway.opened(1, protocol=protocol) for protocol in ("tcp", "udp")]
    idle = [gateway.opened(1, protocol=protocol) for protocol in ("tcp", "udp")]
    assert all(gateway.refused(1, protocol=protocol) for protocol in ("tcp", "udp"))

    def two_are_left() -> bool:
        assert all(flow.lives() for flow in held)
        return gateway.usage(desired, 1).flows == 2

    assert not two_are_left()
    wait_for(two_are_left, 10, "the idle flows, the younger ones, are forgotten", every=0.3)
    assert [gateway.opened(1, protocol=flow.protocol).port for flow in idle] == [
        flow.port for flow in idle
    ]


def test_a_restart_of_the_agent_breaks_no_flow(gateway: Gateway) -> None:
    """One that knows nothing finds what stands, and changes nothing of it (S-34)."""
    desired = pool(50, 1024)
    gateway.apply(desired)
    flows = [gateway.opened(number, protocol=kind) for number in (1, 50) for kind in ("tcp", "udp")]
    assert not gateway.restarted().apply(desired).changed
    assert all(flow.lives() for flow in flows)
    assert [flow.port for flow in flows] == [flow.seen[1] for flow in flows]


def test_an_agent_that_died_between_rules_and_flows_is_made_up_for(gateway: Gateway) -> None:
    """What is to be ended stands in the rules themselves (S-07)."""
    fifty = pool(50, 1024)
    gateway.apply(fifty)
    halves = spread(gateway, 1, "tcp")
    nft = gateway.nft()
    nft.carry_out(transaction(halved(fifty), nft.standing()))
    assert all(flow.lives() for half in halves.values() for flow in half), "nothing is ended yet"
    applied = gateway.restarted().apply(halved(fifty))
    assert applied.ended == len(halves[False])
    assert all(flow.lives() for flow in halves[True])
    assert all(flow.is_dead() for flow in halves[False])
    assert gateway.restarted().apply(halved(fifty)).ended == 0


def test_rules_that_somebody_broke_are_mended_without_breaking_flows(gateway: Gateway) -> None:
    """The frame is made anew in one transaction; kept flows keep port and time-out (S-34)."""
    desired = pool(3, 8)
    gateway.apply(desired)
    flows = [gateway.opened(number) for number in (1, 2)]
    gateway.rooms.gateway.run("nft", "flush", "chain", "ip", TABLE, "translate")
    assert gateway.opened(3).seen[0] == str(client(3)), "untranslated: the rules are broken"
    assert gateway.apply(desired).changed
    assert all(flow.lives() for flow in flows)
    assert gateway.opened(3).port in block_of(3, 8)
    told = gateway.flows(FRONTENDS[0])
    assert {flow.expires <= 240 for flow in told} == {True}, "not the kernel's five days"
    assert not gateway.apply(desired).changed


def test_an_uninstall_leaves_the_rules_as_found(gateway: Gateway) -> None:
    """Foreign tables are never touched, before, during or after (S-34)."""
    gateway.rooms.gateway.run("nft", "-f", "-", sent=FOREIGN)
    gateway.opened(60)
    found = gateway.ruleset()
    assert gateway.opened(60).seen[0] != str(client(60)), "the foreign masquerade works"
    for desired in (pool(50, 1024), halved(pool(50, 1024)), pool(2, 8)):
        gateway.apply(desired)
    flow = gateway.opened(1)
    assert flow.port in block_of(1, 8), "ours comes first"
    assert gateway.plane.remove()
    assert without_counts(gateway.ruleset()) == without_counts(found)
    assert flow.lives(), "what stands goes on"
    assert not gateway.plane.remove(), "nothing is left"


def test_denied_instances_have_no_way_out_and_the_prober_keeps_its_way_in(
    gateway: Gateway,
) -> None:
    """Nothing leaves, not even on a flow that stood; who asks from outside is answered."""
    gateway.apply(pool(2, 8))
    standing = gateway.opened(1)
    two = pool(2, 8)
    denied = replace(two, outlets=(outlet(1, block_of(1, 8), denied=True), two.outlets[1]))
    gateway.apply(denied)
    assert standing.is_dead()
    assert gateway.refused(1)
    assert gateway.refused(1, protocol="udp")
    assert gateway.usage(denied, 1).denials >= 3
    assert gateway.opened(2).port in block_of(2, 8)
    listener = gateway.rooms.tcp(gateway.rooms.clients, client(1), 8080)
    listener.listen()
    prober = gateway.rooms.tcp(gateway.rooms.server, SERVERS[0])
    prober.settimeout(2)
    prober.connect((str(client(1)), 8080))
    prober.send(b"healthy?")
    gateway.apply(two)
    assert gateway.opened(1).port in block_of(1, 8), "it may leave again"


def test_blocks_that_overlap_are_refused_and_change_nothing(gateway: Gateway) -> None:
    """No port stands in two blocks (S-16)."""
    gateway.apply(pool(2, 8))
    before = gateway.ruleset()
    clash = replace(pool(2, 8), outlets=(outlet(1, block_of(1, 8)), outlet(2, block_of(1, 9))))
    refused = gateway.plane.apply(clash).refused
    assert refused is not None
    assert "share ports of 192.0.2.10 from 1024 on" in refused
    assert gateway.ruleset() == before


def without_counts(ruleset: str) -> list[object]:
    """The rules without what they counted."""
    return [drop_counts(thing) for thing in json.loads(ruleset)["nftables"]]


def drop_counts(thing: object) -> object:
    if isinstance(thing, dict):
        return {key: drop_counts(value) for key, value in thing.items() if key != "counter"}
    return [drop_counts(one) for one in thing] if isinstance(thing, list) else thing
