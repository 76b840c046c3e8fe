"""What the model says of the reconciler is what the reconciler does: both, step by step."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.model import acts
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
OF_A_DROP: Final = 0
"""A way on which an act grows too old."""
TROUBLES: Final[list[Mapping[str, int]]] = [
    {"enable": 1, "tick": 12},
    {"enable": 1, "tick": 12, "scale in": 1, "recover": 1},
    {"enable": 1, "tick": 12, "new model": 1, "fail": 1},
    {"enable": 1, "tick": 12, "new model": 1, "scale in": 1, "scale out": 1},
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("operators", [1, 2])
@pytest.mark.parametrize("troubles", TROUBLES, ids=lambda t: "-".join(t).replace(" ", "-"))
async def test_both_take_the_same_steps(troubles: Mapping[str, int], operators: int) -> None:
    """R-11, R-14, R-17: the same reads, records and acts, the same pods and the same ledger."""
    deleted = 0
    for walk in range(WALKS):
        pair = await walked(troubles, operators, walk)
        deleted += sum("DeleteInstance" in step for step in pair.taken)
    assert deleted > 0


async def walked(troubles: Mapping[str, int], operators: int, seed: int) -> Pair:
    """Both on one way, chosen by the seed."""
    forget()
    given = {**troubles, "conflict": MANY}
    pair = Pair(first_state(Terms(), 2, given, sick=1, operators=operators))
    await pair.begin()
    die = Random(seed)  # noqa: S311 - a seeded walk, no secret
    try:
        for _ in range(STEPS):
            await pair.step(die)
    finally:
        await pair.world.close()
    return pair


async def test_a_model_that_says_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does old acts differs from the reconciler, which drops them (rule 5)."""
    monkeypatch.setattr(acts, "too_old", lambda *_: False)
    with pytest.raises(AssertionError, match="the model and the reconciler differ"):
        await walked(TROUBLES[0], operators=1, seed=OF_A_DROP)
