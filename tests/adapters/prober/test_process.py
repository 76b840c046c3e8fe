"""The child as a process: what it loads, when it ends, and that it never waits for its reader."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaleset_operator.adapters.prober.child import SOURCE_ROOT
from scaleset_operator.adapters.prober.process import Prober, main, room_for_attempts
from scaleset_operator.adapters.prober.wire import (
    RECORD,
    Code,
    DropTarget,
    FrameKind,
    FrameReader,
    Heartbeat,
    Ping,
    ProbeProtocol,
    SetReferences,
    SetTarget,
    decode_heartbeat,
    encode_command,
)
from tests.adapters.prober.conftest import Serve
from tests.adapters.prober.servers import OK, answering, hanging


class Operator:
    """The operator's end of a prober that runs in a thread."""

    def __init__(self) -> None:
        self.socket, child = socket.socketpair()
        self.socket.settimeout(0.05)
        self.prober = Prober(child, at_most=100)
        self.thread = threading.Thread(target=self.prober.run)
        self.thread.start()
        self.beats: list[Heartbeat] = []
        self.records: list[tuple[int, ...]] = []
        self._reader = FrameReader()
        self._token = 0

    def tell(self, *commands: SetTarget | DropTarget | SetReferences | Ping) -> None:
        self.socket.sendall(b"".join(encode_command(command) for command in commands))

    def read(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return
        for kind, body in self._reader.feed(data):
            if kind == FrameKind.HEARTBEAT:
                self.beats.append(decode_heartbeat(body))
            else:
                self.records += RECORD.iter_unpack(body)

    def beat(self) -> Heartbeat:
        """A heartbeat made after every command so far."""
        self._token += 1
        self.tell(Ping(self._token))
        deadline = time.monotonic() + 4
        while not self.beats or self.beats[-1].token != self._token:
            assert time.monotonic() < deadline
            self.read()
        return self.beats[-1]

    def until_records(self, count: int) -> None:
        deadline = time.monotonic() + 4
        while len(self.records) < count:
            assert time.monotonic() < deadline
            self.read()

    def close(self) -> None:
        self.socket.close()
        self.thread.join(4)
        assert not self.thread.is_alive()


@pytest.fixture
def operator() -> Iterator[Operator]:
    operator = Operator()
    yield operator
    operator.close()


def target(number: int, port: int, epoch: int = 1, interval: float = 0.05) -> SetTarget:
    span = round(interval * 1e9)
    return SetTarget(
        number, epoch, ProbeProtocol.HTTP, "127.0.0.1", port, "/healthz", span, span, 0
    )


def test_the_child_loads_nothing_heavy() -> None:
    """It starts in a fraction of a second and stays small."""
    heavy = (
        "aiohttp",
        "asyncio",
        "kopf",
        "kubernetes",
        "orjson",
        "pydantic",
        "ssl",
        "uvloop",
        "yaml",
    )
    code = (
        "import sys, scaleset_operator.adapters.prober.process;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    # Without site, so that what an installation adds to every start is left out.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(SOURCE_ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == "[]"


def test_outcomes_and_heartbeats_come_back(operator: Operator, serve: Serve) -> None:
    operator.tell(target(1, serve(answering(OK)).port))
    operator.until_records(3)
    beat = operator.beat()
    assert {fields[0] for fields in operator.records} == {1}
    assert [fields[2] for fields in operator.records] == list(range(1, len(operator.records) + 1))
    assert beat.targets == 1
    assert beat.started >= beat.ended >= 3
    assert beat.in_the_air == beat.started - beat.ended
    assert beat.voided == beat.let_go == 0
    assert beat.lag > 0


def test_a_dropped_target_is_probed_no_more(operator: Operator, serve: Serve) -> None:
    """P-23: what nobody asks for gets no request."""
    server = serve(answering(OK))
    operator.tell(target(1, server.port))
    operator.until_records(1)
    operator.tell(DropTarget(1), DropTarget(99))
    assert operator.beat().targets == 0
    begun = server.begun
    operator.tell(target(2, serve(answering(OK)).port))
    operator.until_records(len(operator.records) + 5)
    assert server.begun == begun


def test_a_target_set_again_answers_in_its_new_epoch_alone(
    operator: Operator, serve: Serve
) -> None:
    """P-25, P-31: the attempt of the old epoch ends unseen."""
    silent = serve(hanging)
    operator.tell(target(1, silent.port, interval=0.3))
    deadline = time.monotonic() + 4
    while not silent.requests:
        assert time.monotonic() < deadline
        operator.read()
    operator.tell(target(1, serve(answering(OK)).port, epoch=2))
    assert operator.beat().targets == 1
    operator.records.clear()
    operator.until_records(5)
    assert {(fields[1], fields[4]) for fields in operator.records} == {(2, Code.OK)}


def test_references_stand_in_the_heartbeat(operator: Operator, serve: Serve) -> None:
    """X-05."""
    operator.tell(SetReferences(3, (("127.0.0.1", serve(hanging).port),)))
    deadline = time.monotonic() + 4
    while not all(state.reachable for state in operator.beat().references):
        assert time.monotonic() < deadline
    assert operator.beats[-1].reference_epoch == 3
    assert len(operator.beats[-1].references) == 2


def test_probing_goes_on_while_the_operator_does_not_read(serve: Serve) -> None:
    """P-27: a full socket never holds an attempt up, and what follows is in step again."""
    server = serve(answering(OK))
    ours, child = socket.socketpair()
    child.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    prober = Prober(child, at_most=100)
    filler = 0
    child.settimeout(0)
    try:
        while True:
            filler += child.send(bytes(1024))
    except BlockingIOError:
        pass
    ours.sendall(encode_command(target(1, server.port, interval=0.01)))
    deadline = time.monotonic() + 4
    while server.begun < 40:
        assert time.monotonic() < deadline
        prober.turn()
    reader, kinds = FrameReader(), []
    ours.settimeout(0)
    while filler:
        filler -= len(ours.recv(filler))
    ours.sendall(encode_command(Ping(5)))
    while FrameKind.HEARTBEAT not in kinds or FrameKind.OUTCOMES not in kinds:
        assert time.monotonic() < deadline
        prober.turn()
        try:
            kinds += [kind for kind, _ in reader.feed(ours.recv(1 << 16))]
        except BlockingIOError:
            continue
    prober.close()
    ours.close()


def test_the_child_ends_when_the_socket_does(operator: Operator) -> None:
    operator.beat()
    operator.socket.close()
    operator.thread.join(4)
    assert not operator.thread.is_alive()


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """P-23: a prober without an operator sends no requests."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio\n"
        "from scaleset_operator.adapters.prober.link import ProberLink\n"
        "async def main():\n"
        "    link = ProberLink(on_change=print)\n"
        "    link.start()\n"
        "    await link.settled()\n"
        "    print(link.state().pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert running(child)
        parent.kill()
    deadline = time.monotonic() + 4
    while running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be taken leave of."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_the_entry_leaves_an_interrupt_to_the_parent() -> None:
    before = signal.getsignal(signal.SIGINT)
    limits = room_for_attempts()
    ours, child = socket.socketpair()
    ours.close()
    try:
        main(["--fd", str(child.detach())])
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert limits > 100
