"""The prober's process and the operator's end of its socket: start, frames, end.

Must not know targets, evidence or when a child is to be replaced.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from scaleset_operator.adapters.prober.wire import FrameReader, WireError

SOURCE_ROOT: Final = Path(__file__).resolve().parents[3]
"""Where the child finds this package, installed or not."""

OnFrame = Callable[[int, bytes], None]


class Child(asyncio.Protocol):
    """One prober process.

    Attributes:
        gone: set once nothing will come from it any more.
    """

    def __init__(self, process: subprocess.Popen[bytes], on_frame: OnFrame) -> None:
        self.gone = asyncio.Event()
        self._process = process
        self._on_frame = on_frame
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def start(cls, on_frame: OnFrame) -> Self:
        """Starts a process whose frames go to `on_frame(kind, body)`.

        Raises:
            OSError: no process, or no descriptor, was to be had.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = _spawn(theirs)
        except BaseException:
            ours.close()
            raise
        child = cls(process, on_frame)
        try:
            loop = asyncio.get_running_loop()
            child._transport, _ = await loop.create_unix_connection(lambda: child, sock=ours)
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise
        return child

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, data: bytes) -> None:
        """Queues a frame; one to a child that is gone is lost."""
        if self._transport is not None and not self.gone.is_set():
            self._transport.write(data)

    async def end(self) -> None:
        """Kills the process, whatever it does; what it had yet to say is not heard."""
        self._on_frame = _ignore
        self._process.kill()
        if self._transport is not None:
            self._transport.abort()
        await asyncio.to_thread(self._process.wait)
        await self.gone.wait()

    def data_received(self, data: bytes) -> None:
        """Hands on every frame that is whole; a child that speaks nonsense is let go."""
        try:
            for kind, body in self._reader.feed(data):
                self._on_frame(kind, body)
        except WireError:
            self.gone.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tells that it is over."""
        self.gone.set()


def _ignore(_kind: int, _body: bytes) -> None:
    """Hears nothing."""


def _spawn(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """Starts `python -m scaleset_operator.adapters.prober` with its end of the socket.

    The end is the only descriptor it inherits: when the operator dies in any way, the kernel closes
    the other one and the child sees it. `-P` keeps the working directory out of its imports.
    """
    descriptor = str(theirs.fileno())
    package = __package__ or ""
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([known, str(SOURCE_ROOT)] if known else [str(SOURCE_ROOT)])
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-P", "-m", package, "--fd", descriptor],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
