"""Whether what we hold is good enough to act on: in touch, and past our own last writes.

As a ReplicaSet's own cache does since Kubernetes 1.36 (KEP-5647): a set whose pods we have written
is not acted for before the watch is past the resourceVersion of the last of those writes.
Must not know: pods, or how the watch works.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from scaleset_operator.reconciler.ports import Key, Owner, Wake

EXPECTED_FOR_S: Final = 5 * 60.0
"""A write that never shows is given up after so long, as a ReplicaSet does."""


class _Expected(NamedTuple):
    key: Key
    version: int
    until: float


class Freshness:
    """Who waits for what; whoever asked too early is woken when it is worth asking again."""

    def __init__(self, wake: Wake, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wake = wake
        self._monotonic = monotonic
        self._expected: dict[str, _Expected] = {}
        self._waiting: set[Key] = set()

    def expect(self, owner: Owner, version: int) -> None:
        """A pod of the set was written, to this resourceVersion; the watch is not past it yet."""
        before = self._expected.get(owner.uid)
        if before is not None:
            version = max(version, before.version)
        until = self._monotonic() + EXPECTED_FOR_S
        self._expected[owner.uid] = _Expected(owner.key, version, until)

    def of(self, owner: Owner, *, in_touch: bool) -> bool:
        """Whether the set's view is fresh; if it is only out of touch, the set waits for that."""
        if not in_touch:
            self._waiting.add(owner.key)
            return False
        expected = self._expected.get(owner.uid)
        return expected is None or self._monotonic() >= expected.until

    def reached(self, version: int, *, scope: str) -> None:
        """The watch of one scope (a namespace, or empty for all) is past this version."""
        if not self._expected:
            return
        now = self._monotonic()
        for uid, expected in list(self._expected.items()):
            here = scope in ("", expected.key.namespace)
            if here and (expected.version <= version or expected.until <= now):
                del self._expected[uid]
                self._wake(expected.key)

    def in_touch(self, *, scope: str) -> None:
        """The watch of one scope stands again."""
        back = {key for key in self._waiting if scope in ("", key.namespace)}
        self._waiting -= back
        for key in back:
            self._wake(key)
