"""What a rehearsal looked like: each instance's states, and the set's figures, as they changed.

Watches the server and chooses nothing. Must not know: who reads it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from scaleset_operator.api.base import CONDITION_HEALTHY
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.objects import FakePod


class State(StrEnum):
    """How an instance looks from outside."""

    STARTING = "Starting"
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"
    LEAVING = "Leaving"
    GONE = "Gone"


_BY_CONDITION: Final = {
    "True": State.HEALTHY,
    "False": State.UNHEALTHY,
    "Unknown": State.UNKNOWN,
}


class Frame(NamedTuple):
    """An instance's state from a moment on."""

    at: datetime
    state: State


@dataclass(frozen=True, slots=True)
class Figures:
    """The set's figures from a moment on.

    Attributes:
        in_flight: repairs in the ledger.
        allowance: how many may be.
    """

    at: datetime
    desired: int
    healthy: int
    in_flight: int
    allowance: int


class Film:
    """Of one set.

    Attributes:
        instances: name -> its states, oldest first, in the order in which they came.
        figures: oldest first.
    """

    def __init__(self, server: FakeApiServer, key: Key) -> None:
        self.key = key
        self.instances: dict[str, list[Frame]] = {}
        self.figures: list[Figures] = []
        self._desired = self._in_flight = self._allowance = 0
        self._has_source = True
        self._server = server
        server.subscribe(self._see)

    def now(self) -> Counter[State]:
        """How many instances are in each state."""
        return Counter(frames[-1].state for frames in self.instances.values())

    def _see(self, change: Change) -> None:
        if change.key.namespace != self.key.namespace:
            return
        if isinstance(change.stored, FakePod):
            self._see_pod(change.at, change.verb, change.stored)
        elif change.key.kind == "ScaleSet" and change.key.name == self.key.name:
            body = change.manifest()
            repairs = (body.get("status") or {}).get("repairs") or {}
            self._desired = body["spec"].get("replicas", 0)
            sources = ("healthProbeRef", "applicationHealth")
            self._has_source = any(body["spec"].get(source) for source in sources)
            self._in_flight = len(repairs.get("inFlight") or ())
            self._allowance = repairs.get("batchLimit") or 0
            self._add(change.at)

    def _see_pod(self, at: datetime, verb: str, pod: FakePod) -> None:
        if pod.controller is None or pod.controller.name != self.key.name:
            return
        state = State.GONE if verb == "DELETED" else self._state(pod)
        frames = self.instances.setdefault(pod.name, [])
        if not frames or frames[-1].state is not state:
            frames.append(Frame(at, state))
            self._add(at)

    def _state(self, pod: FakePod) -> State:
        """Without a verdict yet it is starting; without a source its readiness is all there is."""
        if pod.terminating:
            return State.LEAVING
        if pod.over:
            return State.UNHEALTHY
        condition = pod.conditions.get(CONDITION_HEALTHY)
        if condition is not None:
            return _BY_CONDITION[condition.status]
        return State.HEALTHY if pod.ready and not self._has_source else State.STARTING

    def _add(self, at: datetime) -> None:
        healthy = self.now()[State.HEALTHY]
        figures = Figures(at, self._desired, healthy, self._in_flight, self._allowance)
        if self.figures and self.figures[-1].at == at:
            self.figures[-1] = figures
        else:
            self.figures.append(figures)
