"""One attempt against servers that answer, lie, stall and break off."""

import errno
import select
import socket
import tracemalloc

import pytest

from scaleset_operator.adapters.prober.attempt import Attempt, Target, code_of_error, read_status
from scaleset_operator.adapters.prober.wire import Code, ProbeProtocol, SetTarget
from tests.adapters.prober.conftest import Lab, Serve
from tests.adapters.prober.servers import (
    OK,
    accepting,
    answering,
    black_hole,
    closing,
    hanging,
    refusing_port,
    resetting,
    with_status,
)

TEN_MIB = 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("200 OK", Code.OK),
        ("200", Code.OK),
        ("200 ", Code.OK),
        ("201 Created", Code.WRONG_STATUS),
        ("204 No Content", Code.WRONG_STATUS),
        ("206 Partial Content", Code.WRONG_STATUS),
        ("301 Moved Permanently", Code.WRONG_STATUS),
        ("304 Not Modified", Code.WRONG_STATUS),
        ("399 Odd", Code.WRONG_STATUS),
        ("401 Unauthorized", Code.WRONG_STATUS),
        ("404 Not Found", Code.WRONG_STATUS),
        ("500 Internal Server Error", Code.WRONG_STATUS),
        ("503 Service Unavailable", Code.WRONG_STATUS),
        ("999 Odd", Code.WRONG_STATUS),
    ],
)
def test_200_and_nothing_else_is_a_success(lab: Lab, serve: Serve, status: str, code: Code) -> None:
    """R-03, P-14: not the 200..399 of kubelet's probes; P-29: any other is told by its number."""
    seen = lab.first(lab.probe(serve(with_status(status)).port))
    assert (seen.code, seen.status) == (code, int(status[:3]))
    assert 0 <= seen.ended - seen.begun < 4_000_000_000


def test_a_redirect_is_not_followed(lab: Lab, serve: Serve) -> None:
    """P-14: a 302 to a login page that answers 200 is no success."""
    login = serve(answering(OK))
    location = f"Location: http://127.0.0.1:{login.port}/login"
    assert lab.first(lab.probe(serve(with_status("302 Found", location)).port)).status == 302
    assert login.begun == 0


def test_a_redirect_to_itself_costs_one_request(lab: Lab, serve: Serve) -> None:
    """P-14: a loop of redirects is not walked."""
    server = serve(with_status("301 Moved Permanently", "Location: /healthz"))
    assert lab.first(lab.probe(server.port, interval=30)).code is Code.WRONG_STATUS
    lab.until(lambda: len(server.endings) == 1)
    assert len(server.requests) == 1


def test_the_request_names_path_and_host_and_asks_to_close(lab: Lab, serve: Serve) -> None:
    server = serve(answering(OK))
    lab.first(lab.probe(server.port, path="/live?deep=1"))
    assert server.requests[0].decode().split("\r\n") == [
        "GET /live?deep=1 HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: scaleset-operator-prober",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    ]


def test_an_address_of_version_6_is_bracketed_in_the_host(lab: Lab, serve: Serve) -> None:
    server = serve(answering(OK), "::1")
    assert lab.first(lab.probe(server.port, ip="::1")).code is Code.OK
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_ten_mebibytes_are_answered_by_their_status_line(lab: Lab, serve: Serve) -> None:
    """P-14: the body is ignored; memory stays flat."""
    body = bytes(TEN_MIB)
    server = serve(answering(b"HTTP/1.1 200 OK\r\n\r\n" + body))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        target = lab.probe(server.port, interval=0.02)
        lab.until(lambda: len(lab.outcomes(target)) >= 3)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert set(lab.outcomes(target)) == {Code.OK}
    # The server, in this process too, made its copy before.
    assert peak < TEN_MIB / 10


def test_a_binary_answer_is_malformed(lab: Lab, serve: Serve) -> None:
    seen = lab.first(lab.probe(serve(answering(bytes(range(256)))).port))
    assert (seen.code, seen.status) == (Code.MALFORMED, 0)


def test_a_status_line_may_come_in_pieces(lab: Lab, serve: Serve) -> None:
    server = serve(answering(b"H", b"TTP/1.1 ", b"20", b"0 OK\r\n\r\n"))
    assert lab.first(lab.probe(server.port, interval=4)).code is Code.OK


def test_an_interim_answer_is_passed_over(lab: Lab, serve: Serve) -> None:
    """P-14: the final status counts."""
    server = serve(answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n", b"\r\n" + OK))
    assert lab.first(lab.probe(server.port, interval=4)).code is Code.OK


def test_interim_answers_without_end_are_malformed(lab: Lab, serve: Serve) -> None:
    server = serve(answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000))
    assert lab.first(lab.probe(server.port, interval=4)).code is Code.MALFORMED


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", None),
        (b"HTTP/1.", None),
        (b"HTTP/1.1 20", None),
        (b"HTTP/1.1 200", None),
        (b"HTTP/1.1 200\r", 200),
        (b"HTTP/1.0 200 OK", 200),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
        (b"HTTP/1.1 100 Continue\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n", 503),
        (b"HTTP/1.1 100 Continue\r\n\r\nhello", 0),
        (b"HTTP/1.1 2000 OK\r\n", 0),
        (b"HTTP/1.1 020 OK\r\n", 0),
        (b"HTTP/1.1  200 OK\r\n", 0),
        (b"HTTP/2 200\r\n", 0),
        (b"http/1.1 200 OK\r\n", 0),
        (b"\r\nHTTP/1.1 200 OK\r\n", 0),
        (b"SSH-2.0-x\r\n", 0),
        (b"\x15\x03", 0),
    ],
)
def test_the_status_is_read_as_soon_as_it_is_there(answer: bytes, status: int | None) -> None:
    assert read_status(answer) == status


