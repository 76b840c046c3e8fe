"""One replica of several: its candidacy, its tenure, and the votes between it and another one.

Wires these parts to each other, in one place for the whole operator. Must not know: what a leader
does with its turns.
"""

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.elector import Circumstances, Elector
from scaleset_operator.adapters.cluster.lease import LeasePlace
from scaleset_operator.adapters.cluster.tenure import Tenure
from scaleset_operator.adapters.probes import Calendar, ProberProbes
from scaleset_operator.adapters.vantage.exchange import Asked, Secret
from scaleset_operator.adapters.vantage.peer import PeerVantage
from scaleset_operator.adapters.vantage.witnessing import Witnessing
from scaleset_operator.core.election import Candidate
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.outlook import NoVantage, Vantage
from scaleset_operator.reconciler.ports import Clock


class SteadyCalendar(Clock, Calendar, Protocol):
    """A clock that also dates moments of CLOCK_BOOTTIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a replica is told of the others.

    Attributes:
        namespace: of the Lease, and lease its name.
        pod: in which it runs; outside of one, the machine's name stands for it.
        secret: path of the file shared for votes; empty for no votes.
    """

    namespace: str
    lease: str
    pod: str = ""
    secret: str = ""

    @classmethod
    def of(cls, namespace: str, lease: str, pod: str, secret: str) -> "Membership":
        """The same, each in its place."""
        return cls(namespace=namespace, lease=lease, pod=pod, secret=secret)


class OnlyReplica:
    """Without an election: this process leads from its first moment, and there is no other.

    Attributes:
        words: how it stands among the others, for people; None where there are none.
    """

    words: Callable[[], str] | None = None

    def __init__(self) -> None:
        self.leadership: Leadership = Alone()

    def fence(self, connection: Connection) -> None:
        """Have nothing written on it while this replica does not lead."""

    def vantage(self, probes: ProberProbes) -> Vantage:  # noqa: ARG002 - another replica watches too
        """What the other replica hears, and from now on the answers to it."""
        return NoVantage()

    def answer(self, body: bytes) -> bytes | None:  # noqa: ARG002 - nobody may ask
        """The answer to another replica's question; asked on the thread of the pages."""
        return None

    def start(self, address: str, fit: Callable[[], bool], gained: Callable[[], object]) -> None:
        """Begin to compete.

        Args:
            address: where the pages are served, `ip:port`.
            fit: whether this process does its work; asked on another thread.
            gained: called on this loop, once, when it leads.
        """

    async def close(self) -> None:
        """Write nothing more, and let the next one in."""

    def votes(self) -> bool:
        """Whether another replica answers this one."""
        return False


class Candidacy(OnlyReplica):
    """This replica's part in the election."""

    def __init__(self, member: Membership, clock: SteadyCalendar) -> None:
        """Prepares it; nothing is asked or told before `start`."""
        self.leadership = self._tenure = Tenure(clock.boottime_ns)
        self.words = self._words
        self._member = member
        self._clock = clock
        self._secret = Secret(Path(member.secret)) if member.secret else None
        self._witnessing: Witnessing | None = None
        self._peer: PeerVantage | None = None
        self._asking: asyncio.Task[None] | None = None
        self._elector: Elector | None = None

    def fence(self, connection: Connection) -> None:
        """See above."""
        connection.fence = self._tenure.check

    def vantage(self, probes: ProberProbes) -> Vantage:
        """See above."""
        if self._secret is None:
            return NoVantage()

        def asked_as(pod_uid: str) -> Asked | None:
            target = probes.target(pod_uid)
            return None if target is None else Asked.of(target)

        self._peer = PeerVantage(self._secret, self._clock, asked_as, self._other)
        self._witnessing = Witnessing(
            self._secret,
            lambda asked: probes.last_success(asked.pod_uid, asked.ip, asked.key),
            self._clock.boottime_ns,
        )
        return self._peer

    def answer(self, body: bytes) -> bytes | None:
        """See above."""
        return None if self._witnessing is None else self._witnessing.answer(body)

    def start(self, address: str, fit: Callable[[], bool], gained: Callable[[], object]) -> None:
        """See above."""
        loop = asyncio.get_running_loop()
        around = Circumstances(
            fit=fit,
            gained=lambda: loop.call_soon_threadsafe(gained),
            deaf=self._peer.deaf if self._peer is not None else lambda: "",
        )
        member = self._member
        candidate = Candidate(
            identity=f"{member.pod or socket.gethostname()}_{uuid.uuid4()}",
            address=address if self._peer is not None else "",
        )
        place = LeasePlace(member.namespace, member.lease)
        self._elector = Elector(place, candidate, self._tenure, self._clock, around)
        self._elector.start()
        if self._peer is not None:
            self._asking = asyncio.create_task(self._peer.run())

    async def close(self) -> None:
        """See above."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        if self._elector is not None:
            await asyncio.to_thread(self._elector.give_back)

    def votes(self) -> bool:
        """See above."""
        return self._peer is not None and self._peer.answers()

    def _words(self) -> str:
        words = "not yet a candidate" if self._elector is None else self._elector.words()
        return f"{words}; another replica votes" if self.votes() else words

    def _other(self) -> str:
        """The standby's address while this one leads; the other way round nothing is asked."""
        seen = None if self._elector is None else self._elector.standing.seen
        return "" if seen is None or not self._tenure.leads() else seen.vantage
