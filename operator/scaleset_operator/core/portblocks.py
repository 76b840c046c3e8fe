"""Which ports each instance has: one block each, none in two, and as few moved as possible.

The blocks of one size lie side by side. What an instance holds stays where it is: a smaller size
keeps the first part of it (S-07, S-08), a larger one is grown around it where the ports beside it
are free (S-11). Must not know why a size was chosen, or who carries it out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace
from typing import Final, NamedTuple

from scaleset_operator.core.ports import FIRST_PORT, TABLE, Grid

_SIZES: Final = tuple(ports for _, ports in TABLE)


class PortBlock(NamedTuple):
    """Source ports of one front-end address, both ends included."""

    frontend: str
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many ports."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Whoever has a block, or is to have one.

    Attributes:
        frontends: addresses that its block may lie on.
        held: its block as it stands.
        leaving: it keeps what it holds until it is gone, and gets nothing new.
    """

    name: str
    frontends: tuple[str, ...]
    held: PortBlock | None = None
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who has which block.

    Attributes:
        without: tenants that no block was left for, in their order.
    """

    blocks: Mapping[str, PortBlock]
    without: tuple[str, ...] = ()


def assign(tenants: Sequence[Tenant], grid: Grid) -> Assignment:
    """Gives every tenant its block of the grid's size.

    A tenant whose ports cannot all be had around what it holds keeps the smaller block until those
    beside it are free: to move it would end its flows.

    Args:
        tenants: in the order in which they are served; each name once.
        grid: where blocks may lie.
    """
    board = _Board(grid)
    blocks: dict[str, PortBlock] = {}
    for tenant in tenants:
        piece = _kept(tenant, grid)
        if piece is not None and board.take(piece):
            blocks[tenant.name] = piece
    for tenant in tenants:
        piece = blocks.get(tenant.name)
        if piece is not None and not tenant.leaving:
            blocks[tenant.name] = board.grown(piece)
    without: list[str] = []
    for tenant in tenants:
        if tenant.name in blocks or tenant.leaving:
            continue
        found = board.place(tenant.frontends)
        if found is None:
            without.append(tenant.name)
        else:
            blocks[tenant.name] = found
    return Assignment(blocks, tuple(without))


def _kept(tenant: Tenant, grid: Grid) -> PortBlock | None:
    """What a tenant may keep of its block: all of it in one slot, or the first whole slot in it."""
    held = tenant.held
    if held is None or held.frontend not in tenant.frontends or held.first < FIRST_PORT:
        return None
    slot = grid.slot_of(held.first)
    if grid.slot_of(held.last) != slot:
        # Larger than a slot, or of a size that was chosen by hand and lies across two.
        slot = min(grid.slot_of(held.first + grid.size - 1), grid.slot_of(held.last))
        first = grid.first(slot)
        held = PortBlock(held.frontend, first, first + grid.size - 1)
    return held if slot < grid.slots else None


@dataclass(slots=True)
class _Board:
    """The slots of all addresses, and what lies in them."""

    grid: Grid
    pieces: dict[tuple[str, int], list[PortBlock]] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    spaces: dict[str, "_Spaces"] = field(default_factory=dict)

    def take(self, piece: PortBlock) -> bool:
        """Puts a piece where it lies; False where another lies there already."""
        there = self.pieces.setdefault(self._place(piece), [])
        if any(piece.first <= other.last and other.first <= piece.last for other in there):
            return False
        self.used[piece.frontend] += not there
        there.append(piece)
        return True

    def grown(self, piece: PortBlock) -> PortBlock:
        """The largest block of its slot that holds the piece and no other's port."""
        others = [other for other in self.pieces[self._place(piece)] if other is not piece]
        grown = piece
        for larger in self._around(piece):
            if any(larger.first <= o.last and o.first <= larger.last for o in others):
                break
            grown = larger
        return grown

    def place(self, frontends: Iterable[str]) -> PortBlock | None:
        """A free slot of the address that has most of them; None where none is free."""
        free = [f for f in frontends if self.used[f] < self.grid.slots]
        if not free:
            return None
        frontend = min(free, key=lambda one: self.used[one])
        if frontend not in self.spaces:
            taken = {slot for front, slot in self.pieces if front == frontend}
            self.spaces[frontend] = _Spaces(self.grid, taken)
        self.used[frontend] += 1
        first = self.grid.first(self.spaces[frontend].take())
        return PortBlock(frontend, first, first + self.grid.size - 1)

    def _place(self, piece: PortBlock) -> tuple[str, int]:
        return piece.frontend, self.grid.slot_of(piece.first)

    def _around(self, piece: PortBlock) -> Iterator[PortBlock]:
        """Ever larger blocks around a piece, up to its slot; none where it does not divide it."""
        size = piece.size * 2
        while size <= self.grid.size and self.grid.size % size == 0:
            first = piece.first - (piece.first - FIRST_PORT) % size
            yield PortBlock(piece.frontend, first, first + size - 1)
            size *= 2


class _Spaces:
    """The free slots of one address, those with most room around them first.

    With its own surroundings free an instance can have twice as many ports later, where it is.
    """

    def __init__(self, grid: Grid, taken: Iterable[int]) -> None:
        self._widths = [s // grid.size for s in _SIZES if s > grid.size and s % grid.size == 0]
        self._around = [Counter[int]() for _ in self._widths]
        taken = set(taken)
        for slot in taken:
            self._count(slot)
        free = (slot for slot in range(grid.slots) if slot not in taken)
        self._heap = [self._row(slot) for slot in free]
        heapify(self._heap)

    def take(self) -> int:
        """The slot that comes first; there has to be one."""
        while True:
            row = self._row(self._heap[0][-1])
            if row == self._heap[0]:
                heappop(self._heap)
                self._count(row[-1])
                return row[-1]
            heapreplace(self._heap, row)

    def _count(self, slot: int) -> None:
        for width, around in zip(self._widths, self._around, strict=True):
            around[slot // width] += 1

    def _row(self, slot: int) -> tuple[int, ...]:
        """Its neighbours in ever smaller surroundings, and the slot itself."""
        near = (a[slot // w] for w, a in zip(self._widths, self._around, strict=True))
        return (*near, slot)
