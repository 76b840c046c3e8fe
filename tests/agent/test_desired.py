"""Blocks of ports and what can be carried out, as values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.agent.desired import Block, Desired, Outlet, fault

FRONT, OTHER = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")
ends = st.tuples(st.integers(1, 60), st.integers(1, 60))


def block(first: int, last: int, frontend: IPv4Address = FRONT) -> Block:
    return Block(frontend=frontend, first=first, last=last)


def outlet(number: int, own: Block | None) -> Outlet:
    return Outlet(name=f"web-{number}", address=IPv4Address("10.0.0.0") + number, block=own)


@given(ends, ends)
def test_a_block_without_another_is_every_port_that_is_not_in_both(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    """What is reclaimed is what is lost, to the port (S-07)."""
    had, kept = block(min(one), max(one)), block(min(other), max(other))
    left = [port for piece in had.without(kept) for port in range(piece.first, piece.last + 1)]
    assert left == [port for port in range(had.first, had.last + 1) if port not in kept]


def test_another_front_end_keeps_nothing() -> None:
    assert block(1, 9).without(block(1, 9, OTHER)) == (block(1, 9),)
    assert block(1, 9).without(None) == (block(1, 9),)


def test_blocks_of_different_front_ends_may_be_the_same_ports() -> None:
    outlets = (outlet(1, block(1, 8)), outlet(2, block(1, 8, OTHER)), outlet(3, block(9, 16)))
    assert fault(Desired(outlets=outlets)) is None


def test_a_denied_instance_takes_no_ports() -> None:
    denied = replace(outlet(1, block(1, 8)), denied=True)
    desired = Desired(outlets=(denied, outlet(2, block(1, 8))))
    assert fault(desired) is None
    assert desired.translated().keys() == {outlet(2, None).address}
    assert desired.denied() == {denied.address}


@pytest.mark.parametrize(
    ("outlets", "why"),
    [
        (
            (outlet(1, block(1, 8)), outlet(2, block(8, 9))),
            "web-1 and web-2 share ports of 192.0.2.10 from 8 on",
        ),
        (
            (outlet(1, block(1, 8)), replace(outlet(1, block(9, 16)), name="web-2")),
            "web-1 and web-2 have the same address, 10.0.0.1",
        ),
        ((outlet(1, block(0, 8)),), "web-1: 0 to 8 is no block of ports"),
        ((outlet(1, block(9, 8)),), "web-1: 9 to 8 is no block of ports"),
        ((outlet(1, block(9, 65_536)),), "web-1: 9 to 65536 is no block of ports"),
        (
            (replace(outlet(1, None), idle=timedelta(milliseconds=900)),),
            "web-1: an idle time-out of 0:00:00.900000 is shorter than a second",
        ),
    ],
)
def test_what_cannot_be_carried_out_says_why(outlets: tuple[Outlet, ...], why: str) -> None:
    """No port stands in two blocks (S-16, S-18)."""
    assert fault(Desired(outlets=outlets)) == why
