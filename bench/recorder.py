"""A responder that remembers: when each address last answered well, and first answered badly.

It answers GETs at every address of 127.0.0.0/8 and takes orders on a Unix socket, one JSON object a
line. From its times the moment a verdict falls due is known without asking the operator.
It must not know who asks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import sys
import time
from typing import Any, cast

import uvloop

_GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
_BACKLOG = 4096
_LONGEST_ORDER = 1 << 28


class Record:
    """Who answers badly, and the times; seconds of CLOCK_MONOTONIC by address."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.last_good: dict[str, float] = {}
        self.turned: dict[str, tuple[float | None, float]] = {}
        """Last good answer and first bad one, of those that broke since they were last told to."""

    def answer(self, address: str) -> bytes:
        """Give what this address answers now."""
        now = time.monotonic()
        if address in self.bad:
            if address not in self.turned:
                self.turned[address] = (self.last_good.get(address), now)
            return _BAD
        self.last_good[address] = now
        return _GOOD

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order: `break`, `heal` or `times`, each with a list of addresses."""
        for address in order.get("break", ()):
            self.bad.add(address)
            self.turned.pop(address, None)
        self.bad.difference_update(order.get("heal", ()))
        return {a: self.turned[a] for a in order.get("times", ()) if a in self.turned}


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class

    def data_received(self, data: bytes) -> None:
        """Answer a request, which is always small enough to come whole."""
        if data.endswith(b"\r\n\r\n"):
            address = self._transport.get_extra_info("sockname")[0]
            self._transport.write(self._record.answer(address))
            self._transport.close()


async def serve(control: str) -> None:
    """Serve for ever; the port stands on standard output."""
    record = Record()
    loop = asyncio.get_running_loop()
    # All addresses, for there is no asking for 127.0.0.0/8 alone.
    listener = socket.create_server(("0.0.0.0", 0), backlog=_BACKLOG)  # noqa: S104

    async def take_orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while line := await reader.readline():
                writer.write(json.dumps(record.obey(json.loads(line))).encode() + b"\n")
                await writer.drain()

    answers = await loop.create_server(lambda: Answering(record), sock=listener)
    orders = await asyncio.start_unix_server(take_orders, control, limit=_LONGEST_ORDER)
    print(listener.getsockname()[1], flush=True)
    async with answers, orders:
        await asyncio.Event().wait()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve(sys.argv[1]))
