"""The caller's side of the responder: setting scripts, reading hits and the journal.

Blocking, and safe to use from several threads. It must not know how answers are given.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT_SECONDS = 30.0


class ResponderError(RuntimeError):
    """The responder refused a request, or is not there."""


class Hits(NamedTuple):
    """How often an address was called."""

    connections: int
    """TCP connections accepted."""
    requests: int
    """HTTP requests read on them."""


class Change(NamedTuple):
    """One journal entry: what was told to whom, and when it held."""

    number: int
    target: str
    """An address, a prefix or `default`."""
    script: str | None
    """None when the target's own script was cleared."""
    monotonic: float
    """CLOCK_MONOTONIC, in seconds."""
    boottime: float
    """CLOCK_BOOTTIME, in seconds."""


class Responder:
    """The responder of one cluster, over its control socket."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._turn = threading.Lock()
        self._line: socket.socket | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The TCP port it answers on, at every address of 127.0.0.0/8."""
        if self._port is None:
            self._port = int(self._order("port"))
        return self._port

    def is_up(self) -> bool:
        """Say whether it takes orders, and so listens."""
        try:
            return self.port > 0
        except ResponderError:
            return False

    def set(self, target: str, script: str) -> None:
        """Tell an address, a prefix (`127.16.4.0/24`) or `default` what to do from now on.

        Args:
            target: the address a pod has, or many at once.
            script: see `scripts.Script`, for example `status:500`.

        Raises:
            ResponderError: either is malformed.
        """
        self.set_many({target: script})

    def set_many(self, scripts: Mapping[str, str]) -> None:
        """Set many scripts at one moment; raises ResponderError and sets none if one is wrong."""
        self._order("set", scripts=dict(scripts))

    def clear(self, *targets: str) -> None:
        """Forget the scripts of some targets, or, given none, of all: they do as the rest do."""
        self._order("clear", targets=list(targets))

    def hits(self) -> dict[str, Hits]:
        """Give how often each address was called since the start or `reset_hits`."""
        return {address: Hits(*counts) for address, counts in self._order("hits").items()}

    def reset_hits(self) -> None:
        """Count from zero again."""
        self._order("reset_hits")

    def journal(self, since: int = 0) -> list[Change]:
        """Give the changes with a number above `since`, the oldest first."""
        return [Change(*entry) for entry in self._order("journal", since=since)]

    def close(self) -> None:
        """Hang up; the next order connects again."""
        with self._turn:
            self._hang_up()

    def _order(self, verb: str, **fields: Any) -> Any:
        line = json.dumps({"do": verb, **fields}).encode() + b"\n"
        with self._turn:
            try:
                answer = json.loads(self._exchange(line))
            except (OSError, ValueError) as error:
                self._hang_up()
                message = f"the responder at {self._control} does not answer"
                raise ResponderError(message) from error
        if "error" in answer:
            raise ResponderError(answer["error"])
        return answer["result"]

    def _exchange(self, line: bytes) -> bytes:
        if self._line is None:
            self._line = socket.socket(socket.AF_UNIX)
            self._line.settimeout(_TIMEOUT_SECONDS)
            self._line.connect(str(self._control))
        self._line.sendall(line)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            chunk = self._line.recv(1 << 20)
            if not chunk:
                break
            answer += chunk
        return bytes(answer)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
