"""Who asks for scheduled events, on a real socket, from an address of loopback of its own.

Must not know what is answered, or the operator.
"""

from __future__ import annotations

import contextlib
import json
import socket
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHIN_S: Final = 5.0
PATH: Final = "/metadata/scheduledevents"
HEADERS: Final = {"Metadata": "true"}
URL: Final = f"{PATH}?api-version=2020-07-01"


class Heard(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of a refusal."""
        found: str = json.loads(self.body)["error"]["code"]
        return found

    @property
    def number(self) -> int:
        """The incarnation of a document."""
        found: int = json.loads(self.body)["DocumentIncarnation"]
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a document."""
        assert self.status == HTTPStatus.OK, self
        found: list[dict[str, Any]] = json.loads(self.body)["Events"]
        return found


def ask(
    port: int,
    peer: str,
    method: str = "GET",
    *,
    url: str = URL,
    body: bytes | None = None,
    headers: Mapping[str, str] = HEADERS,
    host: str = "127.0.0.1",
) -> Heard:
    """One request from this address."""
    connection = HTTPConnection(host, port, timeout=WITHIN_S, source_address=(peer, 0))
    try:
        connection.request(method, url, body, dict(headers))
        answer = connection.getresponse()
        return Heard(answer.status, dict(answer.headers), answer.read())
    finally:
        connection.close()


def approve(port: int, peer: str, *ids: str) -> Heard:
    """Approve these from this address."""
    body = json.dumps({"StartRequests": [{"EventId": one} for one in ids]}).encode()
    return ask(port, peer, "POST", body=body)


def open_from(port: int, peer: str) -> socket.socket:
    """A connection from this address, on which nothing was sent."""
    connection = socket.socket()
    connection.settimeout(WITHIN_S)
    connection.bind((peer, 0))
    connection.connect(("127.0.0.1", port))
    return connection


def send(port: int, peer: str, data: bytes, *, shut: bool = False) -> bytes:
    """What comes back for these bytes, until the connection is closed; empty for nothing.

    Args:
        port: of the server.
        peer: the address it comes from.
        data: what is sent.
        shut: say that nothing more will come.
    """
    with open_from(port, peer) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
        return drained(connection)


def drained(connection: socket.socket) -> bytes:
    """Everything up to the end, also where that is a reset."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            found += chunk
    return found