def test_a_refused_connection_is_told_apart(lab: Lab) -> None:
    """R-04: a wrong port."""
    with refusing_port() as port:
        assert lab.first(lab.probe(port)).code is Code.REFUSED
        tcp = lab.probe(port, protocol=ProbeProtocol.TCP)
        assert lab.first(tcp).code is Code.REFUSED


def test_a_reset_before_the_answer_is_refused(lab: Lab, serve: Serve) -> None:
    """R-04: somebody is there, and will not speak."""
    assert lab.first(lab.probe(serve(resetting).port)).code is Code.REFUSED


def test_an_orderly_end_without_an_answer_is_malformed(lab: Lab, serve: Serve) -> None:
    assert lab.first(lab.probe(serve(closing).port)).code is Code.MALFORMED


@pytest.mark.parametrize(("interval", "timeout"), [(0.15, 11.0), (5.0, 0.15)])
def test_an_answer_that_does_not_come_ends_after_the_shorter_span(
    lab: Lab, serve: Serve, interval: float, timeout: float
) -> None:
    """P-11: an attempt never hangs for the whole timeout where the interval is shorter."""
    seen = lab.first(lab.probe(serve(hanging).port, interval=interval, timeout=timeout))
    assert seen.code is Code.TIMED_OUT
    assert 150_000_000 <= seen.ended - seen.begun < 1_500_000_000


@pytest.mark.parametrize("protocol", list(ProbeProtocol))
def test_a_handshake_that_nobody_acknowledges_times_out(lab: Lab, protocol: ProbeProtocol) -> None:
    """P-15: silence fails."""
    with black_hole() as port:
        seen = lab.first(lab.probe(port, protocol=protocol, interval=0.2))
    assert seen.code is Code.TIMED_OUT


def test_half_a_status_line_times_out(lab: Lab, serve: Serve) -> None:
    server = serve(answering(b"HTTP/1.1 2"))
    assert lab.first(lab.probe(server.port, interval=0.2)).code is Code.TIMED_OUT


def test_an_acknowledged_handshake_is_a_tcp_success_and_ends_cleanly(
    lab: Lab, serve: Serve
) -> None:
    """P-15: no payload, and the target sees an orderly end."""
    server = serve(accepting)
    assert lab.first(lab.probe(server.port, protocol=ProbeProtocol.TCP)).code is Code.OK
    lab.until(lambda: bool(server.endings))
    assert server.endings[0] == "fin"
    assert server.requests == []


def test_an_http_attempt_leaves_no_time_wait_behind(lab: Lab, serve: Serve) -> None:
    """P-27: two thousand attempts a second would fill the kernel's table within minutes."""
    server = serve(answering(OK))
    target = lab.probe(server.port, interval=0.02)
    lab.until(lambda: len(lab.outcomes(target)) >= 10 and len(server.endings) >= 5)
    lab.engine.drop(target)
    assert set(server.endings) == {"reset"}
    with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - a kernel table
        rows = [line.split() for line in table]
    left = [row for row in rows if row[2].endswith(f":{server.port:04X}") and row[3] == "06"]
    assert left == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, Code.REFUSED),
        (errno.ECONNRESET, Code.REFUSED),
        (errno.EPIPE, Code.REFUSED),
        (errno.ETIMEDOUT, Code.TIMED_OUT),
        (errno.EHOSTUNREACH, Code.UNREACHABLE),
        (errno.ENETUNREACH, Code.UNREACHABLE),
        (errno.EMFILE, Code.VOIDED),
        (errno.ENFILE, Code.VOIDED),
        (errno.EADDRNOTAVAIL, Code.VOIDED),
        (errno.ENOBUFS, Code.VOIDED),
        (errno.ENOMEM, Code.VOIDED),
        (errno.EPERM, Code.VOIDED),
        (errno.EAFNOSUPPORT, Code.VOIDED),
    ],
)
def test_every_error_has_one_who_answers_for_it(
    monkeypatch: pytest.MonkeyPatch, number: int, code: Code
) -> None:
    """R-04: three different reasons; and the prober's own faults convict nobody."""
    assert code_of_error(OSError(number, "x")) is code

    class Failing(socket.SocketType):
        def connect_ex(self, _address: object) -> int:
            return number

    monkeypatch.setattr(socket, "SocketType", Failing)
    command = SetTarget(1, 1, ProbeProtocol.HTTP, "127.0.0.1", 9, "/", 10**9, 10**9, 0)
    attempt = Attempt(Target(command), 0)
    with select.epoll() as epoll:
        assert attempt.open(epoll) is code
    attempt.close()


def test_a_reset_after_the_handshake_does_not_undo_it() -> None:
    """P-15: the handshake was acknowledged; whether the reset is seen first is chance."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = SetTarget(1, 1, ProbeProtocol.TCP, "127.0.0.1", port, "", 10**9, 10**9, 0)
        attempt = Attempt(Target(command), 0)
        with select.epoll() as epoll:
            assert attempt.open(epoll) is None
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.close()
            ((_, events),) = epoll.poll(1)
            assert attempt.advance(events) is Code.OK
    attempt.close()


def test_an_attempt_that_was_let_go_says_nothing() -> None:
    command = SetTarget(1, 1, ProbeProtocol.HTTP, "127.0.0.1", 9, "/", 10**9, 10**9, 0)
    attempt = Attempt(Target(command), 0)
    attempt.close()
    assert attempt.advance(select.EPOLLIN) is Code.VOIDED
