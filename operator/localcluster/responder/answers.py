"""One connection to a scripted address: what is read, what is answered, how it ends.

The side that closes a TCP connection first keeps its port busy for a minute, so the client is left
to close; one that does not is reset after a while. It must not know who sets the scripts.
"""

from __future__ import annotations

import asyncio
import http
import socket
import struct
import time
from typing import TYPE_CHECKING, ClassVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcluster.responder.control import Control
    from localcluster.responder.scripts import Script

LINGER_SECONDS = 2.0
"""How long a client may take to close after its answer."""

HEALTH_PATH = "/healthz"
BALANCER_PATH = "/lb"
REDIRECTED_PATH = "/redirected"

_PATHS = frozenset({HEALTH_PATH, BALANCER_PATH})
_LONGEST_REQUEST = 65536
_CHUNK = bytes(65536)
_GARBAGE = bytes(range(128, 256)) * 4 + b"\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def answer(code: int, location: str | None = None, length: int | None = None) -> bytes:
    """Give a whole HTTP answer; with `length`, its head alone for a body of so many bytes."""
    phrase = http.HTTPStatus(code).phrase if code in _KNOWN_CODES else "Scripted"
    body = f"{code}\n" if length is None else ""
    head = [
        f"HTTP/1.1 {code} {phrase}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
    ]
    if location is not None:
        head.append(f"Location: {location}")
    return "\r\n".join([*head, "", body]).encode()


_KNOWN_CODES = frozenset(http.HTTPStatus)
_OK = answer(200)
_NOT_FOUND = answer(404)
_ERROR = answer(500)


class Lingering:
    """Connections that were answered and wait for the client to close, the oldest first."""

    def __init__(self) -> None:
        self._deadlines: dict[Connection, float] = {}

    def add(self, connection: Connection) -> None:
        """Reset this connection unless it ends within `LINGER_SECONDS`."""
        self._deadlines.setdefault(connection, time.monotonic() + LINGER_SECONDS)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._deadlines.pop(connection, None)

    def sweep(self) -> None:
        """Reset the connections whose time is over."""
        now = time.monotonic()
        late = [connection for connection, deadline in self._deadlines.items() if deadline <= now]
        for connection in late:
            self.drop(connection)
            connection.reset()


class Connection(asyncio.Protocol):
    """One accepted connection."""

    _transport: asyncio.Transport
    _script: Script

    def __init__(self, control: Control, lingering: Lingering) -> None:
        self._control = control
        self._lingering = lingering
        self._address = ""
        self._request = b""
        self._unsent = b""
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look up the script of the address called, and end at once where it says so."""
        self._transport = cast("asyncio.Transport", transport)
        self._address = transport.get_extra_info("sockname")[0]
        if not self._address.startswith("127."):
            self.reset()  # somebody from outside: this is for this machine alone
            return
        self._script = self._control.table.of(self._address)
        self._control.hits[self._address][0] += 1
        if self._script.verb == "refuse":
            self.reset()
        elif self._script.verb == "close":
            # Our end only: closing with a request unread would reset the connection instead.
            self._transport.write_eof()
            self._lingering.add(self)

    def data_received(self, data: bytes) -> None:
        """Collect the request's head, then answer it."""
        self._request += data
        if b"\r\n\r\n" not in self._request:
            if len(self._request) > _LONGEST_REQUEST:
                self.reset()
            return
        words = self._request.split(b"\r\n", 1)[0].split(b" ")
        self._request = b""
        self._control.hits[self._address][1] += 1
        path = words[1].partition(b"?")[0].decode("latin-1") if len(words) > 1 else ""
        self._answer(path)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._lingering.drop(self)
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Stop sending: the client reads slowly, or not at all."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on sending."""
        self._writable = True
        self._pour()

    def reset(self) -> None:
        """End the connection with a reset, which leaves no trace on either side."""
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _answer(self, path: str) -> None:
        if path == REDIRECTED_PATH:
            self._finish(_OK)
        elif path == BALANCER_PATH and self._script.lb_status:
            self._finish(answer(self._script.lb_status))
        elif path not in _PATHS and not self._script.any_path:
            self._finish(_NOT_FOUND)
        else:
            self._answers[self._script.verb](self, path)

    def _finish(self, data: bytes) -> None:
        self._transport.write(data)
        self._lingering.add(self)

    def _ok(self, _path: str) -> None:
        self._finish(_OK)

    def _status(self, _path: str) -> None:
        self._finish(answer(int(self._script.value)))

    def _redirect(self, _path: str) -> None:
        self._finish(answer(int(self._script.value), REDIRECTED_PATH))

    def _loop(self, path: str) -> None:
        self._finish(answer(http.HTTPStatus.FOUND, path))

    def _binary(self, _path: str) -> None:
        self._finish(_GARBAGE)
        self._transport.write_eof()  # for the client who waits for the end to make sense of it

    def _flap(self, _path: str) -> None:
        turn = int(time.monotonic() / self._script.value) % 2
        self._finish(_ERROR if turn else _OK)

    def _slow(self, _path: str) -> None:
        self._after(self._script.value, lambda: self._finish(_OK))

    def _silence(self, _path: str) -> None:
        """Never a byte: the connection stays until the client gives up."""

    def _body(self, _path: str) -> None:
        self._left = int(self._script.value)
        self._transport.write(answer(http.HTTPStatus.OK, length=self._left))
        self._pour()

    def _pour(self) -> None:
        while self._left and self._writable:
            chunk = min(self._left, len(_CHUNK))
            self._left -= chunk
            self._transport.write(_CHUNK[:chunk])
        if not self._left and self._script.verb == "body":
            self._lingering.add(self)

    def _drip(self, _path: str) -> None:
        self._unsent = _OK
        self._drop()

    def _drop(self) -> None:
        self._transport.write(self._unsent[:1])
        self._unsent = self._unsent[1:]
        if self._unsent:
            self._after(self._script.value, self._drop)
        else:
            self._lingering.add(self)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    _answers: ClassVar[dict[str, Callable[[Connection, str], None]]] = {
        "ok": _ok,
        "status": _status,
        "redirect": _redirect,
        "loop": _loop,
        "slow": _slow,
        "body": _body,
        "drip": _drip,
        "binary": _binary,
        "hang": _silence,
        "close": _silence,
        "refuse": _silence,
        "flap": _flap,
    }
