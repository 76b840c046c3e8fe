"""Watches of the API server: every change of some kinds, in the order the server gives them.

Standard library alone, so that what it sees does not depend on the operator's own client.
Must not know: what the objects mean.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from demo.failure import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.venue import Cluster

_ANSWER_WITHIN_S: Final = 30.0
_ASK_AGAIN_S: Final = 0.5
_LOST: Final = "LOST"


class Seen(NamedTuple):
    """One change."""

    kind: str
    """As the caller named what is watched."""
    what: str
    """ADDED, MODIFIED or DELETED."""
    body: dict[str, Any]
    """The object after the change; for DELETED, as it was last."""
    at: float
    """When it arrived, CLOCK_MONOTONIC in seconds."""


class Watches:
    """Several watches, one queue; changes of one kind never overtake each other.

    A watch that breaks is not mended: what happened in between would be missing from the proof.
    """

    def __init__(self, cluster: Cluster, paths: Mapping[str, str]) -> None:
        """Describe them; nothing starts yet.

        Args:
            cluster: whose API server is watched, as its admin.
            paths: kind by any name -> path of its collection.
        """
        self._host = urlsplit(cluster.server)
        self._token = cluster.token
        self._trust = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._paths = paths
        self._seen: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._lines: list[http.client.HTTPSConnection] = []

    def __enter__(self) -> Self:
        """Start watching from now on: what exists comes first, as ADDED."""
        for kind, path in self._paths.items():
            line = http.client.HTTPSConnection(
                str(self._host.hostname),
                self._host.port,
                context=self._trust,
                timeout=_ANSWER_WITHIN_S,
            )
            self._lines.append(line)
            threading.Thread(target=self._follow, args=(kind, path, line), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        for line in self._lines:
            # Not closed: the thread may be reading, and the number would go to another file.
            with contextlib.suppress(OSError):
                if line.sock is not None:
                    line.sock.shutdown(socket.SHUT_RDWR)

    def next(self, timeout: float) -> Seen | None:
        """Give the next change, or None when there is none for so many seconds.

        Raises:
            DemoError: a watch broke.
        """
        try:
            seen = self._seen.get(timeout=timeout)
        except queue.Empty:
            return None
        if seen.what == _LOST:
            message = f"the API server ended the watch of {seen.kind}: {seen.body['message']}"
            raise DemoError(message)
        return seen

    def _follow(self, kind: str, path: str, line: http.client.HTTPSConnection) -> None:
        why = "it closed the connection"
        try:
            for change in self._changes(path, line):
                if change["type"] == "ERROR":
                    why = str(change["object"].get("message"))
                    break
                self._seen.put(Seen(kind, change["type"], change["object"], time.monotonic()))
        # A line shut down by the other thread shows as one of these.
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            why = str(error)
        self._seen.put(Seen(kind, _LOST, {"message": why}, time.monotonic()))

    def _changes(self, path: str, line: http.client.HTTPSConnection) -> Iterator[Any]:
        answer = self._asked(path, line)
        if answer.status != http.client.OK:
            message = f"{answer.status} {answer.reason}"
            raise http.client.HTTPException(message)
        if line.sock is not None:
            line.sock.settimeout(None)
        for text in answer:
            yield json.loads(text)

    def _asked(self, path: str, line: http.client.HTTPSConnection) -> http.client.HTTPResponse:
        """Ask again while the server says that it is not ready for a kind it has just learnt."""
        query = urlencode({"watch": "1", "timeoutSeconds": 3600})
        headers = {"Authorization": f"Bearer {self._token}"}
        give_up = time.monotonic() + _ANSWER_WITHIN_S
        while True:
            line.request("GET", f"{path}?{query}", headers=headers)
            answer = line.getresponse()
            later = answer.status == http.client.TOO_MANY_REQUESTS
            if not later or time.monotonic() > give_up:
                return answer
            answer.read()
            time.sleep(_ASK_AGAIN_S)
