"""The server on real sockets: who asks is the address it comes from, and nobody can hold it up."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import Counter as Tally
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scaleset_operator.adapters.listening import CannotListenError
from scaleset_operator.adapters.scheduled_events.answers import Answer, Outcome
from scaleset_operator.adapters.scheduled_events.document import LARGEST_BODY
from scaleset_operator.adapters.scheduled_events.door import Bounds
from scaleset_operator.adapters.scheduled_events.server import EventServer
from tests.adapters.scheduled_events.counter import (
    NOBODY,
    OTHER_7,
    WEB_1,
    WEB_2,
    Counter,
    asked,
)
from tests.support.event_asker import (
    HEADERS,
    PATH,
    URL,
    approve,
    ask,
    drained,
    open_from,
    send,
)
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WIDE: Final = Bounds(
    of_one=64, each_second=100_000, burst=100_000, one_each_second=100_000, one_burst=100_000
)
QUICK: Final = Bounds(head_s=0.2, whole_s=0.6)
GET: Final = f"GET {URL} HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n".encode()


class Stand:
    """A server before a counter, and what it counted."""

    def __init__(self, bounds: Bounds, answering: Any = None) -> None:
        self.counter = Counter()
        self.tally: Tally[str] = Tally()
        self.server = EventServer("", 0, answering or self.counter.desk.answer, self._count, bounds)

    def _count(self, outcome: str) -> None:
        self.tally[outcome] += 1

    @property
    def port(self) -> int:
        return self.server.port

    def counts(self, **outcomes: int) -> None:
        """Wait until exactly so many of each have ended."""
        wait_for(lambda: dict(self.tally) == outcomes, 5, f"{outcomes}", every=0.01)


@pytest.fixture
def opened() -> Iterator[Callable[..., Stand]]:
    """Starts servers, and closes them."""
    stands: list[Stand] = []

    def open_(bounds: Bounds = WIDE, answering: Any = None) -> Stand:
        stand = Stand(bounds, answering)
        stand.server.start()
        stands.append(stand)
        return stand

    yield open_
    for stand in stands:
        stand.server.close()


@pytest.fixture
def crowd(opened: Callable[..., Stand]) -> Stand:
    """A stand with an event, for as many as come, which puts the silent ones out at once."""
    stand = opened(replace(WIDE, head_s=0.05, whole_s=1.0))
    stand.counter.notice(1)
    return stand


def events(stand: Stand, peer: str, **changes: Any) -> list[dict[str, Any]]:
    return ask(stand.port, peer, **changes).events


def test_each_asker_is_told_of_its_own_set_and_approves_there_alone(
    opened: Callable[..., Stand],
) -> None:
    """M-19, V-30, R-54: by the address that the connection comes from."""
    stand = opened()
    stand.counter.notice(1)
    (row,) = events(stand, WEB_1)
    assert row["Resources"] == ["web-1"]
    assert events(stand, WEB_2) == [row]
    assert events(stand, OTHER_7) == []
    assert ask(stand.port, NOBODY).code == "UnknownAsker"
    assert approve(stand.port, OTHER_7, row["EventId"]).code == "UnknownEvent"
    assert approve(stand.port, NOBODY, row["EventId"]).code == "UnknownAsker"
    assert stand.counter.live.marks == []
    assert approve(stand.port, WEB_2, row["EventId"]).status == 200
    assert [name for name, _, _ in stand.counter.live.marks] == ["web-1"]
    stand.counts(answered=3, unknown_asker=2, unknown_event=1, approved=1)


def test_both_families_are_served_on_one_port_and_ipv4_in_ipv6_dress_is_itself(
    opened: Callable[..., Stand],
) -> None:
    """The socket is of both families, so every peer of IPv4 shows as ::ffff:..."""
    stand = opened()
    assert events(stand, WEB_1) == []
    if socket.has_dualstack_ipv6():
        assert ask(stand.port, "::1", host="::1").code == "UnknownAsker"


def test_an_answer_is_closed_and_kept_by_nobody(opened: Callable[..., Stand]) -> None:
    stand = opened()
    heard = ask(stand.port, WEB_1)
    assert heard.headers["Connection"] == "close"
    assert heard.headers["Cache-Control"] == "no-store"
    assert heard.headers["Content-Type"] == "application/json"
    assert "aiohttp" not in heard.headers["Server"]


def test_two_requests_on_one_connection_are_one(opened: Callable[..., Stand]) -> None:
    stand = opened()
    found = send(stand.port, WEB_1, (GET + b"\r\n") * 3)
    assert found.count(b"HTTP/1.1 ") == 1
    stand.counts(answered=1)


def test_a_body_is_bounded_however_it_is_sent(opened: Callable[..., Stand]) -> None:
    stand = opened()
    large = b'{"StartRequests": [' + b" " * LARGEST_BODY + b"]}"
    assert ask(stand.port, WEB_1, "POST", body=large).code == "BodyTooLarge"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
    head = GET.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n"
    assert b"BodyTooLarge" in send(stand.port, WEB_1, head + chunks)
    promised = GET.replace(b"GET", b"POST") + b"Content-Length: 99999999999\r\n\r\n"
    assert b"BodyTooLarge" in send(stand.port, WEB_1, promised + large)
    stand.counts(malformed=3)


def test_a_body_that_is_packed_is_not_unpacked(opened: Callable[..., Stand]) -> None:
    stand = opened()
    packed = {**HEADERS, "Content-Encoding": "gzip"}
    heard = ask(stand.port, WEB_1, "POST", body=b"\x1f\x8b\x08" + b"\0" * 64, headers=packed)
    assert (heard.status, heard.code) == (400, "Body")


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET ", GET, b"\x16\x03\x01\x02\x00", GET + b"X: " + b"x" * 512],
    ids=["nothing", "a word", "a head without its end", "TLS", "a part of a header"],
)
def test_who_does_not_finish_a_request_is_put_out(
    opened: Callable[..., Stand], sent: bytes
) -> None:
    """And says nothing in the log."""
    stand = opened(QUICK)
    with open_from(stand.port, WEB_1) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        drained(connection)
        assert time.monotonic() - began < 2
    stand.counts(unread=1)


def test_a_body_that_does_not_come_is_not_waited_for(opened: Callable[..., Stand]) -> None:
    stand = opened(QUICK)
    head = GET.replace(b"GET", b"POST") + b"Content-Length: 10\r\n\r\n"
    with open_from(stand.port, WEB_1) as connection:
        connection.sendall(head + b"{")
        assert b"did not come within 0.2 s" in drained(connection)
    stand.counts(malformed=1)


def drip(connection: socket.socket) -> None:
    """Byte by byte, until that is not taken any more."""
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.02)


def test_who_drips_bytes_for_ever_is_put_out(opened: Callable[..., Stand]) -> None:
    """The head comes byte by byte: no pause in it is long, and it never ends."""
    stand = opened(QUICK)
    began = time.monotonic()
    with open_from(stand.port, WEB_1) as connection, pytest.raises(ConnectionError):
        drip(connection)
    assert time.monotonic() - began < 3
    stand.counts(unread=1)


def test_who_does_not_read_the_answer_is_put_out(opened: Callable[..., Stand]) -> None:
    async def much(_: object) -> Any:
        return Answer(status=200, body=b"x" * 50_000_000, outcome=Outcome.ANSWERED)

    stand = opened(QUICK, much)
    with open_from(stand.port, WEB_1) as connection:
        connection.sendall(GET + b"\r\n")
        stand.counts(answered=1)
        assert len(drained(connection)) < 50_000_000


def test_one_address_gets_no_more_than_its_share(opened: Callable[..., Stand]) -> None:
    """Its neighbours are answered meanwhile."""
    stand = opened(Bounds(one_burst=3, one_each_second=0.001))
    found = [ask(stand.port, WEB_1) for _ in range(6)]
    assert [heard.status for heard in found] == [200] * 3 + [429] * 3
    assert (found[-1].code, found[-1].headers["Retry-After"]) == ("TooOften", "1")
    assert events(stand, WEB_2) == []
    stand.counts(answered=4, too_often=3)


def test_one_address_holds_so_many_connections_at_once_and_no_more(
    opened: Callable[..., Stand],
) -> None:
    stand = opened(Bounds(of_one=2, head_s=30))
    held = [open_from(stand.port, WEB_1) for _ in range(2)]
    wait_for(lambda: ask(stand.port, WEB_1).status == 429, 5, "it is full", every=0.01)
    assert events(stand, WEB_2) == []
    held.pop().close()
    wait_for(lambda: ask(stand.port, WEB_1).status == 200, 5, "there is room again", every=0.01)
    held.pop().close()


def test_more_at_once_than_there_is_room_for_wait_and_are_answered(
    opened: Callable[..., Stand],
) -> None:
    stand = opened(Bounds(at_once=2, head_s=0.5))
    held = [open_from(stand.port, peer) for peer in (WEB_1, NOBODY)]
    assert events(stand, WEB_2) == [], "once those who say nothing were put out"
    for connection in held:
        connection.close()


def test_all_together_are_taken_in_at_a_pace(opened: Callable[..., Stand]) -> None:
    """A flood waits in the kernel; what it costs us is bounded."""
    stand = opened(Bounds(each_second=20, burst=2, one_burst=1_000, of_one=50))
    began = time.monotonic()
    for _ in range(12):
        assert ask(stand.port, WEB_1).status == 200
    assert time.monotonic() - began >= 0.4


def test_a_fault_of_ours_is_answered_logged_once_and_ends_nothing(
    opened: Callable[..., Stand], caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: object) -> Any:
        raise RuntimeError

    stand = opened(WIDE, broken)
    for _ in range(3):
        assert ask(stand.port, WEB_1).code == "Failed"
    assert [r.levelno for r in caplog.records if r.levelno >= logging.ERROR] == [logging.ERROR]
    stand.counts(failed=3)


def test_a_connection_that_cannot_be_taken_in_ends_nothing(
    opened: Callable[..., Stand], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand = opened()
    real, faults = stand.server._let_in, [RuntimeError("torn")]  # noqa: SLF001 - as a fault of ours

    async def let_in(server: Any, connection: socket.socket, peer: str) -> None:
        if faults:
            connection.close()
            raise faults.pop()
        await real(server, connection, peer)

    monkeypatch.setattr(stand.server, "_let_in", let_in)
    with open_from(stand.port, WEB_1) as connection:
        assert drained(connection) == b""
    assert events(stand, WEB_1) == []
    assert "could not be taken in" in caplog.text


def test_a_port_that_is_taken_is_named(opened: Callable[..., Stand]) -> None:
    """Another one would be found by nobody."""
    first = opened()
    second = EventServer("", first.port, first.counter.desk.answer, lambda _: None)
    with pytest.raises(CannotListenError, match=f"scheduled events .* port {first.port}"):
        second.start()
    second.close()


def test_a_closed_server_answers_no_more_and_waits_for_nobody() -> None:
    stand = Stand(WIDE)
    stand.server.start()
    with open_from(stand.port, WEB_1):
        began = time.monotonic()
        stand.server.close()
        assert time.monotonic() - began < 3
        with pytest.raises(ConnectionRefusedError):
            ask(stand.port, WEB_1)
    assert "scheduled events" not in {thread.name for thread in threading.enumerate()}


async def test_the_operators_loop_goes_on_under_a_flood(opened: Callable[..., Stand]) -> None:
    """Sixteen askers ask as fast as they can for a second; the bounds are those that ship."""
    stand = opened(Bounds())
    ends = time.monotonic() + 1.0

    def flood(number: int) -> int:
        asked = 0
        while time.monotonic() < ends:
            send(stand.port, f"127.0.1.{number}", GET + b"\r\n")
            asked += 1
        return asked

    floods = [asyncio.to_thread(flood, number) for number in range(1, 17)]
    flooding = asyncio.gather(*floods)
    late = 0.0
    while time.monotonic() < ends:
        before = time.monotonic()
        await asyncio.sleep(0.01)
        late = max(late, time.monotonic() - before - 0.01)
    assert sum(await flooding) > 50
    assert late < 0.5, f"the loop was {late:.3f} s late"


TOKEN = st.sampled_from(
    [
        *(b"GET", b"POST", b"HEAD", b"CONNECT", b" ", b"\r\n", b"\r\n\r\n", b"\n", b"\0", b":"),
        *(URL.encode(), PATH.encode(), b"http://x/", b"*", b"//", b"?%", b"%zz", b"#", b"\xff"),
        *(b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"Host: x", b"Metadata: true", b"Metadata:"),
        *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 9999999999999999999"),
        *(b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"5\r\nhello\r\n"),
        *(b"Connection: upgrade", b"Upgrade: websocket", b"Expect: 100-continue", b"Expect: x"),
        *(b"X-Forwarded-For: 127.0.0.2", b"Content-Encoding: gzip", b"A" * 9_000, b"\x16\x03"),
        b'{"StartRequests": [{"EventId": "x"}]}',
    ]
)
BYTES = st.lists(TOKEN | st.binary(max_size=12), max_size=24).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(data=GET + b"Expect: 100-continue\r\n\r\n", shut=False)
@example(data=GET + b"Expect: x\r\n\r\n", shut=False)
@example(data=GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nxx", shut=False)
@example(data=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", shut=False)
@example(data=GET + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", shut=False)
@given(data=BYTES, shut=st.booleans())
def test_whatever_is_sent_the_next_one_is_answered(
    crowd: Stand, caplog: pytest.LogCaptureFixture, data: bytes, *, shut: bool
) -> None:
    """Bytes of any kind bring down nothing, approve nothing, log nothing and are over soon."""
    caplog.clear()
    began = time.monotonic()
    found = send(crowd.port, WEB_1, data, shut=shut)
    assert found == b"" or found.startswith(b"HTTP/1.")
    assert time.monotonic() - began < 3
    assert len(events(crowd, WEB_2)) == 1
    assert crowd.counter.live.marks == []
    assert caplog.records == []


WORDS = st.characters(exclude_categories=["Cs"])
HEADER_NAMES = st.sampled_from(
    ["Metadata", "X-Forwarded-For", "Forwarded", "Host", "Cookie", "Content-Length", "Accept"]
)
"""Those that mean something, or might seem to."""


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "\ud800"]),
    path=st.just(PATH) | st.text(max_size=80),
    version=st.just("2020-07-01") | st.text(max_size=80),
    headers=st.dictionaries(HEADER_NAMES, st.just("true") | st.text(max_size=80), max_size=4),
    body=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers(-9, 2**53) | st.text(WORDS, max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["StartRequests", "EventId", "x"]), inner, max_size=3)
        ),
        max_leaves=12,
    ).map(orjson.dumps),
    peer=st.sampled_from([WEB_1, OTHER_7, NOBODY]) | st.text(max_size=40),
)
async def test_every_request_has_an_answer_and_none_approves_by_chance(
    method: str, path: str, version: str, headers: dict[str, str], body: bytes, peer: str
) -> None:
    """X-11: with a code and words for people, in JSON, whatever is in it."""
    counter = Counter()
    counter.notice(1)
    request = asked(
        peer, method, path=path, query={"api-version": version}, headers=headers, body=body
    )
    answer = await counter.desk.answer(request)
    found = orjson.loads(answer.body)
    if answer.status == 200:
        assert found["DocumentIncarnation"] in {0, 7}
        assert headers["Metadata"].lower() == "true"
    else:
        assert answer.status in {400, 403, 404, 405}
        assert found["error"]["code"]
        assert found["error"]["message"]
    assert counter.live.marks == []
