"""A webhook on loopback that answers as it is told to, and keeps what it was sent."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55/1/Announced",
    "type": "dev.scaleset.maintenance.Announced",
    "source": "/apis/scaleset.dev/v1alpha1/namespaces/shop/maintenancewindows/host-patch-nov",
    "subject": "host-patch-nov",
    "time": "2026-10-21T00:00:00Z",
    "datacontenttype": "application/json",
    "data": {"window": "host-patch-nov", "iteration": 1, "urgent": False, "message": None},
}


@dataclass
class Receiver:
    """What it answers, and what came.

    Attributes:
        port: where it listens.
        status: of each answer, with headers.
        held: answers wait for this.
    """

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    held: asyncio.Event | None = None
    came: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.came.append(request)
        self.bodies.append(await request.read())
        if self.held is not None:
            await self.held.wait()
        return web.Response(status=self.status, headers=self.headers, text="what it thinks of it")

    def events(self) -> list[Any]:
        return [orjson.loads(body) for body in self.bodies]


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        if receiver.held is not None:
            receiver.held.set()
        await runner.cleanup()
