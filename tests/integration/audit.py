"""What the API server itself wrote down: who asked for what, by its audit log.

Must not know what anybody should have asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_POD: Final = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request."""

    user: str
    verb: str
    group: str
    resource: str
    """With its subresource, as in `pods/status`."""
    namespace: str
    name: str
    code: int
    dry: bool
    at: datetime
    """When it was received."""
    pod: str
    """In which it was sent, where a token that is bound to a pod says so; else empty."""

    @property
    def writes(self) -> bool:
        """Whether it changes anything, or means to."""
        return self.verb in WRITES and not self.dry


class AuditLog:
    """The log of one API server, read from a mark on."""

    def __init__(self, path: Path, *, user: str = "operator") -> None:
        """Begins at the present end.

        Args:
            path: one JSON object a line.
            user: whose requests are told.
        """
        self._path = path
        self._user = user
        self._mark = 0
        self.mark()

    def mark(self) -> None:
        """From here on."""
        self._mark = self._path.stat().st_size

    def requests(self) -> list[Request]:
        """What the user has asked for since the mark, in order."""
        with self._path.open("rb") as file:
            file.seek(self._mark)
            whole, _, _ = file.read().rpartition(b"\n")
        return requests_in(whole.decode(), user=self._user)

    def writes(self, resource: str | None = None) -> list[Request]:
        """Of these, what changed something; of one resource only, where it is named."""
        return [r for r in self.requests() if r.writes and resource in {None, r.resource}]


def requests_in(log: str, *, user: str, since: datetime | None = None) -> list[Request]:
    """What a user has asked for, in order; with a time, only what came after it."""
    events = (json.loads(line) for line in log.splitlines())
    return [
        _request(event)
        for event in events
        if event["user"]["username"] == user and (since is None or _received(event) > since)
    ]


def _received(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["requestReceivedTimestamp"])


def _request(event: dict[str, Any]) -> Request:
    thing = event.get("objectRef") or {}
    part = thing.get("subresource")
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        group=thing.get("apiGroup", ""),
        resource=thing.get("resource", "") + (f"/{part}" if part else ""),
        namespace=thing.get("namespace", ""),
        name=thing.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        dry="dryRun=" in event.get("requestURI", ""),
        at=_received(event),
        pod=next(iter((event["user"].get("extra") or {}).get(_POD, ())), ""),
    )
