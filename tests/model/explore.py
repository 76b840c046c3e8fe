"""Every state that can be reached, breadth first, and what must hold of each step on the way.

The first violation ends it, with the shortest way there. Must not know any single rule.

What makes it small enough to be whole, and why nothing is lost by it:

- `decide` is a pure function: it is asked once for each view and moment (`thought`).
- Its answer is worked out when an answer of the API server arrives, and again at any later moment
  as long as no request was sent since (`turns`). Between two ticks it depends on nothing that
  another could change, so when it is worked out cannot be told; and every later one is there.
- What only reports is left out of the status; that no decision rests on it is tested. So a report
  is no write. A conflict that it would have caused ends a turn in which nothing was sent, and that
  is a turn which was not begun.
- A version is the content that it is of, for pods and for the set. Writes that undo each other give
  the old version again: whatever passes a fence on the real server passes here, and only more.
- Terminating pods are their name, UID and gate; since when a pod is Healthy is not kept: no rule
  asks for more.
- An operator between two turns has no view: it looks before it uses one. Beginning a turn without
  looking is a trouble of its own ("stale"), for which the view is kept. Of the names it remembers
  those go that the ledger does not owe any more, for a name is never owed again.
- Where the set was written since an operator looked, and its next request is a record, it is as one
  that has not begun: that record is refused whenever it comes.
- Operators are alike: states that differ in which of them is which are one.
- Time passes in ticks of a scenario's own length, longer than an act may be old. What lies between
  two ticks is the same moment for every rule that the scenario is about.
- A state in the middle of something comes into order as it does after its next step, which is one
  of those explored; that those chains end is looked at too. So runs without trouble are followed
  from the others alone, and what they have in common is followed once.

What is a bound and no reduction: how often time passes and each trouble comes (that news arrives in
the middle of a turn is one), one attempt of a prober per tick, the live reads of one round answered
together, and the acts of one plan arriving in its order, each of which may be the last.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.calm import Calm, next_quiet_step
from tests.model.moves import moves
from tests.model.turns import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.model.asking import Invariant
    from tests.model.states import State
    from tests.model.steps import Move, Step

Key = tuple[Any, ...]


@dataclass(slots=True)
class Explored:
    """What came of one exploration.

    Attributes:
        whole: every state that can be reached was looked at.
        settled: from how many of them a run without further trouble was followed to its end.
        checks: invariant -> how often it was asked of a step that could have broken it.
        troubles: kind of trouble -> how often it came.
        violation: what is wrong, if anything, and `trace` how it came to that.
    """

    states: int = 0
    steps: int = 0
    depth: int = 0
    settled: int = 0
    whole: bool = True
    checks: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    violation: str | None = None
    trace: list[Step] = field(default_factory=list)

    def story(self) -> str:
        """The violation and the way there, a line for each step."""
        steps = (f"  {number}. {step}" for number, step in enumerate(self.trace, 1))
        return "\n".join([self.violation or "nothing is wrong", *steps])


def explore(
    first: State, invariants: Sequence[Invariant], *, most: int, calm: bool = True
) -> Explored:
    """Visit every state.

    Args:
        first: where it begins.
        invariants: what must hold of each step.
        most: states, after which it ends and is not whole.
        calm: whether it is also asked if all comes into order without trouble.
    """
    return _Explorer(first, invariants, most, Calm() if calm else None).run()


class _Explorer:
    """One exploration: what was seen, how each state was come to, and what is still ahead."""

    def __init__(
        self, first: State, invariants: Sequence[Invariant], most: int, calm: Calm | None
    ) -> None:
        self._most = most
        self._invariants = invariants
        self._calm = calm
        self._leads: dict[Key, Key] = {}
        self._came: dict[Key, tuple[Key, Step] | None] = {first.key: None}
        self._ahead: deque[tuple[State, int]] = deque([(first, 0)])
        self._found = Explored(states=1)

    def run(self) -> Explored:
        """Until nothing is ahead, or something is wrong."""
        found = self._found
        while self._ahead and found.violation is None:
            if found.states >= self._most:
                found.whole = False
                break
            state, depth = self._ahead.popleft()
            found.depth = depth
            self._settle(state)
            self._visit(state, depth)
        if found.violation is None:
            self._follow()
        return found

    def _follow(self) -> None:
        """Each chain of next steps ends in a state from which a run was followed."""
        ended: set[Key] = set()
        for first in self._leads:
            key = first
            chain: dict[Key, None] = {}
            while key in self._leads and key not in ended:
                if key in chain:
                    self._fail("a turn goes round and round", key, None)
                    return
                chain[key] = None
                key = self._leads[key]
            ended.update(chain)

    def _settle(self, state: State) -> None:
        """Whoever is in the middle of something comes into order as it does after its next step.

        That step is one of those that are explored, and it leads to a state that is.
        """
        if self._calm is None:
            return
        self._found.settled += 1
        further = next_quiet_step(state)
        if further is not None:
            self._leads[state.key] = plain(further.after).key
            return
        stuck = self._calm.disorder_after(state)
        if stuck is not None:
            self._fail(f"it does not come to rest: {stuck}", state.key, None)

    def _visit(self, state: State, depth: int) -> None:
        found = self._found
        for move in moves(state):
            found.steps += 1
            if move.kind:
                found.troubles[move.kind] += 1
            wrong = self._broken(state, move)
            if wrong is not None:
                self._fail(wrong, state.key, move.step)
                return
            reached = plain(move.after)
            if reached.key not in self._came:
                self._came[reached.key] = (state.key, move.step)
                self._ahead.append((reached, depth + 1))
                found.states += 1

    def _broken(self, state: State, move: Move) -> str | None:
        if move.sent is None and move.after.view.status is state.view.status:
            return None  # Nothing was done and nothing written: no invariant is about that.
        for invariant in self._invariants:
            if invariant.concerns(state, move):
                self._found.checks[invariant.name] += 1
                wrong = invariant.broken(state, move)
                if wrong is not None:
                    return f"{invariant.name}: {wrong}"
        return None

    def _fail(self, wrong: str, key: Key, last: Step | None) -> None:
        steps = [] if last is None else [last]
        while (came := self._came[key]) is not None:
            key, step = came
            steps.append(step)
        self._found.violation = wrong
        self._found.trace = steps[::-1]
