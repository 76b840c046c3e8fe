"""List and watch of one kind of object: keeps a sink in step with the API server, for ever.

The reader parses and hands over, and never waits for work: the API server cuts a slow watcher.
Must not know: what the objects are, or what is kept of them.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from scaleset_operator.adapters.cluster.connection import SILENCE_S, Call, Connection
from scaleset_operator.adapters.cluster.errors import Expired, cut, failure_of
from scaleset_operator.reconciler.ports import Conflict, Gone, Refused, Unavailable

log = logging.getLogger(__name__)

PAGE: Final = 100
"""Pages of 500 left 4 KiB more behind per instance of 5,000, and were no faster."""
WATCH_S: Final = 300
"""What the API server is asked to end a watch after; it sends a bookmark each minute."""
RELIST_AFTER_S: Final = 30 * 60
"""A net: between 15 and 30 minutes after a list, by chance, comes the next."""
OUT_OF_TOUCH_S: Final = 10.0
"""Cut off for longer, what we hold is no longer taken for the present (X-07), and a list, not a
watch from where we were, brings it back: then it is known to be whole at one moment."""
STEADY_S: Final = 2.0
"""A watch that stood so long, or that moved on, went well: the next opens at once."""

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 3.0
"""Below the 5 s after which all must be in order again once the API server is back."""
REFUSED_DELAY_S: Final = 30.0
"""A missing permission comes back by a person's hand."""

Json = Mapping[str, Any]


