"""The operator's side of the prober: keeps it alive, tells it what to probe, keeps its evidence.

It belongs to one asyncio loop and is called from there alone. It reports outcomes and the state of
the prober; whether an instance is healthy is decided elsewhere.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from scaleset_operator.adapters.prober.child import Child
from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.evidence import (
    NS,
    EvidenceTable,
    TargetEvidence,
    TargetSpec,
)
from scaleset_operator.adapters.prober.totals import Totals
from scaleset_operator.adapters.prober.wire import (
    Command,
    DropTarget,
    FrameKind,
    Heartbeat,
    Ping,
    ReferenceState,
    SetReferences,
    WireError,
    decode_heartbeat,
    encode_command,
)

HEART_SILENT_S: Final = 2.0
"""Without a heartbeat for so long, repairs are withheld (design.md, The processes)."""

HEART_DEAD_S: Final = 5.0
"""Without a heartbeat for so long, the process is replaced."""

START_WITHIN_S: Final = 15.0
"""A process that has not beaten once by then is replaced."""

BACKOFF_FIRST_S: Final = 0.2
BACKOFF_LAST_S: Final = 10.0
BACKOFF_FORGOTTEN_S: Final = 30.0
"""A process that lived so long is replaced without waiting."""

_LOOK_EVERY_S: Final = 0.25

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberState:
    """The prober, as the operator sees it now; times are CLOCK_BOOTTIME in nanoseconds.

    Attributes:
        pid: of the present process, None between two.
        starts: processes started so far.
        beating_since: first heartbeat of the present unbroken run; None while the heart is silent.
        heartbeat: the newest of the present process.
        references: the prober's own responder first, then those given, in order; empty until the
            prober has taken the list in force.
    """

    pid: int | None
    starts: int
    beating_since: int | None
    heartbeat: Heartbeat | None
    references: tuple[ReferenceState, ...]

    @property
    def sees(self) -> bool:
        """Whether the prober can tell silence from blindness (protocol rule 18).

        It must reach its own responder, and one at least of the references given, if any were.
        """
        if not self.references:
            return False
        own, *given = self.references
        return own.reachable and (not given or any(one.reachable for one in given))


class ProberLink:
    """Starts a prober, replaces it when it dies or stops beating, and keeps what it reports.

    Args:
        on_change: called with the key of a target whose outcome is its first, or of another kind
            than the one before.
        on_state: called when the heart begins or ceases to beat, or `sees` changes.
        heart_dead: seconds without a heartbeat after which the process is replaced.

    Attributes:
        totals: what all processes counted.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[Hashable], None],
        on_state: Callable[[], None] = lambda: None,
        heart_dead: float = HEART_DEAD_S,
    ) -> None:
        self._on_change = on_change
        self._on_state = on_state
        self._heart_dead = heart_dead
        self._table = EvidenceTable()
        self._references = SetReferences(0, ())
        self._child: Child | None = None
        self._starts = 0
        self._heartbeat: Heartbeat | None = None
        self._beating_since: int | None = None
        self._last_beat_ns: int | None = None
        self.totals = Totals()
        self._told = (False, False)
        self._pings: dict[int, asyncio.Event] = {}
        self._last_token = 0
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the prober and keeps it alive until `close`."""
        if self._supervisor is None:
            self._last_beat_ns = boottime_ns()
            self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    async def close(self) -> None:
        """Ends the prober; nothing is reported afterwards."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None

    def set_target(self, key: Hashable, spec: TargetSpec) -> None:
        """Probes a target from now on; the same key and spec again change nothing.

        Any difference in the spec begins the evidence anew (P-25).
        """
        command = self._table.set(key, spec, boottime_ns())
        if command is not None:
            self._send(encode_command(command))

    def drop_target(self, key: Hashable) -> None:
        """Probes a target no more and forgets what was known; an unknown key is no error."""
        number = self._table.drop(key)
        if number is not None:
            self._send(encode_command(DropTarget(number)))

    def set_references(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Names the (address literal, port) pairs that tell blindness from silence (rule 18).

        Each is tried by a tcp handshake every 2 s. ValueError for what is no address literal.
        """
        for ip, _ in addresses:
            ip_address(ip)
        if tuple(addresses) != self._references.addresses:
            self._references = SetReferences(self._references.epoch + 1, tuple(addresses))
            self._send(encode_command(self._references))

    def evidence(self, key: Hashable) -> TargetEvidence | None:
        """What is known of a target; None when it is not watched."""
        return self._table.get(key)

    def heart_age(self) -> float:
        """Seconds since the present process made its last heartbeat; infinite before the first."""
        if self._heartbeat is None:
            return math.inf
        return max(0, boottime_ns() - self._heartbeat.boottime) / NS

    def silent_for(self) -> float | None:
        """Seconds since the last heartbeat of any process, or since `start`; None before it.

        May be asked from any thread.
        """
        last = self._last_beat_ns
        return None if last is None else max(0, boottime_ns() - last) / NS

    def state(self) -> ProberState:
        """The prober as it is now."""
        beat = self._heartbeat
        in_force = beat is not None and beat.reference_epoch == self._references.epoch
        return ProberState(
            pid=None if self._child is None else self._child.pid,
            starts=self._starts,
            beating_since=self._beating_since if self.heart_age() <= HEART_SILENT_S else None,
            heartbeat=beat,
            references=beat.references if beat is not None and in_force else (),
        )

    async def settled(self) -> None:
        """Returns once the prober has taken every command given before this call."""
        self._last_token += 1
        token = self._last_token
        answered = self._pings[token] = asyncio.Event()
        self._send(encode_command(Ping(token)))
        try:
            await answered.wait()
        finally:
            del self._pings[token]

    def _send(self, data: bytes) -> None:
        """Tells the present process; the next one is told everything at its start."""
        if self._child is not None:
            self._child.send(data)

    async def _supervise(self) -> None:
        """Runs one process after the other, with a pause that grows while they die young."""
        pause = BACKOFF_FIRST_S
        while True:
            begun_ns = boottime_ns()
            try:
                reason = await self._run_child()
            except OSError as error:
                reason = f"could not be started: {error}"
            if boottime_ns() - begun_ns > BACKOFF_FORGOTTEN_S * NS:
                pause = BACKOFF_FIRST_S
            logger.warning("the prober %s; the next one starts in %.1f s", reason, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACKOFF_LAST_S)

    async def _run_child(self) -> str:
        """Runs one process to its end; returns why it ended."""
        child = await Child.start(self._on_frame)
        try:
            self._child = child
            self._starts += 1
            logger.info("the prober runs as process %d", child.pid)
            self._tell_everything(child)
            return await self._watch_heart(child)
        finally:
            self._child = None
            self._heartbeat = None
            self.totals.process_ended()
            self._beating_since = None
            self._tell_state()
            await child.end()

    def _tell_everything(self, child: Child) -> None:
        """Gives a new process all targets in new epochs: it has seen none of them (rule 21)."""
        commands: tuple[Command, ...] = (
            self._references,
            *self._table.renew(boottime_ns()),
            *(Ping(token) for token in self._pings),
        )
        child.send(b"".join(map(encode_command, commands)))

    async def _watch_heart(self, child: Child) -> str:
        """Waits until the process is gone or its heart is dead."""
        begun_ns = boottime_ns()
        while not child.gone.is_set():
            self._tell_state()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await child.gone.wait()
            if self._dead(begun_ns):
                # It may be this loop that stood still: read what waits in the socket, look again.
                await asyncio.sleep(_LOOK_EVERY_S)
                if self._dead(begun_ns):
                    return "made no heartbeat in time"
        return "ended"

    def _dead(self, begun_ns: int) -> bool:
        if self._heartbeat is None:
            return boottime_ns() - begun_ns > START_WITHIN_S * NS
        return self.heart_age() > self._heart_dead

    def _on_frame(self, kind: int, body: bytes) -> None:
        if kind == FrameKind.OUTCOMES:
            for key in self._table.take(body):
                self._on_change(key)
        elif kind == FrameKind.HEARTBEAT:
            self._beat(decode_heartbeat(body))
        else:
            message = f"frame kind {kind} is no report"
            raise WireError(message)

    def _beat(self, beat: Heartbeat) -> None:
        last = self._heartbeat
        if last is None or beat.boottime - last.boottime > HEART_SILENT_S * NS:
            self._beating_since = beat.boottime
        self._heartbeat = beat
        self.totals.beat(beat)
        self._last_beat_ns = beat.boottime
        for token, answered in self._pings.items():
            if token <= beat.token:
                answered.set()
        self._tell_state()

    def _tell_state(self) -> None:
        state = self.state()
        beating = state.beating_since is not None
        now = (beating, beating and state.sees)
        if now != self._told:
            self._told = now
            self._on_state()
