"""One attempt on one target, over a socket that never blocks, from connect to outcome.

It is told when its socket is ready and answers with a Code once it knows. Must not know the loop,
the schedule or the link, and imports nothing outside the standard library.
"""

import errno
import re
import select
import socket
import struct
from typing import Final

from scaleset_operator.adapters.prober.wire import Code, ProbeProtocol, SetTarget

HTTP_OK: Final = 200
HTTP_SWITCHING: Final = 101
HTTP_FINAL: Final = 200
"""The first status that is not an interim one."""

READ_BYTES: Final = 1024
"""Asked for at a time; the status line of an ordinary answer comes with the first."""

MAX_ANSWER: Final = 10 * 1024
"""Bytes of interim answers before a final status line; what is longer is malformed."""

_WATCH_ALL: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
_MORE_THAN_WRITABLE: Final = ~select.EPOLLOUT
_SOCKET_TYPE: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_CLOSE_BY_RESET: Final = struct.pack("ii", 1, 0)
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})[ \r\n]")
_STATUS_LINE_BYTES: Final = 13

_CODE_BY_ERRNO: Final = {
    errno.ECONNREFUSED: Code.REFUSED,
    errno.ECONNRESET: Code.REFUSED,
    errno.ECONNABORTED: Code.REFUSED,
    errno.EPIPE: Code.REFUSED,
    errno.ETIMEDOUT: Code.TIMED_OUT,
    errno.EHOSTUNREACH: Code.UNREACHABLE,
    errno.ENETUNREACH: Code.UNREACHABLE,
    errno.EHOSTDOWN: Code.UNREACHABLE,
    errno.ENETDOWN: Code.UNREACHABLE,
}
"""What the target, or the way to it, is answerable for.

Every other error (EMFILE, EADDRNOTAVAIL, ENOBUFS, EPERM...) is the prober's own: VOIDED.
"""


def code_of_error(error: OSError) -> Code:
    """Tells whose fault an error is."""
    return _CODE_BY_ERRNO.get(error.errno or 0, Code.VOIDED)


def read_status(answer: bytes) -> int | None:
    """Finds the final status of an HTTP answer, its body never looked at (P-14).

    Interim answers (1xx but 101, which is final) are passed over, as RFC 9110 section 15.2 asks of
    a client.

    Returns:
        The status; 0 when the answer is malformed; None when more of it is needed.
    """
    while True:
        found = _STATUS_LINE.match(answer)
        if found is None:
            return None if _may_become_a_status_line(answer) else 0
        status = int(found[1])
        if status >= HTTP_FINAL or status == HTTP_SWITCHING:
            return status
        end = answer.find(b"\r\n\r\n")
        if end < 0:
            return None
        answer = answer[end + 4 :]


def _may_become_a_status_line(answer: bytes) -> bool:
    """Whether what is there is the beginning of a status line."""
    missing = b"HTTP/1.1 200 "[len(answer) :]
    return len(answer) < _STATUS_LINE_BYTES and bool(_STATUS_LINE.match(answer + missing))


