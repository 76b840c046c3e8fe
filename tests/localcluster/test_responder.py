"""The responder over real sockets: what a client sees of each script."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcluster.responder.answers import LINGER_SECONDS
from localcluster.responder.client import Responder, ResponderError
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = "127.16.0.1"
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: it\r\n\r\n"


@contextlib.contextmanager
def running(*where: str) -> Iterator[Responder]:
    """Run a responder process and give its client."""
    # Not pytest's folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "sock"
        process = subprocess.Popen(
            [sys.executable, "-m", "localcluster.responder", "--control", str(control), *where],
            env=python_environment(),
        )
        client = Responder(control)
        try:
            while not client.is_up():
                assert process.poll() is None
                time.sleep(0.01)
            yield client
        finally:
            client.close()
            process.terminate()
            assert process.wait(3) == 0


@pytest.fixture(scope="module")
def process() -> Iterator[Responder]:
    with running("--port", "0") as client:
        yield client


@pytest.fixture
def responder(process: Responder) -> Responder:
    process.clear()
    process.reset_hits()
    return process


def fetch(responder: Responder, address: str = HERE, path: str = "/healthz") -> tuple[int, bytes]:
    """Give status and body of one request."""
    connection = http.client.HTTPConnection(address, responder.port, timeout=3)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def connect(responder: Responder, address: str = HERE) -> socket.socket:
    """Give a connection with a time limit."""
    return socket.create_connection((address, responder.port), timeout=3)


def test_every_loopback_address_answers_and_is_counted_apart(responder: Responder) -> None:
    for address in (HERE, "127.16.255.255", "127.31.7.0"):
        assert fetch(responder, address)[0] == 200
    fetch(responder)
    hits = responder.hits()
    assert hits[HERE].requests == hits[HERE].connections == 2
    assert hits["127.31.7.0"].requests == 1


def test_the_local_address_decides_which_script_answers(responder: Responder) -> None:
    responder.set_many({HERE: "status:503", "127.16.4.0/24": "status:404"})
    seen = [fetch(responder, address)[0] for address in (HERE, "127.16.4.7", "127.16.5.7")]
    assert seen == [503, 404, 200]


@pytest.mark.parametrize("code", [200, 204, 404, 500, 599, 999])
def test_a_status_is_answered_as_told(responder: Responder, code: int) -> None:
    responder.set(HERE, f"status:{code}")
    assert fetch(responder)[0] == code


def test_other_paths_are_404_unless_the_script_takes_any(responder: Responder) -> None:
    assert fetch(responder, path="/else")[0] == 404
    assert fetch(responder, path="/healthz?a=b")[0] == 200
    responder.set(HERE, "ok any-path")
    assert fetch(responder, path="/else")[0] == 200


def test_the_balancers_page_may_answer_otherwise(responder: Responder) -> None:
    """An instance that sheds load."""
    assert fetch(responder, path="/lb")[0] == 200
    responder.set(HERE, "ok lb:503")
    assert (fetch(responder)[0], fetch(responder, path="/lb")[0]) == (200, 503)
    responder.set(HERE, "status:500 lb:200")
    assert (fetch(responder)[0], fetch(responder, path="/lb")[0]) == (500, 200)
    with pytest.raises(ResponderError, match="not a script"):
        responder.set(HERE, "ok balancer:503")


def test_a_redirect_leads_to_a_page_that_is_well(responder: Responder) -> None:
    responder.set(HERE, "redirect:301")
    connection = http.client.HTTPConnection(HERE, responder.port, timeout=3)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert answer.status == 301
        assert fetch(responder, path=answer.headers["Location"])[0] == 200


def test_a_loop_leads_to_itself(responder: Responder) -> None:
    responder.set(HERE, "loop")
    connection = http.client.HTTPConnection(HERE, responder.port, timeout=3)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (302, "/healthz")


def test_a_huge_body_comes_whole(responder: Responder) -> None:
    responder.set(HERE, "body:10000000")
    status, body = fetch(responder)
    assert (status, len(body)) == (200, 10_000_000)


def test_a_client_that_reads_nothing_of_a_huge_body_disturbs_nobody(responder: Responder) -> None:
    responder.set(HERE, "body:1000000000")
    with connect(responder) as greedy:
        greedy.sendall(REQUEST)
        assert fetch(responder, "127.16.0.2")[0] == 200


def test_garbage_is_no_http(responder: Responder) -> None:
    responder.set(HERE, "binary")
    with pytest.raises(http.client.BadStatusLine):
        fetch(responder)


def test_a_hanging_address_accepts_and_never_answers(responder: Responder) -> None:
    responder.set(HERE, "hang")
    with connect(responder) as connection:
        connection.sendall(REQUEST)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_refusing_address_resets(responder: Responder) -> None:
    responder.set(HERE, "refuse")
    with pytest.raises(ConnectionResetError), connect(responder) as connection:  # noqa: PT012
        connection.sendall(REQUEST)
        connection.recv(1)


def test_a_closing_address_ends_cleanly_without_a_byte(responder: Responder) -> None:
    responder.set(HERE, "close")
    with connect(responder) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(1) == b""


def test_a_slow_answer_comes_late_and_holds_up_nobody(responder: Responder) -> None:
    responder.set(HERE, "slow:1.5")
    started = time.monotonic()
    with connect(responder) as slow:
        slow.sendall(REQUEST)
        assert fetch(responder, "127.16.0.2")[0] == 200
        assert time.monotonic() - started < 1.5
        assert slow.recv(12) == b"HTTP/1.1 200"
        assert time.monotonic() - started >= 1.4


def test_a_dripping_answer_comes_byte_by_byte(responder: Responder) -> None:
    responder.set(HERE, "drip:0.01")
    with connect(responder) as connection:
        connection.sendall(REQUEST)
        assert [connection.recv(100) for _ in range(8)] == [bytes([c]) for c in b"HTTP/1.1"]


def test_a_flapping_address_is_well_and_unwell_in_turns(
    responder: Responder, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    responder.set(HERE, "flap:0.05")
    seen: list[int] = []

    def both_twice() -> bool:
        code = fetch(responder)[0]
        if seen[-1:] != [code]:
            seen.append(code)
        return len(seen) == 4

    eventually(both_twice)
    assert set(seen) == {200, 500}


def test_a_tcp_probe_is_accepted_and_counted_as_no_request(
    responder: Responder, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    connect(responder).close()
    eventually(lambda: HERE in responder.hits())
    assert responder.hits()[HERE] == (1, 0)


def test_a_request_in_pieces_is_answered_once_it_is_whole(responder: Responder) -> None:
    with connect(responder) as connection:
        for byte in REQUEST:
            connection.sendall(bytes([byte]))
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_request_without_end_is_cut_off(responder: Responder) -> None:
    with pytest.raises(ConnectionError), connect(responder) as connection:  # noqa: PT012
        for _ in range(100):
            connection.sendall(bytes(65536))
        connection.recv(1)


def test_the_client_is_left_to_close_and_reset_if_it_does_not(responder: Responder) -> None:
    with connect(responder) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.settimeout(LINGER_SECONDS + 1)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_the_journal_tells_what_held_when(responder: Responder) -> None:
    last = responder.journal()[-1].number
    before = time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)
    responder.set_many({HERE: "hang", "default": "status:500"})
    responder.clear(HERE)
    first, second, third = responder.journal(since=last)
    assert [first.number, second.number, third.number] == [last + 1, last + 2, last + 3]
    assert (first.target, first.script) == (HERE, "hang")
    assert (second.target, second.script) == ("default", "status:500")
    assert (third.target, third.script) == (HERE, None)
    assert before[0] <= first.monotonic <= third.monotonic <= time.monotonic()
    assert before[1] <= first.boottime <= time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("wrong", [{HERE: "dance"}, {"nowhere": "ok"}])
def test_of_many_scripts_none_is_set_when_one_is_wrong(
    responder: Responder, wrong: dict[str, str]
) -> None:
    last = len(responder.journal())
    with pytest.raises(ResponderError):
        responder.set_many({"127.16.0.2": "hang", **wrong})
    assert fetch(responder, "127.16.0.2")[0] == 200
    assert responder.journal(since=last) == []


def test_ten_thousand_scripts_are_set_in_one_order(responder: Responder) -> None:
    many = {f"127.20.{i >> 8}.{i & 255}": "status:500" for i in range(10_000)}
    responder.set_many(many)
    assert fetch(responder, "127.20.39.15")[0] == 500


def test_a_second_responder_takes_another_port(responder: Responder) -> None:
    with running("--prefer", str(responder.port)) as second:
        assert second.port != responder.port
        second.set(HERE, "status:500")
        assert (fetch(responder)[0], fetch(second)[0]) == (200, 500)


def test_a_responder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    client = Responder(tmp_path / "nobody")
    assert not client.is_up()
    with pytest.raises(ResponderError, match="does not answer"):
        client.hits()
