"""Whether the operator lives and whether it is ready, by facts that its parts leave to be seen.

Asked from another thread than the loop's, for a loop that is stuck answers nothing: so it only
reads single values, and its clock is not the loop's, which stands still with the loop.
Must not know: how a fact comes about, or who asks.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

BEAT_EVERY_S: Final = 0.5
LOOP_STUCK_S: Final = 30.0
"""A loop that is busy is late by a second or two; one that is stuck does not come back."""
TURNS_STUCK_S: Final = 120.0
"""Keys wait, and for so long neither did a turn end nor did the API server answer or fail: above
the 30 s that a request may take, so an API server that is away never looks like this."""
PROBER_LOST_S: Final = 120.0
"""The prober is replaced after 5 s without a heartbeat; if that has not helped for so long, a new
operator may."""
CUT_OFF_S: Final = 150.0
"""A watch that has been gone for so long is a matter for the readiness probe."""


class Check(NamedTuple):
    """One answer: whether it holds, and the numbers behind it.

    Attributes:
        told: also where everything holds and nobody asked for more.
    """

    name: str
    fine: bool
    detail: str
    told: bool = False


class Turns(Protocol):
    """A queue, as far as it can be seen from outside; times are those of time.monotonic.

    Attributes:
        beat: when it last looked round; 0 before it serves.
        moved: when a turn last began or ended; None before the first.
    """

    beat: float
    moved: float | None

    def oldest(self) -> float | None:
        """Since when the key that waits longest has waited; None when none does."""
        ...


class Api(Protocol):
    """The connection to the API server.

    Attributes:
        heard: when a request last ended, well or not, by time.monotonic.
    """

    heard: float | None


class PodWatch(Protocol):
    """The cache of the pods."""

    def cut_for(self) -> float | None:
        """Seconds since its watches stood, 0 while they do; None before the first lists."""
        ...


class Heart(Protocol):
    """The prober."""

    def silent_for(self) -> float | None:
        """Seconds since its last heartbeat, or since it was to be started; None before that."""
        ...

    def beating(self) -> bool:
        """Whether its heart beats."""
        ...


@dataclass(slots=True, kw_only=True)
class Vitals:
    """The two questions, asked of the parts there are so far.

    Attributes:
        queues: those whose turns must go on.
        tasks: by name, those that must not end.
        api: the connection; likewise `pods` and `prober`; None until it is there.
        leadership: how this replica stands, in words; None where it is the only one.
        resources_heard: whether all custom resources that there are have been heard of.
        monotonic: the clock, in seconds.
        beat: when the loop last went round.
    """

    queues: list[Turns] = field(default_factory=list)
    tasks: "dict[str, asyncio.Task[Any]]" = field(default_factory=dict)
    api: Api | None = None
    pods: PodWatch | None = None
    prober: Heart | None = None
    leadership: Callable[[], str] | None = None
    resources_heard: bool = False
    monotonic: Callable[[], float] = time.monotonic
    loop_stuck_s: float = LOOP_STUCK_S
    turns_stuck_s: float = TURNS_STUCK_S
    beat: float = field(init=False)

    def __post_init__(self) -> None:
        """Begins with a beat."""
        self.beat = self.monotonic()

    async def keep_beating(self) -> None:
        """Run on the loop that is watched, until cancelled."""
        while True:
            self.beat = self.monotonic()
            await asyncio.sleep(BEAT_EVERY_S)

    def hear_all(self) -> None:
        """All custom resources that there are have been heard of."""
        self.resources_heard = True

    def alive(self) -> list[Check]:
        """What only a new start would cure; an API server that is away is not of that kind."""
        return [self._loop(), self._turns(), self._prober(), self._parts()]

    def ready(self) -> list[Check]:
        """Whether it can do its work now."""
        cut_for = self.pods.cut_for() if self.pods is not None else None
        beats = self.prober is not None and self.prober.beating()
        return [
            *self.alive(),
            Check(
                "pods",
                cut_for is not None and cut_for < CUT_OFF_S,
                "not yet listed" if cut_for is None else f"watch gone for {cut_for:.1f} s",
            ),
            Check(
                "custom-resources",
                self.resources_heard,
                "all heard of" if self.resources_heard else "not all heard of yet",
            ),
            Check("probing", beats, f"the prober's heart {'beats' if beats else 'is silent'}"),
            *self._leadership(),
        ]

    def _leadership(self) -> list[Check]:
        """A standby is ready: for that it stands by."""
        if self.leadership is None:
            return []
        return [Check("leadership", fine=True, detail=self.leadership(), told=True)]

    def _loop(self) -> Check:
        beats = [self.beat, *(queue.beat for queue in self.queues if queue.beat)]
        late = self.monotonic() - min(beats)
        return Check("loop", late < self.loop_stuck_s, f"went round {late:.1f} s ago")

    def _turns(self) -> Check:
        now = self.monotonic()
        waiting = [at for at in (queue.oldest() for queue in self.queues) if at is not None]
        waits = now - min(waiting, default=now)
        heard = self.api.heard if self.api is not None else None
        moved = [at for at in (heard, *(queue.moved for queue in self.queues)) if at is not None]
        still = now - max(moved, default=now)
        detail = f"the oldest key waits for {waits:.1f} s; something moved {still:.1f} s ago"
        return Check("turns", min(waits, still) < self.turns_stuck_s, detail)

    def _prober(self) -> Check:
        silent = self.prober.silent_for() if self.prober is not None else None
        if silent is None:
            return Check("prober", fine=True, detail="not yet started")
        return Check("prober", silent < PROBER_LOST_S, f"last heartbeat {silent:.1f} s ago")

    def _parts(self) -> Check:
        ended = [name for name, task in list(self.tasks.items()) if task.done()]
        return Check("parts", not ended, f"ended: {', '.join(ended)}" if ended else "all run")
