"""The harness's own client: requests to the API server, and a watch that dates what it sees.

It must not know the operator, nor which figure is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

MERGE = "application/merge-patch+json"
_AT_ONCE = 16
_BAD_REQUEST = 400


class CallError(RuntimeError):
    """The API server refused a request of the harness."""


class NotReachedError(RuntimeError):
    """Something awaited did not come in time."""


class Api:
    """Requests as one user; an async context."""

    def __init__(self, server: str, token: str, ca_file: Path) -> None:
        self._server = server
        self._token = token
        self._ca_file = ca_file

    async def __aenter__(self) -> Self:
        """Connect."""
        trust = ssl.create_default_context(cafile=str(self._ca_file))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            headers={"Authorization": f"Bearer {self._token}", "User-Agent": "bench"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self._session.close()

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """Send one request and give the object it is answered with; raises CallError."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(
            method, self._server + path, data=data, headers=headers
        ) as answer:
            text = await answer.read()
            if answer.status >= _BAD_REQUEST:
                message = f"{method} {path}: {answer.status} {text.decode(errors='replace')}"
                raise CallError(message)
            return orjson.loads(text)

    async def annotate(self, paths: Iterable[str], name: str, value: str) -> None:
        """Change an annotation on many objects, a few at a time; each time is a change of its own.

        Args:
            paths: of the objects; one may stand there several times.
            name: of the annotation.
            value: what its value begins with; a number follows.
        """
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, path: str) -> None:
            body = {"metadata": {"annotations": {name: f"{value}-{number}"}}}
            async with free:
                await self.call("PATCH", path, body, MERGE)

        await asyncio.gather(*(one(number, path) for number, path in enumerate(paths)))

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """Yield the lines of a watch until the API server ends it."""
        async with self._session.get(self._server + path) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line


@dataclass(slots=True)
class SeenPod:
    """What the watch saw of one pod; times are CLOCK_MONOTONIC in seconds."""

    uid: str
    name: str
    address: str
    added: float
    ready: float | None
    """Since when it has been Ready without a break."""
    terminating: bool


@dataclass(slots=True)
class PodWatch:
    """The pods of one namespace; an async context. Times are those of the news' arrival.

    Attributes:
        pods: those there are, by UID.
        all: every pod ever seen, by UID.
        on_terminating: called once with each pod that begins to end.
    """

    api: Api
    namespace: str
    on_terminating: Callable[[SeenPod], None] = lambda _: None
    pods: dict[str, SeenPod] = field(default_factory=dict)
    all: dict[str, SeenPod] = field(default_factory=dict)
    ready_count: int = 0
    """Ready and not terminating."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    @property
    def path(self) -> str:
        """The collection."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    async def __aenter__(self) -> Self:
        """List, then watch."""
        listed = await self.api.call("GET", self.path)
        for pod in listed["items"]:
            self._take("ADDED", pod)
        version = listed["metadata"]["resourceVersion"]
        self._task = asyncio.create_task(self._follow(version))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def until(self, reached: Callable[[], bool], what: str, seconds: float) -> float:
        """Wait until something holds, looked at after each news; gives the time it was seen.

        Raises:
            NotReachedError: it did not in that many seconds.
        """
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._check()
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), 1)
        except TimeoutError:
            message = (
                f"not within {seconds:.0f} s: {what} ({len(self.pods)} pods, "
                f"{self.ready_count} ready)"
            )
            raise NotReachedError(message) from None
        return time.monotonic()

    def _check(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    async def _follow(self, version: str) -> None:
        while True:
            path = f"{self.path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}"
            async for line in self.api.lines(path):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    message = f"the harness's watch was ended: {event['object']}"
                    raise CallError(message)
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._take(event["type"], event["object"])
                    self._changed.set()

    def _take(self, kind: str, pod: dict[str, Any]) -> None:
        metadata, status = pod["metadata"], pod["status"]
        uid, now = metadata["uid"], time.monotonic()
        before = self.pods.pop(uid, None)
        if before is not None and _counts(before):
            self.ready_count -= 1
        if kind == "DELETED":
            self._note_end(before)
            return
        conditions = status.get("conditions", ())
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        since = (before and before.ready) or now
        found = SeenPod(
            uid=uid,
            name=metadata["name"],
            address=status.get("podIP", ""),
            added=before.added if before else now,
            ready=since if ready else None,
            terminating="deletionTimestamp" in metadata,
        )
        self.pods[uid] = self.all[uid] = found
        self.ready_count += _counts(found)
        if found.terminating:
            self._note_end(before)

    def _note_end(self, before: SeenPod | None) -> None:
        if before is not None and not before.terminating:
            self.on_terminating(before)


def _counts(pod: SeenPod) -> bool:
    return pod.ready is not None and not pod.terminating
