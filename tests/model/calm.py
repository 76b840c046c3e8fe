"""Once nothing disturbs it any more: from where a state is, does everything come into order?

A run without trouble: all operators take their turns in a row, kubelets do what they are told and
new instances are well, whoever was blind sees, a person resumes what was suspended. Runs that meet
go on together, so that each state costs little more than its first round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import VMHealth
from tests.model.cluster import cluster_moves, passed, running, with_pod, without
from tests.model.pool import same
from tests.model.states import SetView, State
from tests.model.turns import operator_moves, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.steps import Move

PATIENCE: Final = 1200
"""Seconds in which everything is in order again once nothing disturbs it any more."""
STEPS_OF_A_TURN: Final = 40


class Calm:
    """The runs of one exploration."""

    def __init__(self) -> None:
        self._in_order: set[tuple[Any, ...]] = set()

    def disorder_after(self, state: State) -> str | None:
        """What is still not in order after everybody had time; None when all is."""
        state = _without_trouble(state)
        ends = state.now + PATIENCE
        on_the_way = []
        wrong = ""
        while state.now < ends:
            if state.key in self._in_order:
                break
            on_the_way.append(state.key)
            state = _healed(state)
            for number in range(len(state.operators)):
                state = _turn(state, number)
            wrong = next(_disorder(state), "")
            if not wrong:
                break
            state = plain(passed(state))
        else:
            return wrong
        self._in_order.update(on_the_way)
        return None


def next_quiet_step(state: State) -> Move | None:
    """How a run without trouble goes on from here while anybody is in the middle of something.

    None once all operators rest, and nothing is starting or stopping.
    """
    for number, operator in enumerate(state.operators):
        if operator.awake:
            return next(m for m in operator_moves(state, number) if not m.kind)
    return next((move for move in cluster_moves(state) if move.word != "passes"), None)


def _without_trouble(state: State) -> State:
    """No trouble is left, and nobody is blind."""
    state = plain(state._replace(troubles=(), late=frozenset()))
    for number, operator in enumerate(state.operators):
        if operator.sight.dark:
            sight = same(replace(operator.sight, dark=""))
            state = state.with_operator(number, operator.but(sight=sight))
    return state


def _healed(state: State) -> State:
    """What stops does so, what starts is well, and what was suspended is resumed."""
    for pod in state.pods:
        if pod.terminating:
            state = without(state, pod)
        elif pod.started is None:
            rest = frozenset(row for row in state.ails if row[0] != pod.uid)
            well = running(pod, VMHealth.HEALTHY, state)
            state = with_pod(state._replace(ails=rest), well)
    view = state.view
    if view.status.repairs.suspended_since is not None:
        asked = replace(view.wanted, resume_at=state.now + 1)
        state = state._replace(view=same(SetView(asked, view.status)))
    return state


def _turn(state: State, number: int) -> State:
    """One operator's whole turn, after it has ended the one that it was in."""
    for _ in range(2):
        for _ in range(STEPS_OF_A_TURN):
            move = next(operator_moves(state, number), None)
            if move is None:
                return state
            state = move.after
            if not state.operators[number].awake:
                break
        state = plain(state)
    return state


def _disorder(state: State) -> Iterator[str]:
    status, wanted = state.view.status, state.view.wanted
    live = [p for p in state.pods if p.live]
    kept = [p for p in live if p.protected]
    if len(live) != max(wanted.replicas, len(kept)):
        yield f"{len(live)} of {wanted.replicas} live"
    for pod in live:
        # A protected one is left alone for as long as it is protected.
        sick = state.health(pod) is not VMHealth.HEALTHY
        if sick and wanted.enabled and not pod.protected:
            yield f"{pod.name} is {state.health(pod)}"
        if pod.model != wanted.model:
            yield f"{pod.name} is of {pod.model}"
    if status.repairs.in_flight:
        yield f"in flight: {[e.instance for e in status.repairs.in_flight]}"
    if status.creating or status.scale_in:
        yield "names or victims are still recorded"
    if status.repairs.doubts:
        yield "doubt is still recorded"
