"""Who has which ports: no port twice, nothing moved without need, sizes around what is held."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.portblocks import Assignment, PortBlock, Tenant, assign
from scaleset_operator.core.ports import Grid, ports_by_table

ONE = ("192.0.2.10",)
TWO = ("192.0.2.10", "192.0.2.11")


def pool(
    names: Iterable[str],
    held: Mapping[str, PortBlock] | None = None,
    frontends: tuple[str, ...] = ONE,
    leaving: frozenset[str] = frozenset(),
) -> list[Tenant]:
    blocks = held or {}
    return [
        Tenant(name=n, frontends=frontends, held=blocks.get(n), leaving=n in leaving) for n in names
    ]


def numbered(count: int, start: int = 1) -> list[str]:
    return [f"web-{n}" for n in range(start, start + count)]


def by_table(
    names: list[str],
    held: Mapping[str, PortBlock] | None = None,
    frontends: tuple[str, ...] = ONE,
) -> Assignment:
    ports = ports_by_table(len(names))
    assert ports
    return assign(pool(names, held, frontends), Grid.by_table(ports))


def is_within(inner: PortBlock, outer: PortBlock) -> bool:
    same = inner.frontend == outer.frontend
    return same and outer.first <= inner.first and inner.last <= outer.last


def shared_ports(blocks: Iterable[PortBlock]) -> list[tuple[PortBlock, PortBlock]]:
    pairs = pairwise(sorted(blocks))
    return [(a, b) for a, b in pairs if a.frontend == b.frontend and b.first <= a.last]


@pytest.mark.parametrize("size", [1, 50, 51, 100, 101, 200, 201, 400, 401, 800, 801, 1000])
def test_every_instance_of_a_new_pool_has_one_block_of_its_row(size: int) -> None:
    """S-01, S-06: at both ends of every row, and from port 1024 on."""
    found = by_table(numbered(size))
    assert not found.without
    assert {block.size for block in found.blocks.values()} == {ports_by_table(size)}
    assert len(found.blocks) == size
    assert not shared_ports(found.blocks.values())
    assert min(block.first for block in found.blocks.values()) == 1024


def test_the_51st_instance_takes_exactly_half_of_the_ports_of_each() -> None:
    """S-07: the kept half keeps its place."""
    before = by_table(numbered(50)).blocks
    after = by_table(numbered(51), before).blocks
    for name, block in before.items():
        assert after[name].size == 512 == block.size / 2
        assert is_within(after[name], block)


def test_growth_across_two_rows_leaves_a_quarter() -> None:
    """S-08: from 50 to 101."""
    before = by_table(numbered(50)).blocks
    after = by_table(numbered(101), before).blocks
    assert {name: after[name].size for name in before} == dict.fromkeys(before, 256)
    assert all(is_within(after[name], block) for name, block in before.items())


def test_growth_inside_a_row_changes_nothing() -> None:
    """S-09."""
    before = by_table(numbered(51)).blocks
    after = by_table(numbered(100), before).blocks
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(("more", "fewer"), [(51, 50), (63, 40), (101, 100), (126, 80), (801, 800)])
def test_a_pool_that_shrinks_has_its_ports_back_around_those_it_holds(
    more: int, fewer: int
) -> None:
    """S-11: each is placed with room around it, so that it can have twice as many where it is."""
    before = by_table(numbered(more)).blocks
    after = by_table(numbered(fewer), before).blocks
    assert {block.size for block in after.values()} == {ports_by_table(fewer)}
    assert all(is_within(before[name], block) for name, block in after.items())


def test_whoever_has_no_room_beside_it_keeps_what_it_has_until_there_is_some() -> None:
    """S-11: two that share a larger block; nobody is moved, for that would end flows."""
    held = {"web-1": PortBlock(ONE[0], 1024, 1535), "web-2": PortBlock(ONE[0], 1536, 2047)}
    both = by_table(["web-1", "web-2"], held)
    assert both.blocks == held
    alone = by_table(["web-2"], held)
    assert alone.blocks == {"web-2": PortBlock(ONE[0], 1024, 2047)}


def test_a_block_grows_as_far_as_its_neighbours_let_it() -> None:
    """S-11: half of what the row gives is better than a quarter."""
    held = {"web-1": PortBlock(ONE[0], 1280, 1535), "web-2": PortBlock(ONE[0], 1536, 1791)}
    blocks = by_table(["web-1", "web-2"], held).blocks
    assert blocks["web-1"] == PortBlock(ONE[0], 1024, 1535)
    assert blocks["web-2"] == PortBlock(ONE[0], 1536, 2047)


def test_whoever_leaves_keeps_its_ports_until_it_is_gone() -> None:
    """S-06: a pod that is being deleted still sends; its block is given to nobody, nor grown."""
    names = numbered(50)
    before = by_table(names).blocks
    now = pool([*names[1:], "web-51", names[0]], before, leaving=frozenset({names[0]}))
    found = assign(now, Grid.by_table(1024))
    assert found.blocks[names[0]] == before[names[0]]
    assert not shared_ports(found.blocks.values())
    assert len(found.blocks) == 51
    gone = by_table([*names[1:], "web-51"], found.blocks).blocks
    assert gone == {name: block for name, block in found.blocks.items() if name != names[0]}


def test_a_front_end_that_is_full_is_full_for_its_own_instances_alone() -> None:
    """S-18: by hand, two blocks an address; whoever may use the other address is served."""
    held_here = [Tenant(name=f"a-{n}", frontends=TWO[:1]) for n in range(3)]
    there = [Tenant(name="b-1", frontends=TWO[1:])]
    for order in ([*held_here, *there], [*there, *held_here]):
        found = assign(order, Grid.by_hand(32_000))
        assert found.without == ("a-2",), "a free block of the other address does not help"
        assert found.blocks["b-1"] == PortBlock(TWO[1], 1024, 33_023)


def test_several_front_ends_share_the_instances_and_multiply_no_ports() -> None:
    """S-25: each instance has one block on one of them."""
    found = by_table(numbered(51), frontends=TWO)
    assert {block.size for block in found.blocks.values()} == {512}
    fronts = [block.frontend for block in found.blocks.values()]
    assert sorted(map(fronts.count, TWO)) == [25, 26]


def test_a_block_on_an_address_that_is_no_longer_allowed_is_given_anew() -> None:
    """S-34: another node holds the front end now; only those concerned move."""
    names = numbered(2)
    before = by_table(names).blocks
    tenants = [
        Tenant(name=names[0], frontends=TWO[1:], held=before[names[0]]),
        Tenant(name=names[1], frontends=TWO[:1], held=before[names[1]]),
    ]
    blocks = assign(tenants, Grid.by_table(1024)).blocks
    assert blocks[names[0]].frontend == TWO[1]
    assert blocks[names[1]] == before[names[1]]


def test_a_port_that_two_are_said_to_hold_stays_with_the_first() -> None:
    """S-16: a status that was written by hand gives no port to two."""
    same = PortBlock(ONE[0], 1024, 2047)
    blocks = by_table(["web-1", "web-2"], {"web-1": same, "web-2": same}).blocks
    assert blocks["web-1"] == same
    assert not shared_ports(blocks.values())


@pytest.mark.parametrize(("before", "after"), [(1000, 1504), (1504, 1000), (24, 1024), (1024, 8)])
def test_another_manual_size_moves_blocks_and_shares_none(before: int, after: int) -> None:
    """S-33: the owner's own change; sizes that do not divide each other cannot all stay."""
    names = numbered(40)
    held = assign(pool(names), Grid.by_hand(before)).blocks
    found = assign(pool(names, held), Grid.by_hand(after))
    assert not found.without
    assert not shared_ports(found.blocks.values())
    assert found.blocks.keys() == set(names)


