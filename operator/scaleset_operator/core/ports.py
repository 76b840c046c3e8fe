"""How many outbound ports each instance of a pool has: the source's table, and sums over it.

Must not know who is in a pool, or which ports an instance has.
"""

from dataclasses import dataclass
from typing import Final

from scaleset_operator.api.outboundrule import MAX_ALLOCATIONS, MAX_PORT, PORTS_PER_FRONTEND

FIRST_PORT: Final = 1_024
"""The first port that is given out; those below are for servers (S-01)."""
TABLE: Final = ((50, 1024), (100, 512), (200, 256), (400, 128), (800, 64), (MAX_ALLOCATIONS, 32))
"""(largest pool, ports of one address configuration), row by row (S-01); for virtual machines and
the roles of classic services alike (S-05)."""


def ports_by_table(pool_size: int) -> int | None:
    """Ports of one address configuration in a pool of so many instances.

    A pod has one IPv4 address, so an instance has one configuration and the row once (S-04).

    Returns:
        0 for an empty pool; None for one above the last row: the source says nothing of it, and no
        row is made up (S-02).
    """
    if pool_size == 0:
        return 0
    return next((ports for largest, ports in TABLE if pool_size <= largest), None)


def end_of_row(pool_size: int) -> int | None:
    """The largest pool whose instances have as many ports each; None above the last row."""
    return next((largest for largest, _ in TABLE if pool_size <= largest), None)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where blocks of one size lie on every front-end address: side by side from port 1024 on.

    Of the table's sizes each divides the next, so that a smaller block lies in one larger one.

    Attributes:
        size: ports of one block.
        slots: blocks of one address.
    """

    size: int
    slots: int

    @classmethod
    def by_table(cls, size: int) -> "Grid":
        """For a row of the table."""
        return cls(size, (MAX_PORT + 1 - FIRST_PORT) // size)

    @classmethod
    def by_hand(cls, size: int) -> "Grid":
        """For a manual allocation: of 64,000 ports for each address (S-33)."""
        return cls(size, PORTS_PER_FRONTEND // size)

    def first(self, slot: int) -> int:
        """The first port of a slot."""
        return FIRST_PORT + slot * self.size

    def slot_of(self, port: int) -> int:
        """The slot that a port lies in."""
        return (port - FIRST_PORT) // self.size


def capacity_by_hand(ports: int, frontends: int) -> int:
    """Instances that a manual allocation has room for (S-33).

    A block lies on one address, so what is left over on each does not add up to another.
    """
    return PORTS_PER_FRONTEND // ports * frontends
