"""Candidates for one Lease in true time: each with a clock of its own, a slow network and freezes.

Everything random comes from one seed. The store is the API server's: a write on another version is
refused. It must not know what a candidate should do: it asks `core.election`.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from scaleset_operator.core.election import (
    NS,
    REQUEST_S,
    Candidate,
    Leave,
    Moment,
    Read,
    Seen,
    Standing,
    Wait,
    Write,
    has_failed,
    next_step,
    was_read,
    was_refused,
    was_written,
)

SLOWEST: Final = 0.9
FASTEST: Final = 1.1
"""How fast a machine's clock runs: far beyond what any does."""
START_AGAIN_S: Final = 1.0


Question = Callable[[], Seen | None]
Taken = Callable[..., Standing]


class Conflicting(Exception):  # noqa: N818 - a state, not a fault
    """Written in between."""


class LeaseStore:
    """The one Lease; versions grow by one."""

    def __init__(self) -> None:
        self.lease: Seen | None = None
        self._version = 0

    def write(self, wanted: Seen) -> Seen:
        present = "" if self.lease is None else self.lease.version
        if wanted.version != present:
            raise Conflicting
        self._version += 1
        self.lease = replace(wanted, version=str(self._version))
        return self.lease


class Weather:
    """What the network and the machines do to the candidates.

    Attributes:
        bad: whether anything goes wrong at all.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.bad = True

    def delay(self) -> float:
        """Of one way: mostly milliseconds, at times longer than a request may take."""
        if not self.bad or self._dice.random() < 0.9:
            return self._dice.uniform(0.001, 0.05)
        return self._dice.uniform(0.05, 6.0)

    def loses(self) -> bool:
        return self.bad and self._dice.random() < 0.03

    def freeze(self) -> float:
        """How long a process stands still now; mostly not at all."""
        if not self.bad or self._dice.random() < 0.95:
            return 0.0
        return self._dice.choice([0.5, 4.0, 11.0, 16.0, 16.0, 20.0])


class Machine:
    """One candidate after the other on one machine, as Kubernetes starts a pod's process again."""

    def __init__(self, arena: "Arena", name: str, dice: random.Random) -> None:
        self._arena = arena
        self._name = name
        self._offset = dice.uniform(0, 10**6)
        self._rate = dice.uniform(SLOWEST, FASTEST)
        self._lives = 0
        self._frozen_until = 0.0
        self._asked = 0
        self.standing = self._born()

    def _born(self) -> Standing:
        self._lives += 1
        return Standing(candidate=Candidate(identity=f"{self._name}_{self._lives}"))

    def clock(self) -> int:
        return round((self._offset + self._arena.now * self._rate) * NS)

    def believes(self) -> bool:
        """What its every write asks: also while it is frozen, and can write nothing."""
        until = self.standing.leads_until
        return until is not None and self.clock() < until

    def wake(self) -> None:
        """Take the next step, and the next, until it has to wait."""
        if self._stands_still(self.wake):
            return
        step = next_step(self.standing, Moment(at=self.clock(), stamp=f"{self._arena.now:.6f}"))
        match step:
            case Wait(until):
                self._arena.after((until - self.clock()) / NS / self._rate, self.wake)
            case Read():
                self._ask(self._arena.read, lambda found, was, now: was_read(was, found, now))
            case Write(lease):
                sent = self.clock()
                self._ask(
                    lambda: self._arena.store.write(lease),
                    lambda found, was, now: was_written(was, found, sent, now),
                )
            case Leave():
                self.standing = self._born()
                self._arena.after(START_AGAIN_S, self.wake)

    def _ask(self, question: Question, taken: Taken) -> None:
        """Send it; the answer, its absence, or the time-out comes later."""
        self._asked += 1
        number, weather = self._asked, self._arena.weather
        if not weather.loses():
            self._arena.after(weather.delay(), lambda: self._arrive(number, question, taken))
        self._arena.after(REQUEST_S / self._rate, lambda: self._take(number, has_failed))

    def _arrive(self, number: int, question: Question, taken: Taken) -> None:
        """At the API server: carried out, whether or not the answer finds its way back."""
        try:
            answer = question()
        except Conflicting:
            taken = was_refused
        else:
            taken = partial(taken, answer)
        weather = self._arena.weather
        if not weather.loses():
            self._arena.after(weather.delay(), lambda: self._take(number, taken))

    def _take(self, number: int, taken: Taken) -> None:
        """The first that comes back of a request counts; the rest finds nobody who waits."""
        if self._asked == number and not self._stands_still(lambda: self._take(number, taken)):
            self._asked += 1
            self.standing = taken(self.standing, self.clock())
            self.wake()

    def _stands_still(self, then: Callable[[], None]) -> bool:
        """Whether the process is stopped now; `then` comes when it goes on."""
        if self._arena.now >= self._frozen_until:
            frozen = self._arena.weather.freeze()
            if not frozen:
                return False
            self._frozen_until = self._arena.now + frozen
        self._arena.after(self._frozen_until - self._arena.now, then)
        return True


class Arena:
    """True time, in seconds, and everything that happens in it.

    Attributes:
        leaders: how many candidates believe to lead, after each thing that happened.
    """

    def __init__(self, seed: int, machines: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - chance, not secrets
        self.now = 0.0
        self.store = LeaseStore()
        self.weather = Weather(dice)
        self._things: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self.machines = [Machine(self, f"m{number}", dice) for number in range(machines)]
        for machine in self.machines:
            self.after(dice.uniform(0, 3), machine.wake)

    def read(self) -> Seen | None:
        return self.store.lease

    def after(self, seconds: float, thing: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._things, (self.now + max(seconds, 0.0), self._order, thing))

    def believers(self) -> list[str]:
        return [m.standing.candidate.identity for m in self.machines if m.believes()]

    def run_until(self, end: float, look: Callable[[], None]) -> None:
        """Let time pass; `look` asserts after each thing."""
        while self._things and self._things[0][0] <= end:
            self.now, _, thing = heapq.heappop(self._things)
            thing()
            look()
        self.now = end
        look()
