"""Whose turn it is in a pair of windows: taken and given up by live reads (M-17).

Only the first of the two is written to. Decides nothing: `core.pairturn` does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.calendar import active_window, occurrence_of
from scaleset_operator.core.pairing import first_of_pair, name_of, objection, partner_of
from scaleset_operator.core.pairturn import needs_look, next_turn, pair_of, turn_for, wants
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.relocations import Relocations
from scaleset_operator.reconciler.resources import Resources


class Seen(NamedTuple):
    """What a window's turn is handed back.

    Attributes:
        turn: as it should stand in this window; None in one that holds it for nobody.
        waits: whether somebody under maintenance is waited for: nothing else may tell the end.
    """

    turn: PairTurn | None = None
    waits: bool = False


class Pairs:
    """Sees to the turns."""

    def __init__(self, resources: Resources, relocations: Relocations) -> None:
        self._resources = resources
        self._relocations = relocations

    def unheard(self, window: MaintenanceWindow) -> bool:
        """Whether its partner may be there all the same: not every window was heard of yet."""
        named = partner_of(window)
        known = named is None or self._resources.window(Key(*named)) is not None
        return not (known or self._resources.windows_heard)

    async def look(self, window: MaintenanceWindow, now: datetime) -> Seen:
        """Say whose turn it is."""
        named = partner_of(window)
        if named is None or first_of_pair(window) != name_of(window):
            return Seen()
        other = self._resources.window(Key(*named))
        if other is None or objection(window, other) is not None:
            return Seen()  # It is no pair: nobody begins, and who has begun is finished.
        pair, sides = pair_of(window, other), (window, other)
        turn = turn_for(window.status.pair_turn, pair)
        wanting = [side for side in sides if self._wants(side, now)]
        wanting.sort(key=lambda side: (_start(side, now), name_of(side)))
        names = ["/".join(name_of(side)) for side in wanting]
        busy = None
        if needs_look(turn, names):
            busy = await self._busy([Key(*name_of(side)) for side in sides])
        turn = next_turn(turn, names, pair=pair, busy=busy, now=now)
        held = turn is not None and turn.state is PairState.HELD
        return Seen(turn, waits=bool(busy) and not held)

    def _wants(self, window: MaintenanceWindow, now: datetime) -> bool:
        announced = window.status.announced
        phase = active_window(occurrence_of(announced[0]), now) if announced else ActiveWindow.NONE
        if window.status.node_work is not None:
            return True
        held = window.spec.suspend or window.metadata.deletion_timestamp is not None
        return wants(self._rows(window), phase, held=held)

    def _rows(self, window: MaintenanceWindow) -> list[SetIteration]:
        name = window.metadata.name
        found = (known.resource.status.maintenance for known in self._resources.sets_of(window))
        return [row for said in found if said for row in said.iterations if row.window == name]

    async def _busy(self, windows: Sequence[Key]) -> set[str]:
        """Those with an instance or a node under their maintenance, read live."""
        there = {key.namespace: frozenset[str]() for key in windows}
        for namespace in there:
            there[namespace] = await self._relocations.windows_at_work(namespace)
        return {
            "/".join(key)
            for key in windows
            if key.name in there[key.namespace] or await self._works_on_a_node(key)
        }

    async def _works_on_a_node(self, key: Key) -> bool:
        body = await self._relocations.read_window(key) or {}
        return bool((body.get("status") or {}).get("nodeWork"))


def _start(window: MaintenanceWindow, now: datetime) -> datetime:
    announced = window.status.announced
    return announced[0].start_time if announced else now
