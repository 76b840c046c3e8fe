"""What instances are told, followed write by write: the incarnation rises with it and with nothing.

Makes the document of its own from the ledger as it stands on the wire. Must not know how the
operator makes its.
"""

from dataclasses import dataclass, field
from typing import Any

from scaleset_operator.rehearsal.api_server import Change, FakeApiServer

Told = list[tuple[str, str, str]]
"""(instance, UID, deadline) of each notice that was given and is not carried out, and the like of
each maintenance that is ahead or under way."""


@dataclass
class Documents:
    """The documents of all sets, as of the last write of each status.

    Attributes:
        changes: how many changes of a document there were.
        fouls: what must not be.
    """

    server: FakeApiServer
    changes: int = 0
    fouls: list[str] = field(default_factory=list)
    _last: dict[str, tuple[Told, int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.server.subscribe(self._see)

    def _see(self, change: Change) -> None:
        if change.key.kind != "ScaleSet" or change.verb == "DELETED":
            return
        found = change.manifest()
        status: dict[str, Any] = found.get("status") or {}
        told, number = told_by(status), status.get("scheduledEventsIncarnation")
        before, last = self._last.get(found["metadata"]["uid"], ([], None))
        self._last[found["metadata"]["uid"]] = (told, number)
        if told == before:
            if number != last:
                self.fouls.append(f"{last} became {number}, and {told} was told before")
            return
        self.changes += 1
        if number is None or number <= (last or 0):
            self.fouls.append(f"{before} became {told}, and {last} became {number}")


def told_by(status: dict[str, Any]) -> Told:
    """What is told with this status, in a fixed order."""
    entries = (status.get("repairs") or {}).get("inFlight") or ()
    notices = [
        (entry["instance"], entry["uid"], entry["terminateAt"])
        for entry in entries
        if entry["phase"] == "Notified" and entry.get("terminateAt")
    ]
    return sorted([*notices, *maintenance_told(status.get("maintenance") or {})])


def maintenance_told(ledger: dict[str, Any]) -> Told:
    """Iterations that go on, instances whose maintenance was begun, and how far each is."""
    rows = [row for row in ledger.get("iterations") or () if not row.get("stopped")]
    names = ("preStartTime", "preEndTime", "startTime")
    ahead = [("ahead", row["mark"], str([row.get(name) for name in names])) for row in rows]
    moves = ledger.get("inFlight") or ()
    begun = [(move["instance"], "begun", move["mark"]) for move in moves]
    waiting = ("Recorded", "Placed", "Leaving")
    steps = [
        (move["instance"], move.get("successorUID") or move["uid"], str(move["phase"] in waiting))
        for move in moves
        if move["phase"] != "Ending"
    ]
    return [*ahead, *begun, *steps]
