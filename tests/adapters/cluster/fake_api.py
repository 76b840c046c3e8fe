"""A scripted API server over real HTTP: answers, lists and watches exactly as the test says.

It must not know what the adapter makes of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web
from kubernetes.aio.client import Configuration

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS: Final = 4.0
PODS: Final = "/api/v1/pods"
NODES: Final = "/api/v1/nodes"
BUDGETS: Final = "/apis/policy/v1/poddisruptionbudgets"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


@dataclass(kw_only=True)
class Answer:
    """One answer; `wait_for` holds it back."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait_for: asyncio.Event | None = None


@dataclass(kw_only=True)
class Watch:
    """One watch: what it sends, and how it goes on after that.

    Attributes:
        then: `end` as a server does at its time, `cut` the connection, or `hold` it open.
    """

    events: list[dict[str, Any] | bytes] = field(default_factory=list)
    then: str = "hold"
    status: int = 200


class FakeApi:
    """The server.

    Attributes:
        requests: all that has arrived.
        lists: answers to lists, in order; with none left, an empty list at version 1.
        watches: answers to watches, in order; with none left, one that stays open and silent.
        nodes: what a list of the nodes gives.
        budgets: what a list of the PodDisruptionBudgets gives.
        forbidden: paths that answer 403.
        answers: method -> answers to all else, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lists: deque[Answer] = deque()
        self.watches: deque[Watch] = deque()
        self.answers: dict[str, deque[Answer]] = {}
        self.nodes: list[dict[str, Any]] = []
        self.budgets: list[dict[str, Any]] = []
        self.forbidden: set[str] = set()
        self._open: dict[str, web.StreamResponse] = {}
        self._runner: web.AppRunner | None = None
        self._ends: dict[str, asyncio.Event] = {}
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        for end in self._ends.values():
            end.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def connection(self) -> Connection:
        return Connection(Credentials(Configuration(host=self.url), kubeconfig=None))

    def answer(self, method: str, *answers: Answer) -> None:
        self.answers.setdefault(method, deque()).extend(answers)

    def of(self, method: str) -> list[Request]:
        """The requests of one method that are no list or watch of the views over all."""
        views = {PODS, NODES}
        return [r for r in self.requests if r.method == method and r.path not in views]

    @property
    def pod_lists(self) -> list[Request]:
        return [r for r in self.requests if r.path.endswith("/pods") and not r.is_watch]

    @property
    def pod_watches(self) -> list[Request]:
        return [r for r in self.requests if r.path.endswith("/pods") and r.is_watch]

    def watched(self, path: str) -> bool:
        """Whether a watch was ever opened there."""
        return path in self._open

    async def push(self, *events: dict[str, Any]) -> None:
        """Sends events on the pod watch that was opened last."""
        await self.push_at(PODS, *events)

    async def push_at(self, path: str, *events: dict[str, Any]) -> None:
        """Sends events on the watch that was opened last at a path."""
        await self._open[path].write(b"".join(map(line, events)))

    async def push_node(self, *events: dict[str, Any]) -> None:
        """Sends events on the node watch that was opened last."""
        await self.push_at(NODES, *events)

    async def end_watch(self) -> None:
        """Ends the pod watch that was opened last, as a server does at its time."""
        self._ends[PODS].set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        told = Request(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=orjson.loads(raw) if raw else None,
        )
        self.requests.append(told)
        if told.path in self.forbidden:
            no = {"kind": "Status", "reason": "Forbidden", "message": "forbidden to read these"}
            return await _give(Answer(body=no, status=403))
        if told.is_watch:
            return await self._watch(request)
        if told.method == "GET" and told.path == PODS and "limit" in told.query:
            return await _give(self.lists.popleft() if self.lists else Answer(body=listing(1)))
        if told.method == "GET" and told.path == NODES:
            return await _give(Answer(body=listing(1, *self.nodes)))
        if told.method == "GET" and told.path == BUDGETS:
            return await _give(Answer(body=listing(1, *self.budgets)))
        return await _give(self.answers[told.method].popleft())

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        pods = request.path == PODS
        script = self.watches.popleft() if pods and self.watches else Watch()
        response = web.StreamResponse(status=script.status)
        await response.prepare(request)
        end = asyncio.Event()
        self._ends[request.path] = end
        self._open[request.path] = response
        for one in script.events:
            await response.write(one if isinstance(one, bytes) else line(one))
        if script.then == "hold":
            await end.wait()
        if script.then == "cut" and request.transport is not None:
            request.transport.abort()
        return response


async def _give(answer: Answer) -> web.Response:
    if answer.wait_for is not None:
        await answer.wait_for.wait()
    body = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
    return web.Response(
        body=body, status=answer.status, headers=answer.headers, content_type="application/json"
    )


def line(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event) + b"\n"


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": obj}


def bookmark(version: int) -> dict[str, Any]:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


def error(code: int, **details: Any) -> dict[str, Any]:
    return event("ERROR", {"kind": "Status", "code": code, "message": "no", "details": details})


def listing(version: int, *pods: dict[str, Any], more: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(pods)}


async def until(holds: Callable[[], bool]) -> None:
    """Returns once it holds; the loop goes on meanwhile."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110 - what is waited for comes over a socket
            await asyncio.sleep(0.002)