class Sink(Protocol):
    """What is told; no call may wait or fail."""

    def put(self, obj: Json) -> None:
        """An object as it stands."""

    def drop(self, obj: Json) -> None:
        """An object that is gone, as it last stood."""

    def listing(self) -> None:
        """A list is begun."""

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:
        """A list has ended: at this version only these (namespace, name) were there."""

    def reached(self, version: int) -> None:
        """All up to this version has been told; said after each change and bookmark."""

    def in_touch(self) -> None:
        """A watch stands, after a list or after another watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Clocks and chance, to be replaced in tests."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random  # noqa: S311 - spreads load, guards nothing
    relist_after: float = RELIST_AFTER_S


class Reflector:
    """One list and watch.

    Attributes:
        listed: whether a list has ever been taken in.
        refused: what the API server said when it last refused to be read; empty since a watch.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        sink: Sink,
        *,
        selector: str = "",
        fields: str = "",
        timing: Timing | None = None,
    ) -> None:
        """Prepares it; nothing is sent before `run`.

        Args:
            connection: the one that lists and watches go over.
            path: of the collection.
            sink: what is kept in step.
            selector: which objects by their labels; empty for all.
            fields: likewise by their fields.
            timing: clocks and chance.
        """
        self._connection = connection
        self._path = path
        self._sink = sink
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        self._query: dict[str, str | int] = {name: one for name, one in chosen.items() if one}
        self._timing = timing or Timing()
        self._version = 0
        self.listed = False
        self.refused = ""
        self._must_list = True
        self._relist_at = 0.0
        self._failures = 0
        self._cut_since: float | None = self._timing.monotonic()
        self._whole = False

    @property
    def in_touch(self) -> bool:
        """Whether the sink holds what the API server held a moment ago."""
        return self._whole and self.cut_for() <= OUT_OF_TOUCH_S

    def cut_for(self) -> float:
        """Seconds since the watch was last known to stand; 0 while it stands."""
        if self._cut_since is None:
            return 0.0
        return self._timing.monotonic() - self._cut_since

    async def run(self) -> None:
        """Lists and watches until cancelled, whatever happens."""
        while True:
            try:
                await self._round()
            except Expired:
                log.info("%s: the history is gone (410); listing anew", self._path)
                self._lost()
                await self._pause(0.0)
            except (Unavailable, Gone, Conflict) as fault:
                await self._pause(FIRST_DELAY_S, fault)
            except Refused as fault:
                self.refused = fault.message
                await self._pause(REFUSED_DELAY_S, fault)
            except Exception:
                log.exception("%s: the watch failed in an unforeseen way", self._path)
                self._lost()
                await self._pause(FIRST_DELAY_S)

    async def _round(self) -> None:
        if self.cut_for() > OUT_OF_TOUCH_S:
            self._lost()
        if self._must_list or self._timing.monotonic() >= self._relist_at:
            await self._list()
        begun, version = self._timing.monotonic(), self._version
        try:
            await self._watch()
        finally:
            if self._version > version or self._timing.monotonic() - begun >= STEADY_S:
                self._failures = 0
        if self._version == version and self._timing.monotonic() - begun < STEADY_S:
            message = "the watch ended as soon as it began"
            raise Unavailable(message)

    async def _list(self) -> None:
        self._sink.listing()
        names: set[tuple[str, str]] = set()
        version = 0
        async for page in pages(self._connection, self._path, self._query):
            version = int(page["metadata"]["resourceVersion"])
            for obj in spent(page["items"]):
                metadata = obj["metadata"]
                names.add((metadata.get("namespace", ""), metadata["name"]))
                self._sink.put(obj)
        self._sink.listed(frozenset(names), version)
        self.listed = True
        self._reached(version)
        self._must_list = False
        spread = self._timing.relist_after * (1 + self._timing.chance()) / 2
        self._relist_at = self._timing.monotonic() + spread

    async def _watch(self) -> None:
        query = self._query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": WATCH_S,
        }
        heard = self._timing.monotonic()
        try:
            async with self._connection.stream(self._path, query) as chunks:
                self._connected()
                heard = self._timing.monotonic()
                async for whole_lines in _lines(chunks):
                    heard = self._timing.monotonic()
                    self._take(whole_lines)
        finally:
            if self._cut_since is None:
                now = self._timing.monotonic()
                # A half-open stream was cut off when it fell silent, not when that was noticed.
                self._cut_since = heard if now - heard >= SILENCE_S else now

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            try:
                event = orjson.loads(_without_managed_fields(line))
            except orjson.JSONDecodeError as fault:
                message = f"the watch broke inside an event: {cut(str(fault))}"
                raise Unavailable(message) from fault
            self._take_event(event["type"], event["object"])

    def _take_event(self, kind: str, obj: Json) -> None:
        if kind in {"ADDED", "MODIFIED"}:
            self._sink.put(obj)
        elif kind == "DELETED":
            self._sink.drop(obj)
        elif kind == "ERROR":
            raise failure_of(obj, int(obj.get("code") or 0))
        self._reached(int(obj["metadata"]["resourceVersion"]))

    def _reached(self, version: int) -> None:
        self._version = version
        self._sink.reached(version)

    def _lost(self) -> None:
        """There is a gap in what we were told: only a list makes it whole."""
        self._whole, self._must_list = False, True

    def _connected(self) -> None:
        self._cut_since = None
        self.refused = ""
        self._whole = True
        self._sink.in_touch()

    async def _pause(self, delay: float, fault: Exception | None = None) -> None:
        """Waits longer with each failure in a row, by chance, and as long as the server said."""
        if self._failures == 0 and delay == 0.0:
            self._failures = 1
            return
        grown = max(delay, FIRST_DELAY_S) * 2.0 ** min(self._failures, 10)
        wait = min(grown, max(delay, LONGEST_DELAY_S)) * (1 + self._timing.chance()) / 2
        self._failures += 1
        if isinstance(fault, Unavailable):
            wait = max(wait, fault.retry_after)
        if fault is not None:
            level = logging.WARNING if self._failures == 1 else logging.DEBUG
            log.log(level, "%s: %s; again in %.1f s", self._path, cut(str(fault)), wait)
        await self._timing.sleep(wait)


async def pages(
    connection: Connection, path: str, query: Mapping[str, str | int]
) -> AsyncIterator[Json]:
    """The pages of a list, all of one moment; raises as `Connection.request`, and Expired."""
    token = ""
    while True:
        more: dict[str, str | int] = {"continue": token} if token else {}
        page = await connection.request(
            Call(method="GET", path=path, query={**query, "limit": PAGE, **more})
        )
        yield page
        token = page["metadata"].get("continue") or ""
        if not token:
            return


def spent(items: list[Json] | None) -> Iterator[Json]:
    """The objects of a page, each let go once it is used: their memory serves for the records."""
    items = items or []
    items.reverse()
    while items:
        yield items.pop()


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The whole lines of each chunk; raises Unavailable where the stream ends inside one."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield whole
    if rest:
        message = "the watch ended inside an event"
        raise Unavailable(message)


def _without_managed_fields(line: bytes) -> bytes:
    """An event without metadata.managedFields: a third of its bytes, and nothing we read.

    Both marks hold plain quotes, which a JSON string cannot, so they are found in the structure
    alone; the API server writes managedFields as the last field of the metadata.
    """
    begin = line.find(b',"managedFields":[')
    end = line.find(b']},"spec":{', begin) if begin >= 0 else -1
    return line if end < 0 else line[:begin] + line[end + 1 :]
