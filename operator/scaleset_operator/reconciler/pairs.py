"""Whose turn it is in a pair of windows: asked and given up by live reads (M-17).

Only the first of the two is written to. Decides nothing: `core.pairturn` does.
"""

import asyncio
from datetime import datetime

from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.calendar import active_window, occurrence_of
from scaleset_operator.core.pairing import first_of_pair, name_of, objection, partner_of
from scaleset_operator.core.pairturn import next_turn, wants
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.relocations import Relocations
from scaleset_operator.reconciler.resources import Resources


class Pairs:
    """Sees to the turns."""

    def __init__(self, resources: Resources, relocations: Relocations) -> None:
        self._resources = resources
        self._relocations = relocations

    async def turn_of(self, window: MaintenanceWindow, now: datetime) -> PairTurn | None:
        """The turn as it should stand in this window; None in one that holds it for nobody."""
        named = partner_of(window)
        if named is None or first_of_pair(window) != name_of(window):
            return None
        other = self._resources.window(Key(*named))
        turn = window.status.pair_turn
        sides = [window, *([other] if other is not None else [])]
        if objection(window, other) is not None:
            sides = []  # It is no pair: nobody begins, and who has begun is waited for.
        wanting = [side for side in sides if self._wants(side, now)]
        wanting.sort(key=lambda side: (_start(side, now), name_of(side)))
        names = ["/".join(name_of(side)) for side in wanting]
        at_rest = None
        if turn is not None and turn.state is PairState.RELEASING and turn.holder not in names:
            at_rest = await self._is_at_rest(turn.holder)
        return next_turn(turn, names, at_rest=at_rest, now=now)

    def _wants(self, window: MaintenanceWindow, now: datetime) -> bool:
        announced = window.status.announced
        phase = active_window(occurrence_of(announced[0]), now) if announced else ActiveWindow.NONE
        if window.status.node_work is not None:
            return True
        return wants(self._rows(window), phase, suspended=window.spec.suspend)

    def _rows(self, window: MaintenanceWindow) -> list[SetIteration]:
        name = window.metadata.name
        found = (known.resource.status.maintenance for known in self._resources.sets_of(window))
        return [row for said in found if said for row in said.iterations if row.window == name]

    async def _is_at_rest(self, holder: str) -> bool:
        """Whether no instance and no node is under the holder's maintenance, read live."""
        namespace, _, name = holder.partition("/")
        body = await self._relocations.read_window(Key(namespace, name)) or {}
        if (body.get("status") or {}).get("nodeWork"):
            return False
        known = self._resources.keys()
        keys = [key for key in known if key.namespace == namespace]
        read = await asyncio.gather(*(self._relocations.read_scale_set(key) for key in keys))
        said = (status.maintenance for status in read if status is not None)
        return not any(e.window == name for one in said if one for e in one.in_flight)


def _start(window: MaintenanceWindow, now: datetime) -> datetime:
    announced = window.status.announced
    return announced[0].start_time if announced else now
