"""The table of ports by pool size, its sums, and what a manual allocation has room for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.ports import (
    FIRST_PORT,
    Grid,
    capacity_by_hand,
    end_of_row,
    ports_by_table,
)

BOTH_ENDS = [
    (1, 1024),
    (50, 1024),
    (51, 512),
    (100, 512),
    (101, 256),
    (200, 256),
    (201, 128),
    (400, 128),
    (401, 64),
    (800, 64),
    (801, 32),
    (1000, 32),
]


@pytest.mark.parametrize(("size", "ports"), BOTH_ENDS)
def test_the_table_is_exact_at_both_ends_of_every_row(size: int, ports: int) -> None:
    """S-01; S-05: role instances are counted like any other, there is no second table."""
    assert ports_by_table(size) == ports


def test_nothing_is_made_up_outside_the_table() -> None:
    """S-02: an empty pool has no allocation, one above 1000 no row."""
    assert ports_by_table(0) == 0
    assert ports_by_table(1001) is None
    assert end_of_row(1001) is None


@given(size=st.integers(0, 1000))
def test_a_pool_never_needs_more_than_its_sum(size: int) -> None:
    """S-03: 51,200 at most, met at the ends of the rows but the last, which needs 32,000."""
    total = size * (ports_by_table(size) or 0)
    assert total <= 51_200
    assert (total == 51_200) == (size in {50, 100, 200, 400, 800})
    assert 1000 * (ports_by_table(1000) or 0) == 32_000


@given(size=st.integers(1, 1000))
def test_a_row_ends_where_the_next_instance_costs_ports(size: int) -> None:
    """S-32: what the distance to the next tier is told from."""
    end = end_of_row(size)
    assert end is not None
    assert ports_by_table(end) == ports_by_table(size)
    assert ports_by_table(end + 1) != ports_by_table(size)


@pytest.mark.parametrize("size", [1024, 512, 256, 128, 64, 32])
def test_the_blocks_of_a_row_lie_side_by_side_from_port_1024_to_the_last(size: int) -> None:
    """S-01: ports below 1024 are nobody's, and every block ends within the address."""
    grid = Grid.by_table(size)
    assert grid.first(0) == FIRST_PORT == 1024
    assert grid.first(grid.slots) == 65_536
    assert [grid.slot_of(grid.first(k) + size - 1) for k in range(grid.slots)] == list(
        range(grid.slots)
    )


@pytest.mark.parametrize(
    ("ports", "frontends", "instances"),
    [(64_000, 1, 1), (64_000, 2, 2), (40_000, 2, 2), (1024, 1, 62), (8, 1, 8_000), (32, 3, 6_000)],
)
def test_a_manual_allocation_has_room_by_whole_blocks_of_each_address(
    ports: int, frontends: int, instances: int
) -> None:
    """S-33: 64,000 ports for each address; 40,000 of them leave no room for a second block."""
    assert capacity_by_hand(ports, frontends) == instances
    assert instances * ports <= 64_000 * frontends
    assert Grid.by_hand(ports).slots * frontends == instances
