"""The transaction from what stands to what is wanted: only what differs, and the losses noted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network

from scaleset_operator.agent import nftread
from scaleset_operator.agent.desired import Block, Desired, Outlet
from scaleset_operator.agent.nftframe import RULES_OF, SETS, TABLE
from scaleset_operator.agent.nftrules import Standing, cleared, transaction

FRONT = IPv4Address("192.0.2.10")


def outlet(number: int, first: int, last: int, idle: int = 240) -> Outlet:
    return Outlet(
        name=f"web-{number}",
        address=IPv4Address("10.0.0.0") + number,
        block=Block(frontend=FRONT, first=first, last=last),
        idle=timedelta(seconds=idle),
    )


def as_it_stands(desired: Desired) -> Standing:
    """What the table holds once `desired` is carried out."""
    there = desired.translated()
    ways = {address: int(one.idle.total_seconds()) for address, one in there.items()}
    return Standing(
        exists=True,
        intact=True,
        chains=frozenset(RULES_OF) | {f"way_{idle}" for idle in ways.values()},
        sets=SETS,
        blocks={address: one.block for address, one in there.items() if one.block},
        ways=ways,
        inside=frozenset(desired.inside),
        drops=dict.fromkeys(there, 0),
        denials=dict.fromkeys(desired.denied(), 0),
    )


ONE = Desired(outlets=(outlet(1, 1024, 2047),), inside=(IPv4Network("10.0.0.0/8"),))


def test_what_stands_already_is_no_change() -> None:
    assert transaction(ONE, as_it_stands(ONE)) == ""


def test_a_joining_instance_is_three_elements_and_no_rule() -> None:
    """Those there are not touched (S-06, S-09)."""
    two = replace(ONE, outlets=(*ONE.outlets, outlet(2, 2048, 3071)))
    assert transaction(two, as_it_stands(ONE)).splitlines() == [
        f"add element ip {TABLE} exhausted {{ 10.0.0.2 }}",
        f"add element ip {TABLE} ways {{ 10.0.0.2 : goto way_240 }}",
        f"add element ip {TABLE} blocks {{ 10.0.0.2 : 192.0.2.10 . 2048-3071 }}",
    ]


def test_a_halved_block_is_changed_and_its_lost_half_noted_in_one_transaction() -> None:
    """Half of the ports is reclaimed, and stands there until its flows have ended (S-07)."""
    half = replace(ONE, outlets=(outlet(1, 1024, 1535),))
    assert transaction(half, as_it_stands(ONE)).splitlines() == [
        f"delete element ip {TABLE} blocks {{ 10.0.0.1 }}",
        f"add element ip {TABLE} blocks {{ 10.0.0.1 : 192.0.2.10 . 1024-1535 }}",
        f"add element ip {TABLE} reclaimed {{ 10.0.0.1 . 192.0.2.10 . 1536 . 2047 }}",
    ]


def test_a_block_that_grows_reclaims_nothing() -> None:
    """Shrinking into a lower row leaves the ports that there are (S-11)."""
    larger = replace(ONE, outlets=(outlet(1, 1024, 3071),))
    assert "reclaimed" not in transaction(larger, as_it_stands(ONE))


def test_denying_takes_the_ports_too() -> None:
    denied = replace(ONE, outlets=(replace(ONE.outlets[0], denied=True),))
    lines = transaction(denied, as_it_stands(ONE)).splitlines()
    assert f"add element ip {TABLE} denied {{ 10.0.0.1 }}" in lines
    assert f"delete element ip {TABLE} blocks {{ 10.0.0.1 }}" in lines
    assert lines[-1].endswith("reclaimed { 10.0.0.1 . 192.0.2.10 . 1024 . 2047 }")


def test_a_new_idle_time_out_brings_its_policy_and_keeps_the_old_one() -> None:
    """Flows that live by the old one would fall back to five days (S-19)."""
    slower = replace(ONE, outlets=(outlet(1, 1024, 2047, idle=600),))
    text = transaction(slower, as_it_stands(ONE))
    assert "established : 600" in text
    assert "unreplied : 600, replied : 600" in text
    assert "delete ct timeout" not in text
    assert f"add element ip {TABLE} ways {{ 10.0.0.1 : goto way_600 }}" in text


def test_no_state_of_a_flow_outlives_a_shorter_idle_time_out() -> None:
    """Whatever TCP is waiting for (S-19)."""
    text = transaction(replace(ONE, outlets=(outlet(1, 1, 8, idle=20),)), Standing())
    assert "fin_wait : 20, close_wait : 20, last_ack : 20, time_wait : 1, close : 1" in text
    assert "retrans : 20, unack : 20" in text


def test_networks_that_touch_are_one_element() -> None:
    halves = (IPv4Network("10.0.0.0/9"), IPv4Network("10.128.0.0/9"), IPv4Network("10.1.0.0/16"))
    assert transaction(replace(ONE, inside=halves), as_it_stands(ONE)) == ""


def test_a_broken_frame_is_made_anew_and_policies_stay() -> None:
    """In the same transaction, so that there is no moment without rules (S-34)."""
    things = [
        *({"chain": {"name": name}} for name in (*RULES_OF, "way_240")),
        *({kind: {"name": name}} for name, kind in SETS.items()),
    ]
    broken = nftread.standing(things, {})
    assert (broken.exists, broken.intact) == (True, False)
    lines = transaction(ONE, broken).splitlines()
    assert lines.index(f"delete map ip {TABLE} ways") < lines.index(f"delete chain ip {TABLE} deny")
    assert f"delete chain ip {TABLE} way_240" in lines
    assert f"table ip {TABLE} {{" in lines
    assert not any("delete ct timeout" in line or "delete table" in line for line in lines)
    assert f"add element ip {TABLE} blocks {{ 10.0.0.1 : 192.0.2.10 . 1024-2047 }}" in lines


def test_nothing_seen_to_is_nothing_to_clear() -> None:
    assert cleared(()) == ""
