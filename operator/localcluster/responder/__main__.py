"""`python -m localcluster.responder`: the process that answers for every pod of a cluster.

It opens the sockets and runs the loop; what is answered is decided elsewhere in this package.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import socket
from pathlib import Path

from localcluster.responder.answers import Connection, Lingering
from localcluster.responder.control import Control

try:
    import uvloop
except ImportError:  # slower, and otherwise the same
    new_event_loop = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop

_BACKLOG = 4096
_SWEEP_SECONDS = 0.5
_LONGEST_ORDER = 1 << 28


def listen(port: int, *, or_any: bool) -> socket.socket:
    """Listen on every address at this port, or, if it may be, at any free one.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(listener, port)
    except OSError:
        if not or_any:
            listener.close()
            raise
        _bind(listener, 0)
    return listener


def _bind(listener: socket.socket, port: int) -> None:
    # All addresses, for there is no asking for 127.0.0.0/8 alone; see Connection for the rest.
    listener.bind(("0.0.0.0", port))  # noqa: S104
    listener.listen(_BACKLOG)


async def serve(listener: socket.socket, control_path: Path) -> None:
    """Answer and take orders until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    control = Control()
    control.port = listener.getsockname()[1]
    lingering = Lingering()

    async def take_orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while line := await reader.readline():
                writer.write(control.carry_out(line))
                await writer.drain()

    answers = await loop.create_server(lambda: Connection(control, lingering), sock=listener)
    # Last: whoever reaches it may rely on the rest.
    orders = await asyncio.start_unix_server(take_orders, control_path, limit=_LONGEST_ORDER)
    # Both are held here: a server nobody refers to stops listening.
    with contextlib.closing(answers), contextlib.closing(orders):
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), _SWEEP_SECONDS)
            lingering.sweep()


def main() -> None:
    """Read the arguments, make room for many connections, and serve."""
    parser = argparse.ArgumentParser(prog="localcluster.responder", description=__doc__)
    parser.add_argument("--control", type=Path, required=True, help="path of the control socket")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="port to answer on")
    where.add_argument("--prefer", type=int, help="the same, but any free one if it is taken")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.port is None:
        listener = listen(arguments.prefer, or_any=True)
    else:
        listener = listen(arguments.port, or_any=False)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(listener, arguments.control))


if __name__ == "__main__":
    main()
