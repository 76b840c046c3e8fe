"""Which mitigation fits observed flows, and what a surplus does to the row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.snatadvice import (
    EDGES,
    Mitigation,
    Observed,
    advise,
    with_surplus,
    with_surplus_by_hand,
)

REUSE, POOLING, GENTLER_RETRY, OWN_ADDRESS, KEEPALIVE = Mitigation


@pytest.mark.parametrize(
    ("seen", "fitting"),
    [
        (Observed(ports=1024, peak=100), []),
        (Observed(ports=1024, peak=511), []),
        (Observed(ports=1024, peak=512), [REUSE, POOLING, OWN_ADDRESS]),
        (Observed(ports=1024, peak=600, opened=700), [POOLING, OWN_ADDRESS]),
        (Observed(ports=1024, peak=600, opened=90_000), [REUSE, POOLING, OWN_ADDRESS]),
        (
            Observed(ports=64, peak=64, no_port_left=True),
            [REUSE, POOLING, GENTLER_RETRY, OWN_ADDRESS],
        ),
        (
            Observed(ports=64, peak=20, refused=3),
            [REUSE, POOLING, GENTLER_RETRY, OWN_ADDRESS],
        ),
        (Observed(ports=1024, peak=9, timed_out=4), [KEEPALIVE]),
        (
            Observed(ports=64, peak=64, no_port_left=True, timed_out=4),
            [REUSE, POOLING, GENTLER_RETRY, OWN_ADDRESS],
        ),
    ],
)
def test_only_the_mitigations_that_the_flows_speak_for_are_named(
    seen: Observed, fitting: list[Mitigation]
) -> None:
    """S-30."""
    assert [one.mitigation for one in advise(seen)] == fitting


def test_each_names_the_figures_that_speak_for_it() -> None:
    """S-30: no generic text."""
    full = Observed(ports=64, peak=64, no_port_left=True, opened=9_000)
    texts = {one.mitigation: one.text for one in advise(full)}
    assert "64 of 64 ports" in texts[REUSE]
    assert "9000 flows opened" in texts[REUSE]
    assert "no port is left" in texts[GENTLER_RETRY]
    refused = {one.mitigation: one.text for one in advise(Observed(ports=64, peak=9, refused=7))}
    assert "7 flows found no port" in refused[GENTLER_RETRY]


@given(
    peak=st.integers(0, 1024),
    full=st.booleans(),
    opened=st.none() | st.integers(0, 10_000),
    refused=st.integers(0, 5),
    timed_out=st.integers(0, 5),
)
def test_a_web_or_worker_role_is_never_told_of_an_address_of_its_own(
    *,
    peak: int,
    full: bool,
    opened: int | None,
    refused: int,
    timed_out: int,
) -> None:
    """S-27: everything else it is told as anybody is."""
    plain, classic = (
        Observed(
            ports=1024,
            peak=peak,
            no_port_left=full,
            opened=opened,
            refused=refused,
            timed_out=timed_out,
            classic=classic,
        )
        for classic in (False, True)
    )
    without = [one for one in advise(plain) if one.mitigation is not OWN_ADDRESS]
    assert list(advise(classic)) == without


def test_fifty_and_one_is_the_row_of_512_and_delete_first_is_suggested() -> None:
    """S-32."""
    found = with_surplus(50, 1)
    assert (found.ports, found.ports_with) == (1024, 512)
    assert found.at_edge
    assert found.delete_first


def test_it_warns_at_the_end_of_each_row_and_nowhere_else() -> None:
    """S-32."""
    assert EDGES == (50, 100, 200, 400, 800)
    assert [pool for pool in range(1001) if with_surplus(pool, 0).at_edge] == [*EDGES]


@pytest.mark.parametrize(
    ("pool", "surplus", "first"),
    [(49, 1, False), (49, 2, True), (50, 0, False), (51, 1, False), (1000, 1, True)],
)
def test_deleting_first_is_suggested_only_where_it_keeps_ports(
    pool: int, surplus: int, *, first: bool
) -> None:
    """S-32; above the table nothing is made up (S-02)."""
    assert with_surplus(pool, surplus).delete_first is first


@pytest.mark.parametrize(
    ("pool", "surplus", "edge", "first"),
    [(50, 5, False, False), (60, 2, False, False), (60, 3, False, True), (62, 1, True, True)],
)
def test_by_hand_there_is_room_or_none_and_no_row(
    pool: int, surplus: int, *, edge: bool, first: bool
) -> None:
    """S-33: 62 blocks of 1024 ports lie on one address; the 51st instance costs nobody ports."""
    found = with_surplus_by_hand(pool, surplus, 1024, 1)
    assert found.ports == 1024
    assert (found.at_edge, found.delete_first) == (edge, first)
