"""Advice on outbound ports: which mitigation fits the flows, and what a surplus does to the row.

Of the source's five mitigations only those are named that the figures speak for (S-30).
Must not know where the figures come from, or how advice is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from scaleset_operator.core.ports import TABLE, capacity_by_hand, ports_by_table

EDGES: Final = tuple(largest for largest, _ in TABLE[:-1])
"""Pools whose next instance costs each of them ports: 50, 100, 200, 400, 800 (S-32)."""


class Mitigation(StrEnum):
    """What the source offers against ports that run out (S-30)."""

    REUSE = "Reuse"
    POOLING = "Pooling"
    GENTLER_RETRY = "GentlerRetry"
    OWN_ADDRESS = "OwnAddress"
    KEEPALIVE = "Keepalive"


class Advice(NamedTuple):
    """One mitigation, and which figures speak for it."""

    mitigation: Mitigation
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The flows of one instance to the destination that it has most to.

    Attributes:
        ports: of its block.
        peak: the most in use at once, or a little more where that is told in steps.
        no_port_left: whether all were in use.
        opened: flows opened meanwhile; None where nobody counted.
        refused: flows that found no free port.
        timed_out: flows that ended idle though their owner still wanted them.
        classic: whether it is a web or worker role of a classic service.
    """

    ports: int
    peak: int
    no_port_left: bool = False
    opened: int | None = None
    refused: int = 0
    timed_out: int = 0
    classic: bool = False

    @property
    def full(self) -> bool:
        """Whether new flows failed, or would have."""
        return self.no_port_left or self.refused > 0

    @property
    def tight(self) -> bool:
        """Whether half of the ports were in use: what the next row would leave it."""
        return self.full or 2 * self.peak >= self.ports


def advise(seen: Observed) -> Iterator[Advice]:
    """The mitigations that fit, the cheapest first; none where there is nothing to mitigate.

    A web or worker role has no address of its own to be given, and is not told of one (S-27).
    """
    used = f"up to {seen.peak} of {seen.ports} ports in use to one destination"
    if seen.tight:
        # Unless it is known that flows are few and last, a connection may serve more than one use.
        if seen.opened is None or seen.opened >= 2 * seen.peak:
            opened = "" if seen.opened is None else f", and {seen.opened} flows opened"
            text = f"send several requests over one connection: {used}{opened}"
            yield Advice(Mitigation.REUSE, text)
        text = f"bound the connections at once by a pool: {used}"
        yield Advice(Mitigation.POOLING, text)
    if seen.full:
        why = f"{seen.refused} flows found no port" if seen.refused else "no port is left"
        text = f"retry with growing pauses: {why}, and hasty retries keep it so"
        yield Advice(Mitigation.GENTLER_RETRY, text)
    if seen.tight and not seen.classic:
        text = f"a public address of its own has all its ports for one instance: {used}"
        yield Advice(Mitigation.OWN_ADDRESS, text)
    # It holds ports, so it is no help where they have run out.
    if seen.timed_out and not seen.full:
        text = f"keepalives within the idle time-out: {seen.timed_out} flows ended idle"
        yield Advice(Mitigation.KEEPALIVE, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """What so many instances beside those of the pool do to the ports of each (S-32).

    Attributes:
        pool: instances without them.
        ports: of each then; None where there is no row, or no room, for so many.
        ports_with: of each while they live; None likewise.
        at_edge: whether the very next instance costs each ports, or finds none: worth a warning.
    """

    pool: int
    surplus: int
    ports: int | None
    ports_with: int | None
    at_edge: bool

    @property
    def delete_first(self) -> bool:
        """Whether to delete before creating keeps each its ports."""
        return self.surplus > 0 and self.ports is not None and self.ports != self.ports_with


def with_surplus(pool: int, surplus: int) -> Surplus:
    """By the table: 50 and 1 is the row of 512 ports (S-32)."""
    return Surplus(
        pool=pool,
        surplus=surplus,
        ports=ports_by_table(pool),
        ports_with=ports_by_table(pool + surplus),
        at_edge=pool in EDGES,
    )


def with_surplus_by_hand(pool: int, surplus: int, ports: int, frontends: int) -> Surplus:
    """The same where the owner chose how many ports each has: there is room, or none (S-33)."""
    room = capacity_by_hand(ports, frontends)
    return Surplus(
        pool=pool,
        surplus=surplus,
        ports=ports if pool <= room else None,
        ports_with=ports if pool + surplus <= room else None,
        at_edge=pool == room,
    )