class Target:
    """What is probed under one epoch, and where it stands.

    Attributes:
        request: the bytes to send; empty for tcp.
        limit_ns: an attempt fails after min(interval, timeout) (design.md section 3).
        due_ns: when the next attempt falls due.
        sequence: number of the last outcome reported.
        last_code: of the last outcome reported; VOIDED before the first.
        attempt: the one in the air: never two (P-27).
        dropped: superseded or given up; nothing of it is reported any more (P-31).
    """

    __slots__ = (
        "address",
        "attempt",
        "dropped",
        "due_ns",
        "epoch",
        "family",
        "interval_ns",
        "last_code",
        "limit_ns",
        "number",
        "request",
        "seed",
        "sequence",
    )

    def __init__(self, command: SetTarget) -> None:
        host = f"[{command.ip}]" if ":" in command.ip else command.ip
        self.number = command.target
        self.epoch = command.epoch
        self.family = socket.AF_INET6 if ":" in command.ip else socket.AF_INET
        self.address = (command.ip, command.port)
        self.request = b""
        if command.protocol is ProbeProtocol.HTTP:
            self.request = (
                f"GET {command.path} HTTP/1.1\r\nHost: {host}:{command.port}\r\n"
                "User-Agent: scaleset-operator-prober\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            ).encode()
        self.interval_ns = command.interval_ns
        self.limit_ns = min(command.interval_ns, command.timeout_ns)
        self.seed = command.seed
        self.due_ns = 0
        self.sequence = 0
        self.last_code = Code.VOIDED
        self.attempt: Attempt | None = None
        self.dropped = False


class Attempt:
    """One try. `open`, then `advance` on each readiness until a Code comes back, then `close`.

    The socket is watched once, edge-triggered, for both directions: fewer system calls, so every
    read goes on until the outcome is known or nothing is left. It is a bare `SocketType`: the class
    `socket.socket` above it adds several microseconds to each attempt and nothing used here.
    """

    __slots__ = (
        "_answer",
        "_socket",
        "_unsent",
        "begun_ns",
        "deadline_ns",
        "fd",
        "status",
        "target",
    )

    def __init__(self, target: Target, now_ns: int) -> None:
        self.target = target
        self.begun_ns = now_ns
        self.deadline_ns = now_ns + target.limit_ns
        self.status = 0
        self.fd = -1
        self._socket: socket.SocketType | None = None
        self._unsent = target.request
        self._answer = b""

    @property
    def answer(self) -> bytes:
        """What was read of the answer; empty again once it is closed."""
        return self._answer

    def open(self, epoll: select.epoll) -> Code | None:
        """Begins to connect; a Code where it ended on the spot."""
        target = self.target
        try:
            sock = self._socket = socket.SocketType(target.family, _SOCKET_TYPE)
            error = sock.connect_ex(target.address)
            if error and error != errno.EINPROGRESS:
                return _CODE_BY_ERRNO.get(error, Code.VOIDED)
            self.fd = sock.fileno()
            epoll.register(self.fd, _WATCH_ALL)
        except OSError as fault:
            return code_of_error(fault)
        return None

    def advance(self, events: int) -> Code | None:
        """Goes as far as the socket lets it; a Code once the outcome is known."""
        sock = self._socket
        if sock is None:
            return Code.VOIDED
        if not self.target.request:
            return self._handshake(sock)
        try:
            if self._unsent:
                self._unsent = self._unsent[sock.send(self._unsent) :]
            if events & _MORE_THAN_WRITABLE:
                return self._read(sock)
        except BlockingIOError:
            return None
        except OSError as fault:
            return code_of_error(fault)
        return None

    @staticmethod
    def _handshake(sock: socket.SocketType) -> Code:
        """Success is the handshake acknowledged (P-15).

        A reset that follows it does not undo it: whether it is seen here is a matter of chance.
        """
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in {0, errno.ECONNRESET, errno.EPIPE}:
            return Code.OK
        return _CODE_BY_ERRNO.get(error, Code.VOIDED)

    def _read(self, sock: socket.SocketType) -> Code:
        """Reads until the status is known; BlockingIOError where more is needed."""
        while True:
            piece = sock.recv(READ_BYTES)
            if not piece:
                return Code.MALFORMED
            self._answer += piece
            status = read_status(self._answer)
            if status is None and len(self._answer) < MAX_ANSWER:
                continue
            if not status:
                return Code.MALFORMED
            self.status = status
            return Code.OK if status == HTTP_OK else Code.WRONG_STATUS

    def close(self) -> None:
        """Lets the socket go: an http one by reset, which spares TIME_WAIT; a tcp one by FIN."""
        sock, self._socket = self._socket, None
        self._answer = b""
        if sock is None:
            return
        if self.target.request:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_BY_RESET)
        sock.close()
