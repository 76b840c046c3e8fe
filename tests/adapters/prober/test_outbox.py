"""What goes out, when, and what is let go when the operator does not read."""

import socket
from collections.abc import Iterator

import pytest

from scaleset_operator.adapters.prober.outbox import BATCH_BYTES, STEADY_WITHIN_NS, Outbox, thin_out
from scaleset_operator.adapters.prober.wire import (
    RECORD,
    Code,
    FrameKind,
    FrameReader,
    Heartbeat,
    OutcomeRecord,
    decode_heartbeat,
)

OK, BAD, OUT = Code.OK, Code.WRONG_STATUS, Code.TIMED_OUT


def record(target: int, sequence: int, code: Code = OK, epoch: int = 1) -> OutcomeRecord:
    return OutcomeRecord(target, epoch, sequence, 0, code, sequence, sequence)


def beat(token: int = 0) -> Heartbeat:
    return Heartbeat(1, 0, 0, 0, 0, 0, 0, 0, 0, token, 0, ())


class Pair:
    """An outbox and the operator's end of its socket."""

    def __init__(self) -> None:
        self.operator, child = socket.socketpair()
        for end in (self.operator, child):
            end.settimeout(0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.child = child
        self.outbox = Outbox(child)
        self._reader = FrameReader()

    def read(self) -> list[tuple[int, bytes]]:
        frames: list[tuple[int, bytes]] = []
        while True:
            self.outbox.flush()
            try:
                data = self.operator.recv(1 << 16)
            except BlockingIOError:
                return frames
            frames += self._reader.feed(data)

    def records(self) -> list[OutcomeRecord]:
        bodies = b"".join(body for kind, body in self.read() if kind == FrameKind.OUTCOMES)
        return [OutcomeRecord._make(fields) for fields in RECORD.iter_unpack(bodies)]


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.operator.close()
    pair.child.close()


def test_steady_successes_wait_for_company_and_a_change_does_not(pair: Pair) -> None:
    assert pair.outbox.flush_ns is None
    pair.outbox.add(record(1, 1000), steady=True)
    assert pair.outbox.flush_ns == 1000 + STEADY_WITHIN_NS
    pair.outbox.add(record(2, 2000), steady=True)
    assert pair.outbox.flush_ns == 1000 + STEADY_WITHIN_NS
    pair.outbox.add(record(3, 3000, BAD), steady=False)
    assert pair.outbox.flush_ns == 3000

    assert [one.target for one in pair.records()] == [1, 2, 3]
    assert pair.outbox.flush_ns is None


def test_a_full_batch_does_not_wait(pair: Pair) -> None:
    for target in range(BATCH_BYTES // RECORD.size + 1):
        pair.outbox.add(record(target, 5), steady=True)
    assert pair.outbox.flush_ns == 5
    assert len(pair.records()) == BATCH_BYTES // RECORD.size + 1
    assert pair.outbox.let_go == 0


def test_outcomes_go_before_the_heartbeat_that_follows_them(pair: Pair) -> None:
    pair.outbox.beat(beat())
    pair.outbox.add(record(1, 1), steady=True)
    assert [kind for kind, _ in pair.read()] == [FrameKind.OUTCOMES, FrameKind.HEARTBEAT]


def test_an_operator_that_does_not_read_costs_bounded_memory_and_no_change(pair: Pair) -> None:
    """P-27: probing goes on; what is let go are successes that a newer success follows."""
    for sequence in range(1, 30_001):
        failing = sequence % 10_000 > 9_990
        code = BAD if failing and sequence < 29_000 else OK
        pair.outbox.add(record(sequence % 10, sequence, code), steady=not failing)
        if sequence % 100 == 0:
            pair.outbox.beat(beat(token=sequence))
            pair.outbox.flush()
            assert len(pair.outbox._records) <= 2 * BATCH_BYTES  # noqa: SLF001
    assert pair.outbox.blocked
    assert pair.outbox.let_go > 15_000

    frames = pair.read()

    beats = [decode_heartbeat(body) for kind, body in frames if kind == FrameKind.HEARTBEAT]
    assert beats[-1].token == 30_000
    assert len(beats) < 20
    last: dict[int, tuple[int, ...]] = {}
    for kind, body in frames:
        if kind == FrameKind.OUTCOMES:
            last |= {fields[0]: fields for fields in RECORD.iter_unpack(body)}
    assert {target: fields[2] for target, fields in last.items()} == {
        target: 29_990 + (target or 10) for target in range(10)
    }
    assert not pair.outbox.blocked


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        ([OK, OK, OK], [3]),
        ([OK, BAD], [1, 2]),
        ([OK, BAD, OUT, BAD, OUT], [1, 2, 5]),
        ([BAD, OUT, OUT, BAD], [1, 4]),
        ([BAD, OUT, OK], [3]),
        ([BAD, OK, OUT, OUT, OK, BAD, OUT, OUT], [5, 6, 8]),
    ],
    ids=str,
)
def test_of_each_target_the_last_success_and_the_failures_around_it_are_kept(
    codes: list[Code], kept: list[int]
) -> None:
    """P-13: no target looks worse than it is, for its last success is always there."""
    mine = [record(1, at, code) for at, code in enumerate(codes, 1)]
    other = record(2, 9, OUT)
    thinned = thin_out(b"".join(RECORD.pack(*one) for one in [*mine, other]))
    left = [OutcomeRecord._make(fields) for fields in RECORD.iter_unpack(thinned)]
    assert [one.sequence for one in left if one.target == 1] == kept
    assert [one for one in left if one.target == 2] == [other]


def test_of_each_target_only_the_newest_epoch_is_kept() -> None:
    """P-31: superseded outcomes need not be sent."""
    records = [record(1, 1, OK, epoch=1), record(1, 1, BAD, epoch=2), record(1, 2, BAD, epoch=2)]
    thinned = thin_out(b"".join(RECORD.pack(*one) for one in records))
    assert [fields[1:3] for fields in RECORD.iter_unpack(thinned)] == [(2, 1), (2, 2)]
