"""The frames on the socket between the operator and its prober, and nothing else.

Every frame is a header (length of the body, kind) and a body. Times are CLOCK_BOOTTIME in
nanoseconds, which both processes share. Must not know sockets, or anything outside the standard
library and its own package: the child imports it.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple, assert_never

from scaleset_operator.adapters.prober.counts import NO_COUNTS, Counts
from scaleset_operator.adapters.prober.counts import SIZE as COUNTS_SIZE

HEADER: Final = struct.Struct("<IB")
RECORD: Final = struct.Struct("<iiIHBxqq")
MAX_BODY: Final = 1 << 20
"""Bytes in one body at most. A longer one means that the two sides have lost step."""

_SET: Final = struct.Struct("<iiBHqqIB")
_DROP: Final = struct.Struct("<i")
_REFERENCES: Final = struct.Struct("<i")
_ADDRESS: Final = struct.Struct("<HB")
_PING: Final = struct.Struct("<I")
_HEARTBEAT: Final = struct.Struct("<qiiqqqqqqIi")
_REFERENCE: Final = struct.Struct("<?qq")


class WireError(Exception):
    """The other side sent what this version does not understand."""


class Code(IntEnum):
    """How an attempt ended. VOIDED is the prober's own fault: counted, and never sent."""

    VOIDED = 0
    OK = 1
    WRONG_STATUS = 2
    MALFORMED = 3
    REFUSED = 4
    TIMED_OUT = 5
    UNREACHABLE = 6


class ProbeProtocol(IntEnum):
    """What one attempt does (P-02)."""

    HTTP = 1
    TCP = 2


class FrameKind(IntEnum):
    """The byte after the length."""

    SET_TARGET = 1
    DROP_TARGET = 2
    SET_REFERENCES = 3
    PING = 4
    OUTCOMES = 16
    HEARTBEAT = 17


class SetTarget(NamedTuple):
    """Probe this from now on; an older epoch of the same target is forgotten (P-25, P-31).

    Attributes:
        target: the operator's number for it, never used for another.
        epoch: higher with each change; comes back in each outcome.
        ip: an address literal, v4 or v6.
        path: request target, for http alone.
        seed: 32 bits that place the target on its interval.
    """

    target: int
    epoch: int
    protocol: ProbeProtocol
    ip: str
    port: int
    path: str
    interval_ns: int
    timeout_ns: int
    seed: int


class DropTarget(NamedTuple):
    """Probe it no more."""

    target: int


class SetReferences(NamedTuple):
    """The addresses that tell whether the prober itself can see (protocol rule 18)."""

    epoch: int
    addresses: tuple[tuple[str, int], ...]


class Ping(NamedTuple):
    """Asks for a heartbeat at once that carries this token."""

    token: int


Command = SetTarget | DropTarget | SetReferences | Ping


class OutcomeRecord(NamedTuple):
    """How one attempt ended: the fields of `RECORD`, in its order.

    Attributes:
        sequence: 1, 2, 3... within the epoch; a gap means that records in between were let go.
        status: of the HTTP answer; 0 where there was none.
    """

    target: int
    epoch: int
    sequence: int
    status: int
    code: int
    begun: int
    ended: int


class ReferenceState(NamedTuple):
    """One reference target, as its last attempts left it; times are 0 before the first."""

    reachable: bool
    last_success: int
    last_ended: int


class Heartbeat(NamedTuple):
    """The prober's own state, each second.

    Attributes:
        boottime: when it was made.
        targets: how many are probed, references left out.
        in_the_air: attempts begun and not ended.
        started: attempts begun since the process began, references included; `ended` likewise.
        voided: attempts that ended by a fault of the prober's own.
        lag: longest delay (ns) of an attempt behind its due time since the last heartbeat.
        stall: longest time (ns) the loop was late since the last heartbeat.
        let_go: outcome records dropped because the operator did not read.
        token: of the last Ping.
        reference_epoch: of the SetReferences in force, 0 before the first.
        references: the prober's own loopback responder first, then those given, in order.
        counts: of the attempts.
    """

    boottime: int
    targets: int
    in_the_air: int
    started: int
    ended: int
    voided: int
    lag: int
    stall: int
    let_go: int
    token: int
    reference_epoch: int
    references: tuple[ReferenceState, ...]
    counts: Counts = NO_COUNTS


