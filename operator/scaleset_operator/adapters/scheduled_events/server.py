"""The server that instances ask: HTTP on a port of its own, by a thread and a loop of its own.

So nothing that is sent here keeps the operator's loop waiting. Must not know: what is answered.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from scaleset_operator.adapters.listening import (
    CannotListenError,
    ServingThread,
    listening_socket,
)
from scaleset_operator.adapters.scheduled_events.answers import (
    Answer,
    Code,
    Declined,
    Outcome,
    later,
    malformed,
)
from scaleset_operator.adapters.scheduled_events.desk import Asked
from scaleset_operator.adapters.scheduled_events.document import LARGEST_BODY
from scaleset_operator.adapters.scheduled_events.door import FAULT_S, Bounds, Door

TOLD_EVERY_S: Final = 60.0
"""A fault of ours is logged so often at most, however often somebody finds it."""
LINGER_S: Final = 1.0
"""For so long what is still coming is thrown away, so that whoever sends it reads the refusal."""
MOST_HEADERS: Final = 64
LONGEST_LINE: Final = 4_096
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
    "Server": "scaleset-operator",
}
_log = logging.getLogger(__name__)
_unheard = logging.Logger("unheard", logging.CRITICAL)  # noqa: LOG001 - nobody is to find it
"""Takes what the library says of bytes that are no HTTP: whoever sends them must not fill a log."""

Answering = Callable[[Asked], Awaitable[Answer]]


@dataclass(slots=True)
class _Visit:
    """A connection that was let in."""

    peer: str
    over: asyncio.TimerHandle | None = None
    outcome: Outcome = Outcome.UNREAD


class EventServer:
    """Serves until closed."""

    def __init__(
        self,
        address: str,
        port: int,
        answering: Answering,
        counted: Callable[[Outcome], None],
        bounds: Bounds | None = None,
    ) -> None:
        """Prepares it.

        Args:
            address: an IP literal; empty for all addresses of both families.
            port: 0 for any free one; afterwards the one that is served.
            answering: called on the server's own thread.
            counted: told how each connection ended, on the same.
            bounds: what there is room for.
        """
        self.port = port
        self._address = address
        self._answering = answering
        self._counted = counted
        self._bounds = bounds or Bounds()
        self._thread = ServingThread("scheduled events")
        self._visits: dict[web.RequestHandler, _Visit] = {}
        self._told = float("-inf")

    def start(self) -> None:
        """Begin to answer; returns once it does.

        Raises:
            CannotListenError: the port cannot be had; another would not be found by anybody.
        """
        try:
            listening = listening_socket(self._address, self.port)
        except OSError as fault:
            where = f"{self._address or 'any address'}, port {self.port}"
            message = f"scheduled events cannot be served on {where}: {fault}"
            raise CannotListenError(message) from fault
        self.port = listening.getsockname()[1]
        where = self._address or "all addresses"
        _log.info("scheduled events are served on port %d of %s", self.port, where)
        self._thread.start(lambda up, stop: self._serve(listening, up, stop))

    def close(self) -> None:
        """Answer no more; returns when the thread has ended, or after a few seconds."""
        self._thread.close()

    async def _serve(
        self, listening: socket.socket, up: Callable[[], None], stop: asyncio.Event
    ) -> None:
        door = Door(listening, self._bounds, lambda: self._counted(Outcome.TOO_OFTEN))
        server = _Server(self._handle, self._bounds.head_s, self._leaves(door))

        serving = asyncio.create_task(self._take_in(door, server))
        up()
        await stop.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        door.close()
        await server.shutdown(1.0)

    async def _take_in(self, door: Door, server: "_Server") -> None:
        """Whatever one connection does, the next one is taken in."""

        async def welcome(connection: socket.socket, peer: str) -> None:
            await self._let_in(server, connection, peer)

        while True:
            try:
                await door.serve(welcome)
            except Exception:  # noqa: BLE001 - nobody else would begin it again
                self._tell_fault("a connection for scheduled events could not be taken in")
                await asyncio.sleep(FAULT_S)

    async def _let_in(self, server: "_Server", connection: socket.socket, peer: str) -> None:
        loop = asyncio.get_running_loop()
        handler = server()
        visit = self._visits[handler] = _Visit(peer)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: handler, connection)
        except BaseException as fault:
            connection.close()
            server.leaves(handler)
            if not isinstance(fault, OSError):
                raise
            return
        if handler in self._visits:
            visit.over = loop.call_later(self._bounds.whole_s, transport.abort)

    def _leaves(self, door: Door) -> Callable[[web.RequestHandler], None]:
        def leaves(handler: web.RequestHandler) -> None:
            visit = self._visits.pop(handler, None)
            if visit is not None:
                if visit.over is not None:
                    visit.over.cancel()
                door.left(visit.peer)
                self._counted(visit.outcome)

        return leaves

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = self._visits[request.protocol]
        answer = await self._answer(request, visit.peer)
        visit.outcome = answer.outcome
        response = web.Response(
            body=answer.body, status=answer.status, headers={**_HEADERS, **answer.headers}
        )
        response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest, peer: str) -> Answer:
        try:
            body = await self._body(request)
            return await self._answering(_asked(request, peer, body))
        except Declined as declined:
            return declined.answer
        except Exception:  # noqa: BLE001 - whatever it is, the next one is answered
            self._tell_fault("a request for scheduled events failed in an unforeseen way")
            message = "the operator failed in an unforeseen way; its log says how"
            return later(Code.FAILED, message, outcome=Outcome.FAILED).answer

    def _tell_fault(self, words: str) -> None:
        """Log the fault that is being handled, with where it was."""
        if time.monotonic() - self._told > TOLD_EVERY_S:
            self._told = time.monotonic()
            _log.exception("%s", words)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if request.method != "POST":
            return b""
        try:
            async with asyncio.timeout(self._bounds.head_s):
                return await request.read()
        except web.HTTPRequestEntityTooLarge:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            message = f"the body is larger than {LARGEST_BODY} bytes"
            raise Declined(Outcome.MALFORMED, status, Code.BODY_TOO_LARGE, message) from None
        except TimeoutError:
            message = f"the body did not come within {self._bounds.head_s:g} s"
            raise malformed(Code.BODY, message) from None
        except (web.RequestPayloadError, ConnectionError) as fault:
            raise malformed(Code.BODY, f"the body cannot be read: {type(fault).__name__}") from None


class _Server(web.Server):
    """The library's, told when a connection is over, and with bounds on what it reads."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        head_s: float,
        leaves: Callable[[web.RequestHandler], None],
    ) -> None:
        super().__init__(
            handler,
            request_factory=self._bounded,
            access_log=None,
            logger=_unheard,
            keepalive_timeout=head_s,
            lingering_time=LINGER_S,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            auto_decompress=False,
        )
        self.leaves = leaves

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """See the library."""
        super().connection_lost(handler, exc)
        self.leaves(handler)

    def _bounded(
        self, message: Any, payload: Any, handler: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        return web.BaseRequest(
            message, payload, handler, writer, task, self._loop, client_max_size=LARGEST_BODY
        )


def _asked(request: web.BaseRequest, peer: str, body: bytes) -> Asked:
    with contextlib.suppress(ValueError):
        return Asked(
            peer=peer,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=body,
        )
    raise malformed(Code.URL, "the URL cannot be read")
