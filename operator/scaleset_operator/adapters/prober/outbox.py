"""What goes back to the operator: outcomes in batches, the newest heartbeat, and never a wait.

While the operator does not read, steady successes are let go first, and of each target the last
success, the first failure after it and the last failure are kept: memory is bounded by the number
of targets, and no target looks worse than it is. Must not know what an outcome means beyond that.
"""

import socket
from typing import Final

from scaleset_operator.adapters.prober.wire import (
    RECORD,
    Code,
    FrameKind,
    Heartbeat,
    OutcomeRecord,
    encode_heartbeat,
    frame,
)

STEADY_WITHIN_NS: Final = 200_000_000
"""A success that follows a success may wait this long for company."""

BATCH_BYTES: Final = 4096 * RECORD.size
"""Records in one frame, and what is held back before it is thinned out."""

_LAST_TWO: Final = 2


def thin_out(records: bytes | bytearray) -> bytearray:
    """Keeps of each target's newest epoch: last success, first failure after it, last failure."""
    kept: dict[int, list[OutcomeRecord]] = {}
    for fields in RECORD.iter_unpack(records):
        record = OutcomeRecord(*fields)
        of_target = kept.setdefault(record.target, [])
        if record.code == Code.OK or (of_target and of_target[-1].epoch != record.epoch):
            of_target[:] = [record]
        elif len(of_target) >= _LAST_TWO and of_target[-2].code != Code.OK:
            of_target[-1] = record
        else:
            of_target.append(record)
    return bytearray().join(RECORD.pack(*record) for of in kept.values() for record in of)


class Outbox:
    """Outcomes and heartbeats on their way out.

    Attributes:
        let_go: records thinned out so far.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.let_go = 0
        self._socket = sock
        self._records = bytearray()
        self._thin_above = BATCH_BYTES
        self._flush_ns: int | None = None
        self._heartbeat: bytes | None = None
        self._sending = memoryview(b"")

    @property
    def flush_ns(self) -> int | None:
        """When `flush` is to be called at the latest; None while there is nothing to send."""
        return self._flush_ns

    @property
    def blocked(self) -> bool:
        """Whether the operator has yet to read before more can be sent."""
        return len(self._sending) > 0

    def add(self, record: OutcomeRecord, *, steady: bool) -> None:
        """Takes an outcome; a steady one may wait, a change goes with the next `flush`."""
        self._records += RECORD.pack(*record)
        if not steady:
            self._flush_ns = record.ended
        elif self._flush_ns is None:
            self._flush_ns = record.ended + STEADY_WITHIN_NS
        if len(self._records) > self._thin_above:
            if self.blocked:
                self._thin()
            else:
                self._flush_ns = record.ended

    def beat(self, heartbeat: Heartbeat) -> None:
        """Takes a heartbeat; it replaces one not yet sent."""
        self._heartbeat = encode_heartbeat(heartbeat)
        self._flush_ns = heartbeat.boottime

    def flush(self) -> None:
        """Sends what the socket takes.

        Raises:
            OSError: the operator is gone.
        """
        try:
            while self._fill():
                self._sending = self._sending[self._socket.send(self._sending) :]
        except BlockingIOError:
            pass
        self._flush_ns = None

    def _fill(self) -> bool:
        """Takes the next frame once the last is out; outcomes go before the heartbeat."""
        if self._sending:
            return True
        if self._records:
            body = self._records[:BATCH_BYTES]
            del self._records[:BATCH_BYTES]
            self._sending = memoryview(frame(FrameKind.OUTCOMES, body))
        elif self._heartbeat is not None:
            self._sending = memoryview(self._heartbeat)
            self._heartbeat = None
        return len(self._sending) > 0

    def _thin(self) -> None:
        before = len(self._records)
        self._records = thin_out(self._records)
        self.let_go += (before - len(self._records)) // RECORD.size
        self._thin_above = max(BATCH_BYTES, 2 * len(self._records))