def frame(kind: FrameKind, body: bytes | bytearray) -> bytes:
    """Puts the header before a body."""
    return HEADER.pack(len(body), kind) + body


def encode_command(command: Command) -> bytes:
    """Writes a command as one frame."""
    match command:
        case SetTarget():
            ip = command.ip.encode("ascii")
            fixed = _SET.pack(
                command.target,
                command.epoch,
                command.protocol,
                command.port,
                command.interval_ns,
                command.timeout_ns,
                command.seed,
                len(ip),
            )
            return frame(FrameKind.SET_TARGET, fixed + ip + command.path.encode())
        case DropTarget():
            return frame(FrameKind.DROP_TARGET, _DROP.pack(command.target))
        case SetReferences():
            body = bytearray(_REFERENCES.pack(command.epoch))
            for ip_text, port in command.addresses:
                body += _ADDRESS.pack(port, len(ip_text)) + ip_text.encode("ascii")
            return frame(FrameKind.SET_REFERENCES, body)
        case Ping():
            return frame(FrameKind.PING, _PING.pack(command.token))
        case _:
            assert_never(command)


def decode_command(kind: int, body: bytes) -> Command:
    """Reads the body of a command; WireError for a kind that is none."""
    match kind:
        case FrameKind.SET_TARGET:
            return _decode_set(body)
        case FrameKind.DROP_TARGET:
            return DropTarget(*_DROP.unpack(body))
        case FrameKind.SET_REFERENCES:
            return _decode_references(body)
        case FrameKind.PING:
            return Ping(*_PING.unpack(body))
        case _:
            message = f"frame kind {kind} is no command"
            raise WireError(message)


def _decode_set(body: bytes) -> SetTarget:
    target, epoch, protocol, port, interval, timeout, seed, length = _SET.unpack_from(body)
    path_at = _SET.size + length
    return SetTarget(
        target=target,
        epoch=epoch,
        protocol=ProbeProtocol(protocol),
        ip=body[_SET.size : path_at].decode("ascii"),
        port=port,
        path=body[path_at:].decode(),
        interval_ns=interval,
        timeout_ns=timeout,
        seed=seed,
    )


def _decode_references(body: bytes) -> SetReferences:
    (epoch,) = _REFERENCES.unpack_from(body)
    addresses = []
    at = _REFERENCES.size
    while at < len(body):
        port, length = _ADDRESS.unpack_from(body, at)
        at += _ADDRESS.size
        addresses.append((body[at : at + length].decode("ascii"), port))
        at += length
    return SetReferences(epoch, tuple(addresses))


def encode_heartbeat(beat: Heartbeat) -> bytes:
    """Writes a heartbeat as one frame."""
    states = b"".join(_REFERENCE.pack(*state) for state in beat.references)
    return frame(FrameKind.HEARTBEAT, _HEARTBEAT.pack(*beat[:-2]) + beat.counts.pack() + states)


def decode_heartbeat(body: bytes) -> Heartbeat:
    """Reads the body of a heartbeat."""
    counts = Counts.unpack(body, _HEARTBEAT.size)
    behind = body[_HEARTBEAT.size + COUNTS_SIZE :]
    states = tuple(ReferenceState(*state) for state in _REFERENCE.iter_unpack(behind))
    return Heartbeat._make((*_HEARTBEAT.unpack_from(body), states, counts))


class FrameReader:
    """Cuts a stream into frames, however it arrives in pieces."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (kind, body) for each frame that is whole; keeps the rest for the next call.

        Raises:
            WireError: a body longer than MAX_BODY is announced.
        """
        pending = self._pending
        pending += data
        at = 0
        while len(pending) - at >= HEADER.size:
            length, kind = HEADER.unpack_from(pending, at)
            if length > MAX_BODY:
                message = f"a frame of {length} bytes is announced, {MAX_BODY} are allowed"
                raise WireError(message)
            end = at + HEADER.size + length
            if len(pending) < end:
                break
            yield kind, bytes(pending[at + HEADER.size : end])
            at = end
        del pending[:at]
