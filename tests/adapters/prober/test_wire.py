"""What is written on one side is read on the other, in whatever pieces it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.adapters.prober.counts import DURATIONS, RESULTS, Counts
from scaleset_operator.adapters.prober.wire import (
    HEADER,
    MAX_BODY,
    RECORD,
    Code,
    Command,
    DropTarget,
    FrameKind,
    FrameReader,
    Heartbeat,
    Ping,
    ProbeProtocol,
    ReferenceState,
    SetReferences,
    SetTarget,
    WireError,
    decode_command,
    decode_heartbeat,
    encode_command,
    encode_heartbeat,
)

INT32 = st.integers(0, 2**31 - 1)
INT64 = st.integers(0, 2**63 - 1)
PORT = st.integers(1, 65535)
ADDRESS = st.ip_addresses().map(str)
COMMAND = st.one_of(
    st.builds(
        SetTarget,
        target=INT32,
        epoch=INT32,
        protocol=st.sampled_from(ProbeProtocol),
        ip=ADDRESS,
        port=PORT,
        path=st.text(max_size=1024),
        interval_ns=INT64,
        timeout_ns=INT64,
        seed=st.integers(0, 2**32 - 1),
    ),
    st.builds(DropTarget, INT32),
    st.builds(SetReferences, INT32, st.lists(st.tuples(ADDRESS, PORT), max_size=5).map(tuple)),
    st.builds(Ping, st.integers(0, 2**32 - 1)),
)


@given(st.lists(COMMAND, max_size=5), st.integers(1, 200))
def test_commands_survive_the_way_in_any_pieces(commands: list[Command], size: int) -> None:
    stream = b"".join(encode_command(command) for command in commands)
    reader = FrameReader()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    assert [decode_command(kind, body) for kind, body in frames] == commands


def test_a_heartbeat_survives_the_way() -> None:
    states = (ReferenceState(reachable=True, last_success=12, last_ended=13),) * 3
    beat = Heartbeat(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, states)
    ((kind, body),) = FrameReader().feed(encode_heartbeat(beat))
    assert kind == FrameKind.HEARTBEAT
    assert decode_heartbeat(body) == beat


def test_a_record_takes_32_bytes() -> None:
    assert RECORD.size == 32


def test_a_body_too_long_is_refused_before_it_is_awaited() -> None:
    with pytest.raises(WireError, match=str(MAX_BODY)):
        list(FrameReader().feed(HEADER.pack(MAX_BODY + 1, FrameKind.PING)))


def test_a_report_is_no_command() -> None:
    with pytest.raises(WireError, match="no command"):
        decode_command(FrameKind.OUTCOMES, b"")


@given(st.lists(INT64, min_size=RESULTS + DURATIONS + 1, max_size=RESULTS + DURATIONS + 1))
def test_a_heartbeat_carries_the_sums(numbers: list[int]) -> None:
    counts = Counts(tuple(numbers[:RESULTS]), tuple(numbers[RESULTS:-1]), numbers[-1])
    states = (ReferenceState(reachable=False, last_success=0, last_ended=13),)
    beat = Heartbeat(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, states, counts)
    ((_, body),) = FrameReader().feed(encode_heartbeat(beat))
    assert decode_heartbeat(body) == beat


def test_there_is_a_sum_for_every_code() -> None:
    assert len(Code) == RESULTS
