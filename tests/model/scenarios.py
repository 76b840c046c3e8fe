"""Small sets, and what may go wrong with them: each is explored whole.

`SMALL` are part of the tests; `LARGE` are what `make model` explores besides. One of the latter is
too large to be explored whole and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.model.beginnings import first_state
from tests.model.explore import Explored, explore
from tests.model.invariants import INVARIANTS, WITHOUT_PERSONS
from tests.model.states import State, Terms
from tests.model.thought import forget

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scenario(NamedTuple):
    """One small set.

    Attributes:
        replicas, sick: instances, and how many of them are Unhealthy.
        troubles: what may happen besides, and how often.
        terms: what the owner has settled.
        operators: at once.
        silent: all, or those on the crowded node, fall silent at the very beginning.
        blind: one operator is, from the very beginning.
        open: too large to be explored whole.
    """

    name: str
    replicas: int
    sick: int
    troubles: Mapping[str, int]
    terms: Terms = Terms()
    operators: int = 2
    silent: bool = False
    blind: bool = False
    open: bool = False

    def first(self) -> State:
        """Where it begins."""
        return first_state(
            self.terms,
            self.replicas,
            self.troubles,
            sick=self.sick,
            silent=self.silent,
            blind=self.blind,
            operators=self.operators,
        )

    def explored(self, most: int) -> Explored:
        """All of its states, or so many."""
        forget()
        persons = "person" in self.troubles
        wanted = [i for i in INVARIANTS if not (persons and i.name in WITHOUT_PERSONS)]
        return explore(self.first(), wanted, most=most)


OWN: Final = Terms()
SLOW: Final = Terms(tick=12)
"""Whatever has a grace of ten seconds is over it when time has passed once."""
PROBED: Final = Terms(probed=True, tick=12)
"""Time passes by a little more than a timeout."""
SHORT: Final = Terms(probed=True)
STRICT: Final = Terms(tick=12, suspend_after=1)
TOLD: Final = Terms(tick=12, notice=12)
CROWDED: Final = Terms(probed=True, tick=30, crowded=True)
WITNESSED: Final = Terms(probed=True, tick=30)
"""Time passes by half of the wait for a witness."""

SMALL: Final = (
    Scenario("two sick, two operators", 2, 2, {}),
    Scenario("time passes, two operators", 1, 1, {"tick": 1}),
    Scenario("a crash at every step", 2, 1, {"tick": 1, "crash": 2}, operators=1),
    Scenario("two operators, one crashes", 1, 1, {"crash": 1}),
    Scenario("acts and answers are lost", 2, 2, {"lost": 1, "lost answer": 1}, operators=1),
    Scenario("a record is refused", 2, 2, {"tick": 1, "conflict": 1}, operators=1),
    Scenario("a DELETE is refused", 1, 1, {"tick": 2, "refuse": 1}, operators=1),
    Scenario("one does not look", 1, 1, {"stale": 1}),
    Scenario("news comes in a turn", 2, 1, {"news": 1, "fail": 1}, operators=1),
    Scenario("one recovers in the middle", 1, 1, {"recover": 1}),
    Scenario("one recovers in time", 1, 1, {"tick": 2, "recover": 1}, operators=1),
    Scenario("one fails meanwhile", 2, 1, {"tick": 1, "fail": 1}, operators=1),
    Scenario("scaled in during a repair", 2, 1, {"tick": 1, "scale in": 1}, operators=1),
    Scenario("in and out again", 2, 1, {"scale in": 1, "scale out": 1}, operators=1),
    Scenario("a rollout during a repair", 2, 1, {"new model": 1}, operators=1),
    Scenario("rollout, scale-in and repair", 2, 1, {"new model": 1, "scale in": 1}, operators=1),
    Scenario("protected in the middle", 2, 1, {"protect": 1, "scale in": 1}, operators=1),
    Scenario("a person deletes", 2, 1, {"person": 1}, operators=1),
    Scenario("two slots become one", 4, 2, {"scale in": 1}, Terms(share=50), operators=1),
    Scenario("replacements that start ill", 1, 1, {"tick": 2, "bad start": 1}, SLOW, operators=1),
    Scenario("suspended", 1, 1, {"tick": 1, "bad start": 1, "old resume": 1}, STRICT, operators=1),
    Scenario("resumed", 1, 1, {"tick": 1, "bad start": 1, "resume": 1}, STRICT, operators=1),
    Scenario("repairs are enabled", 2, 1, {"tick": 3, "enable": 1}, operators=1),
    Scenario("told to go", 1, 1, {"tick": 1, "recover": 1}, TOLD, operators=1),
    Scenario("told, and it agrees", 1, 1, {"tick": 1, "approve": 1}, TOLD, operators=1),
    Scenario("restarted in place", 1, 1, {"tick": 2}, Terms(action="Restart"), operators=1),
    Scenario(
        "reimaged, and a new model", 1, 1, {"new model": 1}, Terms(action="Reimage"), operators=1
    ),
    Scenario("probed, and the operator crashes", 1, 1, {"tick": 2, "crash": 1}, SHORT, operators=1),
    Scenario("one falls silent", 2, 0, {"tick": 3, "silence": 1}, PROBED, operators=1),
    Scenario("one of a silent set speaks", 2, 0, {"tick": 3, "recover": 1}, SHORT, 1, silent=True),
    Scenario("one is heard late", 3, 0, {"tick": 2, "silence": 1, "late": 1}, PROBED, operators=1),
    Scenario("a silent set", 2, 0, {"tick": 5}, WITNESSED, operators=1, silent=True),
    Scenario(
        "a silent witness",
        1,
        0,
        {"tick": 5, "silent start": 1},
        WITNESSED,
        operators=1,
        silent=True,
    ),
    Scenario("shut out, and not", 2, 0, {"tick": 4, "shut": 1, "sight": 1}, WITNESSED, operators=1),
    Scenario("blind", 2, 0, {"tick": 3, "blind": 1, "sight": 1}, WITNESSED, operators=1),
    Scenario("one of two is blind", 2, 1, {}, PROBED, blind=True),
    Scenario("a node is lost", 4, 0, {"tick": 2, "node down": 1}, CROWDED, 1, silent=True),
)

LARGE: Final = (
    Scenario("two replacements start ill", 1, 1, {"tick": 3, "bad start": 2}, SLOW, operators=1),
    Scenario("scaled in, two operators", 2, 1, {"scale in": 1}),
    Scenario(
        "one of a silent set and sight", 2, 0, {"tick": 5, "recover": 1}, SHORT, 1, silent=True
    ),
    Scenario("one of two is blind, with time", 2, 1, {"tick": 1}, PROBED, blind=True),
    Scenario("stopped for long, two operators", 1, 1, {"tick": 1}, SLOW),
    Scenario("one is blind, one falls silent", 2, 0, {"tick": 2, "blind": 1, "silence": 1}, PROBED),
    Scenario("a node is lost some time", 4, 0, {"tick": 3, "node": 1, "node down": 1}, CROWDED, 1),
    Scenario("all fall silent some time", 2, 0, {"tick": 6, "all silent": 1}, WITNESSED, 1),
    Scenario("told to go, in short steps", 1, 1, {"tick": 3, "recover": 1}, Terms(notice=12), 1),
    Scenario("a rollout, and time passes", 2, 1, {"tick": 1, "new model": 1}, operators=1),
    Scenario("two sick, time, two operators", 2, 2, {"tick": 1}),
    Scenario("scaled out during a repair", 1, 1, {"scale out": 1}),
    Scenario("a rollout, two operators", 2, 1, {"new model": 1}),
    Scenario("one does not look, time passes", 1, 1, {"tick": 1, "stale": 1}),
    Scenario("lost, and time passes", 2, 2, {"tick": 1, "lost": 1, "lost answer": 1}, operators=1),
    Scenario("two are refused", 2, 2, {"tick": 2, "refuse": 1}, operators=1),
    Scenario("told to go, two operators", 1, 1, {"recover": 1}, Terms(notice=12)),
    Scenario(
        "two told to go, and scaled in",
        2,
        2,
        {"tick": 3, "scale in": 1},
        Terms(notice=12),
        operators=1,
    ),
    Scenario("all at once", 2, 1, {"tick": 1, "new model": 1, "scale in": 1}, operators=1),
    Scenario(
        "all at once, two operators",
        3,
        1,
        {"tick": 2, "new model": 1, "scale in": 1, "crash": 1},
        open=True,
    ),
)

SCENARIOS: Final = (*SMALL, *LARGE)