SIZES = st.lists(st.integers(0, 220), min_size=2, max_size=6)


@given(sizes=SIZES, seed=st.integers(0, 2**32))
def test_whatever_comes_and_goes_no_port_has_two_owners(sizes: list[int], seed: int) -> None:
    """S-07, S-11, S-16: growth keeps a part of each, shrinking keeps all, everybody has a block."""
    names: list[str] = []
    held: Mapping[str, PortBlock] = {}
    made = 0
    for size in sizes:
        while len(names) > size:
            names.pop(seed * len(names) // 7 % len(names))
        new = numbered(size - len(names), made + 1)
        made += len(new)
        names.extend(new)
        ports = ports_by_table(size)
        assert ports is not None
        if not ports:
            held = {}
            continue
        found = assign(pool(names, held), Grid.by_table(ports))
        _check(found, held, names, ports)
        held = found.blocks


def _check(found: Assignment, held: Mapping[str, PortBlock], names: list[str], ports: int) -> None:
    assert not found.without
    assert found.blocks.keys() == set(names)
    assert not shared_ports(found.blocks.values())
    for name, block in found.blocks.items():
        assert block.size <= ports
        before = held.get(name)
        if before is None:
            assert block.size == ports, "whoever is new has all its ports"
        elif before.size >= ports:
            assert is_within(block, before)
            assert block.size == ports
        else:
            assert is_within(before, block)
