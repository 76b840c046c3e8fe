"""What the API server wrote down of the requests it served: the only counter of API calls.

It knows the audit log's format; it must not know who is measured.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_REDIRECT = 300


class Request(NamedTuple):
    """One request that was answered; times in seconds of CLOCK_MONOTONIC."""

    user: str
    verb: str
    resource: str
    """With its subresource: `pods`, `pods/status`, `scalesets/status`."""
    namespace: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def is_write(self) -> bool:
        """Whether it changed something, or was refused trying; lease renewals left out."""
        return self.verb in WRITES and self.resource != "leases"

    @property
    def accepted(self) -> bool:
        """Whether it was answered with a success."""
        return self.code < _REDIRECT


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one API server; a mark is a place in it."""

    path: Path

    def mark(self) -> int:
        """Give the present end."""
        return self.path.stat().st_size

    def since(self, mark: int, user: str) -> list[Request]:
        """Give a user's requests written since the mark; dry runs are left out."""
        with self.path.open("rb") as log:
            log.seek(mark)
            lines = log.read().splitlines(keepends=True)
        offset = time.time() - time.monotonic()
        needle = user.encode()
        entries = (orjson.loads(line) for line in lines if line.endswith(b"\n") and needle in line)
        return [
            _request(entry, offset)
            for entry in entries
            if entry["user"]["username"] == user and "dryRun=" not in entry["requestURI"]
        ]


def _request(entry: dict[str, Any], offset: float) -> Request:
    target = entry.get("objectRef") or {}
    parts = (target.get("resource", ""), target.get("subresource"))
    return Request(
        user=entry["user"]["username"],
        verb=entry["verb"],
        resource="/".join(part for part in parts if part),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=int((entry.get("responseStatus") or {}).get("code", 0)),
        received=_seconds(entry["requestReceivedTimestamp"]) - offset,
        answered=_seconds(entry["stageTimestamp"]) - offset,
    )


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def writes(requests: Iterable[Request]) -> Counter[str]:
    """Count writes by `verb resource`."""
    return Counter(f"{r.verb} {r.resource}" for r in requests if r.is_write)
