"""The pages /healthz, /readyz, /metrics and /vantage: one port, and a thread of their own.

A stuck loop of the operator must show on them, so they cannot wait for it.
Must not know: what is checked or measured.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from scaleset_operator.adapters.listening import (
    CannotListenError,
    ServingThread,
    listening_socket,
)
from scaleset_operator.adapters.vantage.exchange import LARGEST_QUESTION
from scaleset_operator.adapters.vantage.peer import PATH
from scaleset_operator.adapters.vitals import Check

_GRACE_S: Final = 1.0
_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is answered; called on the server's own thread.

    Attributes:
        alive: for /healthz.
        ready: for /readyz.
        measured: for /metrics: from an Accept header to the body and its content type.
        asked: for /vantage: from another replica's question to the answer; None refuses it.
    """

    alive: Callable[[], Sequence[Check]]
    ready: Callable[[], Sequence[Check]]
    measured: Callable[[str], tuple[bytes, str]]
    asked: Callable[[bytes], bytes | None] = lambda _: None


class PageServer:
    """Serves the pages on one port; if that is taken, on a free one, which is logged."""

    def __init__(self, address: str, port: int, pages: Pages) -> None:
        """Prepares it.

        Args:
            address: an IP literal; empty for all addresses of both families.
            port: 0 for any free one; afterwards the one that is served.
            pages: what is answered.
        """
        self._address = address
        self.port = port
        self._pages = pages
        self._thread = ServingThread("pages")

    def start(self) -> None:
        """Begin to answer; returns once it does.

        Raises:
            CannotListenError: for another reason than that the port is taken.
        """
        bound = self._bind()
        self._thread.start(lambda up, stop: self._serve(bound, up, stop))

    def close(self) -> None:
        """Answer no more; returns when the thread has ended, or after a few seconds."""
        self._thread.close()

    def _bind(self) -> socket.socket:
        wanted = self.port
        try:
            try:
                bound = listening_socket(self._address, wanted)
            except OSError as fault:
                if fault.errno != errno.EADDRINUSE:
                    raise
                bound = listening_socket(self._address, 0)
        except OSError as fault:
            where = f"{self._address or 'any address'}, port {wanted}"
            message = f"metrics and health cannot be served on {where}: {fault}"
            raise CannotListenError(message) from fault
        self.port = bound.getsockname()[1]
        where = self._address or "all addresses"
        if wanted not in (0, self.port):
            words = "port %d is taken; metrics and health are served on port %d of %s"
            _log.warning(words, wanted, self.port, where)
        else:
            _log.info("metrics and health are served on port %d of %s", self.port, where)
        return bound

    async def _serve(
        self, bound: socket.socket, up: Callable[[], None], stop: asyncio.Event
    ) -> None:
        runner = web.AppRunner(_app(self._pages), access_log=None, shutdown_timeout=_GRACE_S)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        up()
        await stop.wait()
        await runner.cleanup()


def _app(pages: Pages) -> web.Application:
    app = web.Application(client_max_size=LARGEST_QUESTION)
    app.router.add_get("/healthz", _checked(pages.alive))
    app.router.add_get("/readyz", _checked(pages.ready))
    app.router.add_get("/metrics", _measured(pages.measured))
    app.router.add_post(PATH, _asked(pages.asked))
    return app


def _checked(checks: Callable[[], Sequence[Check]]) -> Handler:
    """A page that is 200 where every check holds, else 503; with ?verbose all of them as JSON."""

    async def answer(request: web.Request) -> web.StreamResponse:
        found = checks()
        broken = [check for check in found if not check.fine]
        status = 503 if broken else 200
        if "verbose" in request.query:
            rows = [{"name": c.name, "ok": c.fine, "detail": c.detail} for c in found]
            body = orjson.dumps({"ok": not broken, "checks": rows}, option=orjson.OPT_INDENT_2)
            return web.Response(body=body + b"\n", content_type="application/json", status=status)
        lines = [f"no: {check.name}: {check.detail}\n" for check in broken] or ["ok\n"]
        lines += [f"{check.name}: {check.detail}\n" for check in found if check.told]
        return web.Response(text="".join(lines), status=status)

    return answer


def _asked(asked: Callable[[bytes], bytes | None]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = asked(await request.read())
        return (
            web.Response(status=HTTPStatus.FORBIDDEN) if body is None else web.Response(body=body)
        )

    return answer


def _measured(measured: Callable[[str], tuple[bytes, str]]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        body, content_type = measured(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return answer
