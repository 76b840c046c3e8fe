"""What may happen next: every step of an operator, of the cluster, and of whoever disturbs them.

Each step is a move of its own, so that a crash, the other operator or a person may come between
any two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.cluster import cluster_moves
from tests.model.troubles import disturbances
from tests.model.turns import operator_moves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.states import State
    from tests.model.steps import Move


def moves(state: State) -> Iterator[Move]:
    """Everything that may happen next."""
    seen: set[int] = set()
    for number, operator in enumerate(state.operators):
        if id(operator) not in seen:
            # Of two operators in the same place it does not matter which one goes on.
            seen.add(id(operator))
            yield from operator_moves(state, number)
    yield from cluster_moves(state)
    yield from disturbances(state)
