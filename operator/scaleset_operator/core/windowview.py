"""What one decision sees of maintenance: announced windows that concern the set, and places held.

Values that an adapter fills in; nothing here chooses.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.windowledger import AnnouncedOccurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """One announced maintenance of one window that selects the set: the next one or the open one.

    Attributes:
        uid: of the window.
        announced: its times, absolute (M-23), its number and its share.
        updated_nodes: names of the nodes that bear the window's updatedNodeSelector.
        node_labels: that selector, in order.
        works_on_nodes: whether the window has nodeMaintenance: then only instances on `node` are
            taken in the scheduled window.
        node: that the window empties now; None while it empties none.
        turn: whether nothing of its pair stands against it: it is unpaired, or holds the turn.
        turn_reason: why it is not its turn: the partner's, or the two are no pair.
        turn_detail: whose turn it is instead, in words.
        live: whether window, pair and suspension were read live since the last record.
        deleted: the window is gone or being deleted: nothing new starts, what started is finished.
    """

    name: str
    uid: str
    impact: Impact
    announced: AnnouncedOccurrence
    pause_between: timedelta
    urgent: bool = False
    suspended: bool = False
    updated_nodes: frozenset[str] = frozenset()
    node_labels: tuple[tuple[str, str], ...] = ()
    node: str | None = None
    works_on_nodes: bool = False
    turn: bool = True
    turn_reason: Reason = Reason.PARTNER_ACTIVE
    turn_detail: str = ""
    live: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A placeholder, read live.

    Attributes:
        node: where the scheduler put it; None while it has not.
        refused: the scheduler's words, where it finds no node.
        since: when it was created.
    """

    name: str
    uid: str
    since: datetime
    node: str | None = None
    refused: str = ""
    terminating: bool = False
