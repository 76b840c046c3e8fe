"""What the model says of the reconciler is what the reconciler does: both, step by step."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.model.beginnings import first_state
from tests.model.replay import Pair
from tests.model.states import Terms
from tests.model.thought import forget

if TYPE_CHECKING:
    from collections.abc import Mapping

STEPS: Final = 150
WALKS: Final = 3
MANY: Final = 99
"""Conflicts that reports of the other operator make, which are no writes of the model."""
TROUBLES: Final[list[Mapping[str, int]]] = [
    {"enable": 1, "tick": 12},
    {"enable": 1, "tick": 12, "scale in": 1, "recover": 1},
    {"enable": 1, "tick": 12, "new model": 1, "fail": 1},
    {"enable": 1, "tick": 12, "new model": 1, "scale in": 1, "scale out": 1},
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("operators", [1, 2])
@pytest.mark.parametrize("troubles", TROUBLES, ids=lambda t: "-".join(t).replace(" ", "-"))
async def test_both_take_the_same_steps(troubles: Mapping[str, int], operators: int) -> None:
    """R-11, R-14, R-17: the same reads, records and acts, the same pods and the same ledger."""
    forget()
    deleted = 0
    for walk in range(WALKS):
        first = first_state(Terms(), 2, {**troubles, "conflict": MANY}, sick=1, operators=operators)
        pair = Pair(first)
        await pair.begin()
        die = Random(walk)  # noqa: S311 - a seeded walk, no secret
        for _ in range(STEPS):
            await pair.step(die)
        deleted += sum("DeleteInstance" in step for step in pair.taken)
        await pair.world.close()
    assert deleted > 0
