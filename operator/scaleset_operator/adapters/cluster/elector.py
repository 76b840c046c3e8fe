"""The Lease loop: a thread and a connection of its own, so that no turn can hold it up.

Carries out the steps that `core.election` chooses, and tells the tenure how long it lasts.
Must not know: what a leader does.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.errors import cut
from scaleset_operator.adapters.cluster.lease import LeasePlace, LeaseStore
from scaleset_operator.adapters.cluster.tenure import Tenure
from scaleset_operator.api.base import format_micro_time
from scaleset_operator.core.election import (
    NS,
    REQUEST_S,
    RETRY_S,
    Candidate,
    Leave,
    Moment,
    Read,
    Seen,
    Standing,
    Wait,
    Write,
    has_failed,
    next_step,
    released,
    was_read,
    was_refused,
    was_written,
)
from scaleset_operator.reconciler.ports import Clock, Conflict, Gone

LONGEST_PAUSE_S: Final = 1.0
END_S: Final = 2 * REQUEST_S + 1.0
_log = logging.getLogger(__name__)


class Store(Protocol):
    """The Lease; see `LeaseStore`."""

    async def read(self) -> Seen | None:
        """The Lease; None where there is none."""
        ...

    async def write(self, lease: Seen) -> Seen:
        """Write it on its version."""
        ...


@dataclass(slots=True, kw_only=True)
class Circumstances:
    """What bears on the candidate's steps; asked on its thread.

    Attributes:
        fit: whether the process does its work.
        gained: called once, when it leads.
        deaf: the vantage that answers nobody; empty for none.
    """

    fit: Callable[[], bool]
    gained: Callable[[], object]
    deaf: Callable[[], str] = lambda: ""


class Elector:
    """One candidate for one Lease."""

    def __init__(
        self,
        place: LeasePlace,
        candidate: Candidate,
        tenure: Tenure,
        clock: Clock,
        around: Circumstances,
        *,
        connect: Callable[[], Awaitable[Connection]] = Connection.open,
    ) -> None:
        """Prepares it.

        Args:
            place: of the Lease.
            candidate: this process.
            tenure: told how long it leads.
            clock: the operator's own.
            around: what it looks at before a step.
            connect: opens the connection, on the thread's own loop.
        """
        self._place = place
        self._tenure = tenure
        self._clock = clock
        self._around = around
        self._connect = connect
        self._standing = Standing(candidate=candidate)
        self._told = ""
        self._stop = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def standing(self) -> Standing:
        """What is known of the Lease; a value, and so safe to read from any thread."""
        return self._standing

    def words(self) -> str:
        """Who leads, for people."""
        holder = self._standing.holder or "nobody yet"
        return "leads" if self._tenure.leads() else f"stands by; {holder} leads"

    def start(self) -> None:
        """Begin to compete."""
        self._tenure.start()
        self._thread.start()

    def give_back(self) -> None:
        """Compete no more, and let the next one in at once; blocks until that is written."""
        self._tenure.end()
        self._stop.set()
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):  # It may have ended by itself.
                self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(END_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            try:
                await self._compete()
            except Exception:  # noqa: BLE001 - whatever it is, the tenure's time runs
                _log.exception("the election of a leader begins anew")
                await self._pause(RETRY_S)

    async def _compete(self) -> None:
        """Until it is to stop; then the Lease is given back if it is ours."""
        connection = await self._connect()
        try:
            store = LeaseStore(connection, self._place)
            self._standing = was_refused(self._standing, self._now())
            while not self._stop.is_set():
                await self.step(store)
            await self._release(store)
        finally:
            await connection.close()

    async def step(self, store: Store) -> None:
        """Take one step."""
        chosen = next_step(self._standing, self._moment())
        match chosen:
            case Wait(until):
                await self._pause((until - self._now()) / NS)
            case Read():
                await self._ask(store.read(), was_read)
            case Write(lease):
                sent = self._now()
                await self._ask(
                    store.write(lease), lambda was, found, now: was_written(was, found, sent, now)
                )
            case Leave(why):
                self._tenure.lost(why)
                await self._pause(RETRY_S)

    async def _ask(self, question: Awaitable[Seen | None], taken: Callable[..., Standing]) -> None:
        """Send it, and take in what comes of it."""
        before = self._standing
        try:
            async with asyncio.timeout(REQUEST_S):
                found = await question
        except Conflict:
            self._standing = was_refused(self._standing, self._now())
        except Gone as fault:
            self._standing = was_refused(self._standing, self._now())
            self._say(f"the lease {self._place.name} cannot be written: {cut(str(fault))}")
        except Exception as fault:  # noqa: BLE001 - no rights, no answer, nonsense: all the same
            self._standing = has_failed(self._standing, self._now())
            self._say(f"the lease {self._place.name} cannot be had: {cut(repr(fault))}")
        else:
            self._standing = taken(self._standing, found, self._now())
            if found is not None:  # That there is none can be read where none can be made.
                self._say("")
        self._tell(before, self._standing)

    def _tell(self, before: Standing, after: Standing) -> None:
        """What is new goes to the tenure, to whoever waits for it, and into the log."""
        if after.holder and after.holder != before.holder:
            _log.info("%s holds the lease %s", after.holder, self._place.name)
        until = after.leads_until
        if until is not None and not after.lost:
            self._tenure.extend(until)
            if before.leads_until is None:
                self._around.gained()

    async def _release(self, store: Store) -> None:
        """Once more where somebody wrote in between; a failure costs the next one some seconds."""
        for _ in range(2):
            lease = released(self._standing, self._stamp())
            if lease is None:
                return
            try:
                async with asyncio.timeout(REQUEST_S):
                    await store.write(lease)
                    return
            except Conflict:
                await self._ask(store.read(), was_read)
            except Exception as fault:  # noqa: BLE001 - as above
                _log.warning("the lease was not given back: %s", cut(repr(fault)))
                return

    async def _pause(self, seconds: float) -> None:
        """At most a second: waits stand still while the machine sleeps."""
        if self._stopped is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, LONGEST_PAUSE_S)):
                    await self._stopped.wait()

    def _say(self, words: str) -> None:
        """A fault once, and not each time."""
        if words and words != self._told:
            _log.warning("%s", words)
        self._told = words

    def _moment(self) -> Moment:
        around = self._around
        return Moment(at=self._now(), stamp=self._stamp(), fit=around.fit(), deaf=around.deaf())

    def _now(self) -> int:
        return self._clock.boottime_ns()

    def _stamp(self) -> str:
        return format_micro_time(self._clock.now())
