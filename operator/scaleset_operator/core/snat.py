"""A model of the flows and ports of one address configuration: what uses a port, and when it frees.

It follows the source's rules and no data plane; whether ports run out under a load, and whether
they come back, can be asked of it before anything runs. Must not know who owns the ports.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from scaleset_operator.api.outboundrule import DEFAULT_IDLE_TIMEOUT
from scaleset_operator.core.portblocks import PortBlock


class Protocol(StrEnum):
    """What a port is one of: those of the two do not compete (S-15)."""

    TCP = "tcp"
    UDP = "udp"


class Triple(NamedTuple):
    """A destination; flows compete for ports only where all three are the same (S-13, S-15)."""

    address: str
    port: int
    protocol: Protocol = Protocol.TCP


class Flow(NamedTuple):
    """One open flow: with the front end's address the five parts after translation (S-16).

    Attributes:
        number: tells it from a later flow that has the same port to the same destination.
    """

    port: int
    to: Triple
    number: int


@dataclass(slots=True)
class Configuration:
    """One address configuration of one instance; none sees the ports of another (S-18).

    Times given to it never go back.

    Attributes:
        block: its ports.
        idle: how long a flow may be idle before its port is free again (S-19).
    """

    block: PortBlock
    idle: timedelta = DEFAULT_IDLE_TIMEOUT
    _used: dict[Flow, datetime] = field(default_factory=dict)
    _opened: int = 0

    def open(self, to: Triple, now: datetime) -> Flow | None:
        """A new flow on the lowest port that has none to this destination (S-13, S-16).

        Returns:
            None where every port has one: it fails, and those that exist go on (S-12, S-17).
        """
        self._expire(now)
        taken = {flow.port for flow in self._used if flow.to == to}
        ports = range(self.block.first, self.block.last + 1)
        port = next((port for port in ports if port not in taken), None)
        if port is None:
            return None
        self._opened += 1
        flow = Flow(port, to, self._opened)
        self._used[flow] = now
        return flow

    def use(self, flow: Flow, now: datetime) -> bool:
        """Data, or a keepalive of either layer, renews the flow (S-19); False where it is over."""
        self._expire(now)
        if flow not in self._used:
            return False
        self._used[flow] = now
        return True

    def close(self, flow: Flow) -> None:
        """Frees the port at once (S-19); of a flow that is over, nothing."""
        self._used.pop(flow, None)

    def flows(self, now: datetime) -> frozenset[Flow]:
        """The open ones."""
        self._expire(now)
        return frozenset(self._used)

    def ports_needed(self, now: datetime) -> int:
        """The most flows to one destination, and not the sum over all (S-14)."""
        to_each = Counter(flow.to for flow in self.flows(now))
        return max(to_each.values(), default=0)

    def _expire(self, now: datetime) -> None:
        over = [flow for flow, used in self._used.items() if now - used >= self.idle]
        for flow in over:
            del self._used[flow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How long a caller waits before it tries again.

    Attributes:
        first: before the first retry.
        factor: by how much each wait is longer than the one before; 1 is no back-off.
        longest: no wait is longer.
    """

    first: timedelta
    factor: int = 1
    longest: timedelta = timedelta(hours=1)

    def wait(self, failures: int) -> timedelta:
        """The wait after so many failures, one at least."""
        wait = self.first
        for _ in range(failures - 1):
            if self.factor == 1 or wait >= self.longest:
                break
            wait *= self.factor
        return min(wait, self.longest)


def recovered(
    configuration: Configuration,
    to: Triple,
    starts: Iterable[datetime],
    retry: Retry,
    *,
    needs: int,
    until: datetime,
) -> datetime | None:
    """When the last of several callers had all the flows it needs at once (S-20).

    One that gets only some gives up without closing them, as at a deadline: their ports stay taken
    until they were idle for long enough. One that gets all is done, and closes them.

    Args:
        configuration: whose ports they share; it is changed.
        to: the destination of all.
        starts: when each caller tries first.
        retry: how long each waits after it failed.
        needs: flows that each needs at once.
        until: how far to look.

    Returns:
        None where somebody still tries then.
    """
    due = [(start, caller, 0) for caller, start in enumerate(starts)]
    heapify(due)
    last = None
    while due:
        now, caller, failures = heappop(due)
        if now > until:
            return None
        got = [flow for _ in range(needs) if (flow := configuration.open(to, now)) is not None]
        if len(got) < needs:
            heappush(due, (now + retry.wait(failures + 1), caller, failures + 1))
            continue
        for flow in got:
            configuration.close(flow)
        last = now
    return last
