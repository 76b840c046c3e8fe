"""Answers /healthz and /readyz: whether the loop takes turns, and whether it sees the cluster."""

import errno
import logging
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
        site = web.TCPSite(self._runner, port=port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Answer no more."""
        await self._runner.cleanup()


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
