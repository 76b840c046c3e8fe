"""A port to be asked on, and the thread that answers. Must not know: what is served there."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

CLOSE_S: Final = 5.0

Serve = Callable[[Callable[[], None], asyncio.Event], Coroutine[Any, Any, None]]
"""Serves until the event is set; calls what it is given once it answers."""


class CannotListenError(Exception):
    """The address or port cannot be had; the message says which and why."""


def listening_socket(address: str, port: int) -> socket.socket:
    """One socket for both families of addresses: of two, each would get a free port of its own.

    Args:
        address: an IP literal; empty for all addresses.
        port: 0 for any free one.

    Raises:
        OSError: it cannot be had.
    """
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as fault:
            if fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("", port))


class ServingThread:
    """A thread and a loop of its own, so that whoever asks waits for nothing else."""

    def __init__(self, name: str) -> None:
        """Starts nothing yet.

        Args:
            name: of the thread.
        """
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._up = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, serve: Serve) -> None:
        """Begin to serve; returns once it answers."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(serve)), name=self._name, daemon=True
        )
        self._thread.start()
        self._up.wait()

    def close(self) -> None:
        """Answer no more; returns when the thread has ended, or after a few seconds."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLOSE_S)
        self._thread = None

    async def _run(self, serve: Serve) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await serve(self._up.set, self._stop)
