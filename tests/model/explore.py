"""Every state that can be reached, breadth first, and what must hold of each step on the way.

The first violation ends it, with the shortest way there. Must not know any single rule.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scaleset_operator.api.base import VMHealth
from tests.model.invariants import INVARIANTS, PATIENCE, WITHOUT_PERSONS
from tests.model.moves import Move, decided, look, moves, send
from tests.model.states import TICK, Operator, State, fingerprint, health_of, reported

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS_OF_A_TURN: Final = 12
SETTLED_EVERY: Final = 40
"""Of so many states one is followed until everything is in order."""


@dataclass(slots=True)
class Explored:
    """What came of one exploration.

    Attributes:
        complete: whether no state was left out for the depth or the number.
        checks: invariant -> how often a step could have broken it.
        violation: what is wrong, if anything, and `trace` how it came to that.
    """

    states: int = 0
    steps: int = 0
    depth: int = 0
    settled: int = 0
    complete: bool = True
    checks: Counter[str] = field(default_factory=Counter)
    violation: str | None = None
    trace: list[str] = field(default_factory=list)

    def story(self) -> str:
        """The violation and the way there, a line for each step."""
        steps = (f"  {number}. {step}" for number, step in enumerate(self.trace, 1))
        return "\n".join([self.violation or "nothing is wrong", *steps])


def explore(first: State, *, depth: int, most: int) -> Explored:
    """Visit every state up to a depth.

    Args:
        first: where it begins.
        depth: steps from there.
        most: states, after which it ends incomplete.
    """
    return _Explorer(first, depth, most).run()


class _Explorer:
    """One exploration: what was seen, how each state was come to, and what is still ahead."""

    def __init__(self, first: State, depth: int, most: int) -> None:
        self._depth = depth
        self._most = most
        persons = first.left("person") > 0
        self._wanted = [i for i in INVARIANTS if not (persons and i.name in WITHOUT_PERSONS)]
        self._came: dict[int, tuple[int, str]] = {fingerprint(first): (0, "")}
        self._ahead: deque[tuple[State, int, int]] = deque([(first, fingerprint(first), 0)])
        self._found = Explored(states=1)

    def run(self) -> Explored:
        """Until nothing is ahead, or something is wrong."""
        found = self._found
        while self._ahead and found.violation is None:
            state, came_from, so_deep = self._ahead.popleft()
            if so_deep >= self._depth or found.states >= self._most:
                found.complete = False
                continue
            for move in moves(state):
                found.steps += 1
                wrong = self._broken(state, move)
                if wrong is not None:
                    found.violation = wrong
                    found.trace = [*_way(self._came, came_from), move.name]
                    return found
                self._reach(move, came_from, so_deep + 1)
        return found

    def _broken(self, state: State, move: Move) -> str | None:
        for invariant in self._wanted:
            self._found.checks[invariant.name] += move.sent is not None or bool(state.debts)
            wrong = invariant.broken(state, move)
            if wrong is not None:
                return f"{invariant.name}: {wrong}"
        return None

    def _reach(self, move: Move, came_from: int, so_deep: int) -> None:
        reached = fingerprint(move.after)
        if reached in self._came:
            return
        found = self._found
        self._came[reached] = (came_from, move.name)
        self._ahead.append((move.after, reached, so_deep))
        found.states += 1
        found.depth = so_deep
        if found.states % SETTLED_EVERY:
            return
        found.settled += 1
        stuck = settles(move.after)
        if stuck is not None and found.violation is None:
            found.violation = f"it does not come to rest: {stuck}"
            found.trace = _way(self._came, reached)


def _way(came: dict[int, tuple[int, str]], reached: int) -> list[str]:
    names: list[str] = []
    while came[reached][1]:
        reached, name = came[reached]
        names.append(name)
    return names[::-1]


# --- Once nothing disturbs it any more -------------------------------------------------------


def settles(state: State) -> str | None:
    """What is not in order after all faults have stopped and everybody had time (liveness)."""
    state = replace(state, troubles=())
    wrong = "nothing was looked at"
    for _ in range(int(PATIENCE.total_seconds()) // TICK):
        state = _healed(state)
        for number in range(len(state.operators)):
            state = _turn(state, number)
        wrong = next(_disorder(state), "")
        if not wrong:
            return None
        state = replace(state, now=state.now + TICK)
    return wrong


def _healed(state: State) -> State:
    """What stops does so, and what starts is well."""
    for pod in state.pods:
        if pod.terminating:
            state = state.without(pod.name)
        elif pod.started is None:
            running = replace(pod, started=state.at(), containers_ready=True)
            state = state.with_pod(reported(running, VMHealth.HEALTHY, state.at()))
    return state


def _turn(state: State, number: int) -> State:
    """One operator's whole turn, after it has sent what it still had in hand."""
    while state.operators[number].hand:
        state = send(state, number, state.operators[number]).after
    operator: Operator = look(state, state.operators[number].idle())
    state = state.with_operator(number, operator)
    for _ in range(ROUNDS_OF_A_TURN):
        move = decided(state, number, state.operators[number])
        state = move.after
        operator = state.operators[number]
        while operator.hand:
            state = send(state, number, operator).after
            operator = state.operators[number]
        if operator == operator.idle():
            return state
    return state


def _disorder(state: State) -> Iterator[str]:
    status, wanted = state.set_view.status, state.set_view.wanted
    live = [p for p in state.pods if p.live]
    kept = [p for p in live if p.protected]
    if len(live) != max(wanted.replicas, len(kept)):
        yield f"{len(live)} of {wanted.replicas} live"
    for pod in live:
        # A protected one is left alone for as long as it is protected.
        if health_of(pod) is not VMHealth.HEALTHY and not pod.protected:
            yield f"{pod.name} is {health_of(pod)}"
        if pod.model != wanted.model:
            yield f"{pod.name} is of {pod.model}"
    if status.repairs.in_flight:
        yield f"in flight: {[e.instance for e in status.repairs.in_flight]}"
    if status.creating or status.scale_in:
        yield "names or victims are still recorded"
