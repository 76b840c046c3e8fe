"""/healthz and /readyz over real sockets, answered by a thread of their own."""

import asyncio
import errno
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from scaleset_operator.adapters.listening import CannotListenError
from scaleset_operator.adapters.pages import Pages, PageServer
from scaleset_operator.adapters.vantage.exchange import LARGEST_QUESTION
from scaleset_operator.adapters.vitals import Check, Vitals
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.queue import KeyQueue
from tests.support.fake_clock import FakeClock

FINE = Check("loop", fine=True, detail="went round 0.1 s ago")
BROKEN = Check("pods", fine=False, detail="not yet listed")


def measured(accept: str) -> tuple[bytes, str]:
    """The page of metrics."""
    return f"asked for {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"


class Facts:
    """What holds now."""

    alive: tuple[Check, ...] = (FINE,)
    ready: tuple[Check, ...] = (FINE,)

    def pages(self) -> Pages:
        return Pages(alive=lambda: self.alive, ready=lambda: self.ready, measured=measured)


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def server(facts: Facts) -> Iterator[PageServer]:
    server = PageServer("", 0, facts.pages())
    server.start()
    yield server
    server.close()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on, in every family there is."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # noqa: S104 - as the server does
        other.listen()
        yield other.getsockname()[1]


def ask(server: PageServer, path: str, *, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = HTTPConnection(host, server.port, timeout=3)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_both_pages_say_ok_while_all_holds(server: PageServer) -> None:
    assert ask(server, "/healthz") == (200, "ok\n")
    assert ask(server, "/readyz") == (200, "ok\n")


def test_an_operator_that_does_not_see_the_cluster_is_alive_and_not_ready(
    server: PageServer, facts: Facts
) -> None:
    """The API server being away is no reason to restart."""
    facts.ready = (FINE, BROKEN)
    assert ask(server, "/healthz") == (200, "ok\n")
    assert ask(server, "/readyz") == (503, "no: pods: not yet listed\n")
    facts.ready = (FINE,)
    assert ask(server, "/readyz") == (200, "ok\n")


@pytest.mark.parametrize(("found", "status"), [((FINE,), 200), ((FINE, BROKEN), 503)])
def test_every_check_is_told_on_request(
    server: PageServer, facts: Facts, found: tuple[Check, ...], status: int
) -> None:
    facts.alive = facts.ready = found
    for page in ("/healthz", "/readyz"):
        answered, text = ask(server, f"{page}?verbose")
        assert answered == status
        assert json.loads(text) == {
            "ok": status == 200,
            "checks": [{"name": c.name, "ok": c.fine, "detail": c.detail} for c in found],
        }


async def answers_while(
    work: Callable[[], None], vitals: Vitals, *, after: float
) -> tuple[int, int]:
    """What /healthz answers before the loop does this, and some time into it."""
    pages = Pages(alive=vitals.alive, ready=vitals.ready, measured=measured)
    server = PageServer("127.0.0.1", 0, pages)
    server.start()
    heart = asyncio.create_task(vitals.keep_beating())
    queue = KeyQueue[Key](turn=lambda _: asyncio.sleep(0), clock=FakeClock())
    serving = asyncio.create_task(queue.run())
    vitals.queues.append(queue)
    await asyncio.sleep(0.05)

    def ask_later() -> int:
        time.sleep(after)
        return ask(server, "/healthz")[0]

    with ThreadPoolExecutor() as elsewhere:
        before = ask(server, "/healthz")[0]
        asked = elsewhere.submit(ask_later)
        work()
        meanwhile = asked.result()
    heart.cancel()
    serving.cancel()
    await asyncio.gather(heart, serving, return_exceptions=True)
    server.close()
    return before, meanwhile


def stand_still(seconds: float) -> None:
    """What no coroutine may do: the loop gets nowhere."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_stuck_loop_is_told_from_outside_it() -> None:
    """The page is answered while the loop is not, and says so."""
    vitals = Vitals(loop_stuck_s=0.5)
    before, meanwhile = await answers_while(lambda: stand_still(1.2), vitals, after=0.8)
    assert (before, meanwhile) == (200, 503)


async def test_a_loop_that_is_merely_busy_is_alive() -> None:
    before, meanwhile = await answers_while(lambda: stand_still(1.2), Vitals(), after=0.8)
    assert (before, meanwhile) == (200, 200)


def test_metrics_are_given_as_they_are_asked_for(server: PageServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=3)
    connection.request("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.read() == b"asked for text/plain;version=0.0.4\n"
    connection.close()


def test_there_is_nothing_else(server: PageServer) -> None:
    assert ask(server, "/")[0] == 404


def test_a_taken_port_is_given_up_for_a_free_one_that_is_logged(
    taken: int, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    server = PageServer("", taken, facts.pages())
    server.start()
    try:
        assert server.port not in (0, taken)
        assert ask(server, "/healthz") == (200, "ok\n")
        words = f"port {taken} is taken; metrics and health are served on port {server.port}"
        assert words in caplog.text
    finally:
        server.close()


def test_two_operators_on_one_machine_are_both_served(facts: Facts) -> None:
    first = PageServer("", 0, facts.pages())
    first.start()
    second = PageServer("", first.port, facts.pages())
    second.start()
    try:
        assert ask(first, "/healthz") == ask(second, "/healthz") == (200, "ok\n")
    finally:
        first.close()
        second.close()


def test_the_port_is_the_same_in_both_families(server: PageServer) -> None:
    """A free one too: what is logged is where it answers."""
    assert ask(server, "/healthz") == (200, "ok\n")
    if socket.has_dualstack_ipv6():
        assert ask(server, "/healthz", host="::1") == (200, "ok\n")


def test_an_address_narrows_who_may_ask(facts: Facts) -> None:
    server = PageServer("127.0.0.1", 0, facts.pages())
    server.start()
    try:
        assert ask(server, "/healthz") == (200, "ok\n")
        with pytest.raises(ConnectionRefusedError):
            ask(server, "/healthz", host="127.0.0.2")
    finally:
        server.close()


def test_a_machine_without_the_newer_addresses_is_served(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_server(address: tuple[str, int], **options: object) -> socket.socket:
        if options:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return original(address)

    original = socket.create_server
    monkeypatch.setattr(socket, "create_server", create_server)
    server = PageServer("", 0, facts.pages())
    server.start()
    assert ask(server, "/healthz") == (200, "ok\n")
    server.close()


def test_an_address_that_is_not_the_machines_is_named(facts: Facts) -> None:
    server = PageServer("192.0.2.1", 8081, facts.pages())
    with pytest.raises(CannotListenError, match=r"192\.0\.2\.1, port 8081"):
        server.start()
    server.close()


def test_a_closed_server_answers_no_more(facts: Facts) -> None:
    server = PageServer("", 0, facts.pages())
    server.start()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server, "/healthz")


def test_what_is_worth_telling_is_told_also_where_all_holds(
    server: PageServer, facts: Facts
) -> None:
    facts.ready = (FINE, Check("leadership", fine=True, detail="stands by", told=True))
    assert ask(server, "/readyz") == (200, "ok\nleadership: stands by\n")


def question(server: PageServer, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=3)
    try:
        connection.request("POST", "/vantage", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_question_of_another_replica_is_answered_or_refused(facts: Facts) -> None:
    pages = replace(facts.pages(), asked=lambda body: body[::-1] if body == b"well" else None)
    server = PageServer("127.0.0.1", 0, pages)
    server.start()
    try:
        assert question(server, b"well") == (200, b"llew")
        assert question(server, b"ill")[0] == 403
        assert question(server, b"x" * (LARGEST_QUESTION + 1))[0] == 413
    finally:
        server.close()


def test_where_no_other_replica_is_expected_every_question_is_refused(server: PageServer) -> None:
    assert question(server, b"well")[0] == 403
