"""What the loop tells of its work to whoever counts it. A port: it knows no way of counting.

Told after the fact, on the loop, and must not wait; nothing that is decided depends on it.
"""

from enum import StrEnum
from typing import Protocol

from scaleset_operator.api.ledger import RepairRecord
from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.core.plan import Purpose
from scaleset_operator.reconciler.ports import Key


class EvictionEnd(StrEnum):
    """What became of one call of the Eviction API."""

    ACCEPTED = "accepted"
    DISRUPTION_BUDGET = "disruption_budget"
    REFUSED = "refused"
    CHANGED = "changed"
    TOO_LATE = "too_late"
    UNAVAILABLE = "unavailable"


class Account(Protocol):
    """Takes note."""

    def repair_ended(self, key: Key, repair: RepairRecord) -> None:
        """The end of a repair was recorded in the status: told once for each, by who recorded."""
        ...

    def deleted(self, key: Key, purpose: Purpose) -> None:
        """The API server accepted a DELETE of ours, or the instance was gone already."""
        ...

    def evicted(self, key: Key, end: EvictionEnd) -> None:
        """An eviction was asked for; what was said to that."""
        ...

    def move_ended(self, key: Key, move: MaintenanceEntry) -> None:
        """The end of a move was recorded in the status: told once for each, by who recorded."""
        ...

    def forgotten(self, key: Key) -> None:
        """The set is gone, and with it all that was told of it."""
        ...


class NoAccount:
    """Nobody counts."""

    def repair_ended(self, key: Key, repair: RepairRecord) -> None:
        """See the port."""

    def deleted(self, key: Key, purpose: Purpose) -> None:
        """See the port."""

    def evicted(self, key: Key, end: EvictionEnd) -> None:
        """See the port."""

    def move_ended(self, key: Key, move: MaintenanceEntry) -> None:
        """See the port."""

    def forgotten(self, key: Key) -> None:
        """See the port."""
