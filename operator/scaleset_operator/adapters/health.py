"""Answers /healthz and /readyz: whether the loop takes turns, and whether it sees the cluster."""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

_log = logging.getLogger(__name__)


class HealthServer:
    """A small server on one port; if that is taken, on a free one, which is logged."""

    def __init__(self, port: int, alive: Callable[[], bool], ready: Callable[[], bool]) -> None:
        self._wanted = port
        self._runner = web.AppRunner(_app(alive, ready), access_log=None)
        self.port = port

    async def start(self) -> None:
        """Begin to answer."""
        await self._runner.setup()
        try:
            await self._listen(self._wanted)
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
            await self._listen(0)
            _log.warning("port %d is taken; health is answered on %d", self._wanted, self.port)

    async def _listen(self, port: int) -> None:
        bound = _bound(port)
        self.port = bound.getsockname()[1]
        await web.SockSite(self._runner, bound).start()

    async def close(self) -> None:
        """Answer no more."""
        await self._runner.cleanup()


def _bound(port: int) -> socket.socket:
    """One socket for both families of addresses: of two, each would get a free port of its own."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as fault:
            if fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("", port))


def _app(alive: Callable[[], bool], ready: Callable[[], bool]) -> web.Application:
    app = web.Application()
    app.router.add_get("/healthz", _page(alive))
    app.router.add_get("/readyz", _page(ready))
    return app


def _page(holds: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        fine = holds()
        return web.Response(text="ok\n" if fine else "no\n", status=200 if fine else 503)

    return answer
