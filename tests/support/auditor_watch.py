"""The auditor on a real API server: three watches, merged into one order of events.

Each watch runs in a thread of its own over raw HTTP. resourceVersions come from one counter, so
events of different kinds are sorted by them, after a hold that lets the slowest watch catch up. A
watch that breaks lists anew, and the deletes it missed are made up.
It imports nothing of the operator, and must not know any rule.
"""

import heapq
import http.client
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Final, Self

from tests.support.auditor import Auditor
from tests.support.kube_api import Api, ApiError, path_of

KINDS: Final = ("ScaleSet", "HealthProbe", "Pod")
HOLD_S: Final = 1.5
"""How far one watch may lag behind another."""
AGAIN_S: Final = 0.2
"""Between two attempts to reach an API server that is away."""
CATCH_UP_S: Final = 20.0
FIRST: Final = 0
LATER: Final = 1

Json = dict[str, Any]


class AuditorWatch:
    """Feeds an auditor while its `with` block lasts; on leaving, all that happened is judged.

    Attributes:
        auditor: the auditor; ask it after the block, or after `catch_up`.
    """

    def __init__(self, api: Api, *, namespace: str = "", auditor: Auditor | None = None) -> None:
        """Starts nothing yet.

        Args:
            api: a client that may list and watch; the auditor takes others like it, for itself.
            namespace: the one to audit; empty for all.
            auditor: to be fed; a new one when left out.
        """
        self.auditor = auditor or Auditor()
        self._api = api
        self._namespace = namespace
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._numbers = count()
        self._waiting: list[tuple[int, int, int, datetime, float, str, Json]] = []
        self._known: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS}
        self._threads: list[threading.Thread] = []
        self._apis: list[Api] = []

    def __enter__(self) -> Self:
        self._api = self._api.another()
        for kind in KINDS:
            self._list(self._api, kind, FIRST)
        self._start(self._feed, "feed")
        for kind in KINDS:
            self._start(partial(self._follow, kind), kind)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._stopping.is_set():
                self.catch_up()
        finally:
            self._stopping.set()
            for api in self._apis:
                api.hang_up()
            for thread in self._threads:
                thread.join(CATCH_UP_S)
            self._api.close()

    def catch_up(self) -> None:
        """Wait until everything that is in the API server now has been judged."""
        deadline = time.monotonic() + CATCH_UP_S
        while not all(self._has_all(kind) for kind in KINDS):
            assert time.monotonic() < deadline, "the auditor's watches do not catch up"
            self._stopping.wait(0.05)
        self._judge(hold=0.0)

    def _start(self, run: Callable[[], None], name: str) -> None:
        # Daemons: a test that is broken off must not wait for a watch.
        thread = threading.Thread(target=run, name=f"auditor {name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _has_all(self, kind: str) -> bool:
        path = path_of(kind, self._namespace)
        with suppress(OSError, http.client.HTTPException, ApiError):
            there = {raw["metadata"]["uid"]: _version(raw) for raw in self._api.items(path)}
            with self._lock:
                return there == {uid: _version(raw) for uid, raw in self._known[kind].items()}
        return False

    def _feed(self) -> None:
        while not self._stopping.wait(0.1):
            self._judge(hold=HOLD_S)

    def _judge(self, *, hold: float) -> None:
        """Hand over what is old enough, in the order of versions."""
        with self._lock:
            while self._waiting and self._waiting[0][4] <= time.monotonic() - hold:
                *_, at, _, verb, raw = heapq.heappop(self._waiting)
                self.auditor.see(verb, raw, max(at, self.auditor.now or at))

    def _follow(self, kind: str) -> None:
        """List and watch until the end, whatever happens to the API server."""
        api = self._api.another()
        self._apis.append(api)
        path = path_of(kind, self._namespace)
        version = ""
        while not self._stopping.is_set():
            try:
                version = version or self._list(api, kind, LATER)
                for event in api.watch(path, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._take(event["type"], kind, event["object"], LATER)
            except (OSError, http.client.HTTPException, ApiError, ValueError) as error:
                if isinstance(error, ApiError):
                    version = ""
                self._stopping.wait(AGAIN_S)
        api.close()

    def _list(self, api: Api, kind: str, phase: int) -> str:
        """Take in a list, and the deletes that were missed since the last."""
        answer = api.get(path_of(kind, self._namespace))
        version = str(answer["metadata"]["resourceVersion"])
        there = {raw["metadata"]["uid"]: raw for raw in answer["items"]}
        with self._lock:
            gone = [raw for uid, raw in self._known[kind].items() if uid not in there]
        for raw in gone:
            last = {**raw, "metadata": {**raw["metadata"], "resourceVersion": version}}
            self._take("DELETED", kind, last, phase)
        for uid, raw in there.items():
            self._take("MODIFIED" if uid in self._known[kind] else "ADDED", kind, raw, phase)
        return version

    def _take(self, verb: str, kind: str, raw: Json, phase: int) -> None:
        """One event goes into the queue, unless it is known already."""
        raw = {**raw, "kind": kind}
        uid, order = raw["metadata"]["uid"], phase * len(KINDS)
        with self._lock:
            known = self._known[kind].get(uid)
            if verb == "DELETED":
                self._known[kind].pop(uid, None)
            elif known is not None and _version(known) >= _version(raw):
                return
            else:
                self._known[kind][uid] = raw
            if phase == FIRST:
                order = KINDS.index(kind)
            item = (order, _version(raw), next(self._numbers))
            heapq.heappush(self._waiting, (*item, datetime.now(UTC), time.monotonic(), verb, raw))


def _version(raw: Json) -> int:
    return int(raw["metadata"]["resourceVersion"])
