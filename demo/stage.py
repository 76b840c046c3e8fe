"""The stage the acts play on: the cluster, the operator on it, and all that is seen of them.

Every wait goes through `until`, which takes in what the API server tells, keeps the books, lets
the narrators speak, and gives up in words. Must not know: which acts there are.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from demo.books import Books, Life
from demo.failure import DemoError
from demo.watching import Watches

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.screen import Screen
    from demo.venue import Venue

SET: Final = "demo"
"""The name of the ScaleSet in manifests/samples/demo-extended.yaml."""
WATCHED: Final = {
    "pods": "/api/v1/namespaces/default/pods",
    "sets": "/apis/scaleset.dev/v1alpha1/namespaces/default/scalesets",
}
_LOOK_EVERY_S: Final = 0.5


class Stage:
    """A running cluster with the operator, as the acts see it; inside the `with` block."""

    def __init__(self, screen: Screen, venue: Venue) -> None:
        self.screen = screen
        self.venue = venue
        self.cluster = venue.cluster
        self.operator = venue.operator
        self.endpoints = venue.endpoints
        self.books = Books()
        self.status: dict[str, Any] = {}
        """The set's status as seen last."""
        self.on_set: Callable[[], None] = lambda: None
        """Called after each change of the set."""
        self.on_pod: Callable[[Life], None] = lambda _: None
        """Called after each change of a pod."""
        self._watches = Watches(venue.cluster, WATCHED)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watches.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._watches.__exit__()

    def until(self, done: Callable[[], bool], *, within: float, what: str) -> None:
        """Take in what happens until something is so.

        Args:
            done: whether it is so; asked after each change, and twice a second.
            within: the longest to wait where pods are pretended, in seconds.
            what: what is waited for, to complete "waited in vain until ...".

        Raises:
            DemoError: it did not come about, or the operator ended, or a watch broke.
        """
        within *= self.venue.patience
        deadline = time.monotonic() + within
        while not done():
            self.operator.must_run()
            left = deadline - time.monotonic()
            if left <= 0:
                message = f"waited {within:.0f} s in vain until {what}"
                raise DemoError(message)
            self._take_next(min(left, _LOOK_EVERY_S))

    def watch_for(self, seconds: float) -> None:
        """Take in what happens for so long."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, within=math.inf, what="time passed")

    def stay(self) -> None:
        """Take in what happens until a signal ends it."""
        self.watch_for(math.inf)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """A condition of the set: status, reason and message, or three empty texts."""
        for found in self.status.get("conditions", []):
            if found["type"] == kind:
                return found["status"], found.get("reason", ""), found.get("message", "")
        return "", "", ""

    def moment(self, at: datetime) -> float:
        """A time of day as seconds on the screen's clock."""
        return self.screen.elapsed + (at - datetime.now(UTC)).total_seconds()

    def show(self, *words: str) -> None:
        """Run kubectl, and show the command and what it printed."""
        self.screen.command(f"kubectl {' '.join(words)}", self.cluster.kubectl(*words))

    def _take_next(self, timeout: float) -> None:
        seen = self._watches.next(timeout)
        if seen is None:
            return
        if seen.kind == "pods":
            life = self.books.take(seen.what, seen.body, seen.at)
            self.endpoints.follow(life)
            self.on_pod(life)
        elif seen.body["metadata"]["name"] == SET:
            self.status = seen.body.get("status", {})
            self.on_set()
