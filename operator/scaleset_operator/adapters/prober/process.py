"""The child: one engine, one socket to the operator, a heartbeat each second.

It lives as long as its parent holds the other end of the socket. Must not import anything beyond
the standard library and its own package.
"""

import argparse
import gc
import resource
import signal
import socket
from collections.abc import Sequence
from typing import Final

from scaleset_operator.adapters.prober.attempt import Attempt, Target
from scaleset_operator.adapters.prober.engine import Engine, boottime_ns
from scaleset_operator.adapters.prober.outbox import Outbox
from scaleset_operator.adapters.prober.references import References
from scaleset_operator.adapters.prober.totals import Tally
from scaleset_operator.adapters.prober.wire import (
    Code,
    DropTarget,
    FrameReader,
    Heartbeat,
    OutcomeRecord,
    Ping,
    SetReferences,
    SetTarget,
    decode_command,
)

HEARTBEAT_NS: Final = 1_000_000_000
SPARE_DESCRIPTORS: Final = 64
"""Left to the link, the responder, the references and the interpreter."""

_READ_BYTES: Final = 1 << 16


class ParentGoneError(Exception):
    """The operator holds the other end no more."""


class Prober:
    """What the child is made of. `run` returns once the operator is gone.

    Args:
        sock: the child's end of the socket pair; closed by `close`.
        at_most: attempts in the air at once.
    """

    def __init__(self, sock: socket.socket, *, at_most: int) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._socket = sock
        self._engine = Engine(self._report, at_most=at_most)
        self._references = References(self._engine)
        self._outbox = Outbox(sock)
        self._reader = FrameReader()
        self._tally = Tally()
        self._targets: dict[int, Target] = {}
        self._token = 0
        self._beat_ns = 0
        self._blocked = False
        self._engine.watch(sock.fileno(), self._on_link)

    def run(self) -> None:
        """Probes until the operator is gone."""
        try:
            while True:
                self.turn()
        except (ParentGoneError, ConnectionError):
            return
        finally:
            self.close()

    def turn(self) -> None:
        """One turn of the loop, then what has to go out."""
        flush_ns = self._outbox.flush_ns
        self._engine.turn(self._beat_ns if flush_ns is None else min(self._beat_ns, flush_ns))
        now_ns = boottime_ns()
        if now_ns >= self._beat_ns:
            self._beat_ns = now_ns + HEARTBEAT_NS
            self._outbox.beat(self._heartbeat(now_ns))
        flush_ns = self._outbox.flush_ns
        if flush_ns is not None and now_ns >= flush_ns:
            self._flush()

    def close(self) -> None:
        """Closes everything."""
        self._references.close()
        self._engine.close()
        self._socket.close()

    def _flush(self) -> None:
        self._outbox.flush()
        if self._outbox.blocked is not self._blocked:
            self._blocked = self._outbox.blocked
            self._engine.want_write(self._socket.fileno(), wanted=self._blocked)

    def _on_link(self, _events: int) -> None:
        """Reads commands; goes on sending where the operator had not read."""
        if self._blocked:
            self._flush()
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ParentGoneError
        for kind, body in self._reader.feed(data):
            self._obey(decode_command(kind, body))

    def _obey(self, command: SetTarget | DropTarget | SetReferences | Ping) -> None:
        match command:
            case SetTarget():
                self._drop(command.target)
                target = self._targets[command.target] = Target(command)
                self._engine.add(target)
            case DropTarget():
                self._drop(command.target)
            case SetReferences():
                self._references.set(command)
            case Ping():
                self._token = command.token
                self._beat_ns = 0

    def _drop(self, number: int) -> None:
        target = self._targets.pop(number, None)
        if target is not None:
            self._engine.drop(target)

    def _report(self, attempt: Attempt, code: Code, ended_ns: int) -> None:
        target = attempt.target
        if target.number < 0:
            if self._references.note(target, code, ended_ns):
                self._beat_ns = 0
            return
        self._tally.add(code, ended_ns - attempt.begun_ns)
        record = OutcomeRecord(
            target.number,
            target.epoch,
            target.sequence,
            attempt.status,
            code,
            attempt.begun_ns,
            ended_ns,
        )
        self._outbox.add(record, steady=code is Code.OK and target.last_code is Code.OK)

    def _heartbeat(self, now_ns: int) -> Heartbeat:
        counters = self._engine.counters
        beat = Heartbeat(
            boottime=now_ns,
            targets=len(self._targets),
            in_the_air=self._engine.in_the_air,
            started=counters.started,
            ended=counters.ended,
            voided=counters.voided,
            lag=counters.lag_ns,
            stall=counters.stall_ns,
            let_go=self._outbox.let_go,
            token=self._token,
            reference_epoch=self._references.epoch,
            references=self._references.states,
            counts=self._tally.counts(counters.voided),
        )
        counters.lag_ns = counters.stall_ns = 0
        return beat


def room_for_attempts() -> int:
    """Raises the soft limit of open files to the hard one; returns how many attempts fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, hard - SPARE_DESCRIPTORS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of the child process."""
    parser = argparse.ArgumentParser(description="the prober; started by the operator")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prober = Prober(socket.socket(fileno=options.fd), at_most=room_for_attempts())
    gc.freeze()
    prober.run()
