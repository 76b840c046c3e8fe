"""One operator over virtual time: turns are taken when something changed or is due, and only then.

A stretch in which nothing changes is one step, however long. Must not know: what is decided, or why
anything changes.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.reconciler.noting import NotedCluster, NotedRelocations
from scaleset_operator.reconciler.ports import Key, Probes, Unavailable
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.turn import Reconciler
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.relocations import FakeRelocations
from scaleset_operator.rehearsal.resources import Raw
from scaleset_operator.rehearsal.revisions import FakeRevisions, RevisionBook

RETRY: Final = timedelta(seconds=1)
"""A turn that could not be taken is tried again after so long at least."""
MOST_TURNS: Final = 200
"""Turns of one set at one moment; more would go on without end."""

Turn = Callable[[Key], Awaitable[datetime | None]]
NextChange = Callable[[], datetime | None]


class Loop:
    """The operator, as its queue would run it.

    Attributes:
        turns: how many have been taken.
        turn: takes one.
        noted: the cluster as its turns have it.
        arrived: called when time has come to a moment, before turns are taken.
        settled: called when all turns of a moment have been taken.
        hear_windows: takes in the windows that the watches show.
    """

    def __init__(
        self,
        client: FakeCluster,
        probes: Probes,
        next_change: NextChange,
        note: Callable[[Act], None],
    ) -> None:
        """Starts it; it knows nothing yet.

        Args:
            client: of the cluster; it wakes this loop from now on.
            probes: its prober.
            next_change: when the prober has news next.
            note: told of each act.
        """
        self.turns = 0
        self.arrived: Callable[[], None] = lambda: None
        self.settled: Callable[[], None] = lambda: None
        self.hear_windows: Callable[[], None] = self._hear_windows
        self.resources = Resources()
        self.history = RevisionBook()
        self._clock = client.server.clock
        self._next_change = next_change
        self._client = client
        client.view.wake = self.wake
        self.noted = NotedCluster(self._client, self._clock, self._status, note)
        self.reconciler = Reconciler(
            resources=self.resources,
            cluster=self.noted,
            probes=probes,
            clock=self._clock,
            revisions=FakeRevisions(self.history, self._client.wire),
            relocations=NotedRelocations(FakeRelocations(self._client), self.noted),
        )
        self.turn: Turn = self.reconciler.turn
        self._ready: dict[Key, None] = {}
        self._due: dict[Key, datetime] = {}

    def wake(self, key: Key) -> None:
        """Have a turn taken for this set at this moment."""
        self._ready[key] = None

    def wake_all(self) -> None:
        """The same for every set."""
        self._ready.update(dict.fromkeys(self.resources.keys()))

    async def take(self, key: Key) -> None:
        """Take one turn of one set, whatever else is due."""
        self._hear()
        await self._turn(key)

    async def run_until(self, end: datetime) -> None:
        """Let time pass until then, from one moment at which something changes to the next."""
        await self._settle()
        while (moment := self._next_moment()) is not None and moment <= end:
            self._clock.advance_to(max(moment, self._clock.now()))
            self._arrive()
            await self._settle()
        self._clock.advance_to(end)

    async def _settle(self) -> None:
        """Take turns until nothing is left to be done at this moment."""
        taken: dict[Key, int] = {}
        self._hear()
        while self._ready:
            key = next(iter(self._ready))
            del self._ready[key]
            taken[key] = taken.get(key, 0) + 1
            assert taken[key] < MOST_TURNS, f"{key}: turns without end at {self._clock.now()}"
            await self._turn(key)
            self._hear()
        self.settled()

    def _next_moment(self) -> datetime | None:
        """When something is due or changes; None when nothing ever does by itself."""
        moments = [
            self._clock.next_timer(),
            self._client.view.next_arrival(),
            self._next_change(),
            *self._due.values(),
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    def _arrive(self) -> None:
        """It has become this late: what was due is to be done."""
        self.arrived()
        now = self._clock.now()
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
            self.wake(key)

    async def _turn(self, key: Key) -> None:
        self.turns += 1
        now = self._clock.now()
        try:
            again = await self.turn(key)
        except Unavailable as fault:
            again = now + max(RETRY, timedelta(seconds=fault.retry_after))
        self._due.pop(key, None)
        if again is not None:
            # What is due at once is due a moment later, so that time goes on.
            self._due[key] = max(again, now + timedelta(milliseconds=1))

    def _hear(self) -> None:
        """Take in what the watches show, and wake whom it concerns."""
        view = self._client.view
        view.sync()
        for key, body in view.health_probes().items():
            known = self.resources.probe(key)
            if known is None or known.metadata.resource_version != _version(body):
                self.resources.put_probe(body)
                self.wake_all()
        self.hear_windows()
        there = view.scale_sets()
        for key in set(self.resources.keys()) - there.keys():
            self.resources.drop_scale_set(key)
            self.wake(key)
        for key, body in there.items():
            heard = self.resources.scale_set(key)
            if heard is None or heard.resource.metadata.resource_version != _version(body):
                self.resources.put_scale_set(body)
                self.wake(key)

    def _hear_windows(self) -> None:
        there = self._client.view.windows()
        for key in set(self.resources.window_keys()) - there.keys():
            self.resources.drop_window(key)
            self.wake_all()
        for key, body in there.items():
            known = self.resources.window(key)
            if known is None or known.metadata.resource_version != _version(body):
                self.resources.put_window(body)
                self.wake_all()

    def _status(self, key: Key) -> ScaleSetStatus:
        known = self.resources.scale_set(key)
        return ScaleSetStatus() if known is None else known.resource.status


def _version(body: Raw) -> str:
    return str(body["metadata"]["resourceVersion"])
