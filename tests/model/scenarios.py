"""Small sets, and what may go wrong with them: each is explored whole, as far as time allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.model.explore import Explored, explore
from tests.model.states import State, first_state

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPTH: Final = 60
"""Steps: more than any of them needs."""


class Scenario(NamedTuple):
    """One small set.

    Attributes:
        replicas, sick: instances, and how many of them are Unhealthy.
        troubles: what may happen besides, and how often.
        operators: at once.
    """

    name: str
    replicas: int
    sick: int
    troubles: Mapping[str, int]
    operators: int = 2

    def first(self) -> State:
        """Where it begins."""
        return first_state(
            self.replicas, dict(self.troubles), sick=self.sick, operators=self.operators
        )

    def explored(self, most: int) -> Explored:
        """So many of its states."""
        return explore(self.first(), depth=DEPTH, most=most)


SCENARIOS: Final = (
    Scenario("two sick, two operators", 2, 2, {"tick": 2}),
    Scenario("a crash at every step", 2, 1, {"tick": 2, "crash": 2}, operators=1),
    Scenario("two crash, and time passes", 2, 1, {"tick": 1, "crash": 1}),
    Scenario("one recovers in the middle", 2, 1, {"tick": 1, "recover": 1}),
    Scenario("one fails meanwhile", 2, 1, {"tick": 1, "fail": 1}),
    Scenario("scaled in during a repair", 2, 1, {"tick": 1, "scale in": 1}),
    Scenario("scaled out during a repair", 1, 1, {"tick": 1, "scale out": 1}),
    Scenario("in and out again", 2, 1, {"scale in": 1, "scale out": 1}, operators=1),
    Scenario("a rollout during a repair", 2, 1, {"tick": 1, "new model": 1}),
    Scenario("rollout and scale-in at once", 2, 0, {"new model": 1, "scale in": 1}),
    Scenario("protected in the middle", 2, 1, {"protect": 1, "scale in": 1}),
    Scenario("a person deletes", 2, 1, {"tick": 1, "person": 1}),
    Scenario("replacements that start ill", 1, 1, {"tick": 6, "bad start": 2}, operators=1),
)
