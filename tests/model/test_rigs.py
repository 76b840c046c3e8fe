"""A check that cannot fail proves nothing: each invariant of the model, with what breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.core import ledger
from tests.model import turns
from tests.model.explore import explore
from tests.model.invariants import INVARIANTS
from tests.model.rigs import BROKEN, Broken
from tests.model.scenarios import LARGE, SMALL
from tests.model.thought import forget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scaleset_operator.api.ledger import RepairEntry

ENOUGH_TO_FAIL: Final = 20_000


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """What a rigged `decide` has said is not heard again."""
    forget()
    yield
    forget()


def test_each_invariant_is_shown_to_fail() -> None:
    """None is left out."""
    assert [b.invariant for b in BROKEN] == [i.name for i in INVARIANTS]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.invariant.replace(" ", "-"))
def test_what_is_broken_is_found(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the shortest way to it, by this very invariant."""
    broken.rig(monkeypatch)
    scenario = next(s for s in SMALL if s.name == broken.scenario)
    alone = [i for i in INVARIANTS if i.name == broken.invariant]
    found = explore(scenario.first(), alone, most=ENOUGH_TO_FAIL, calm=False)
    assert found.violation is not None
    assert found.violation.startswith(f"{broken.invariant}: ")
    assert found.story().count("\n") == len(found.trace) > 0


@pytest.mark.timeout(600)
def test_deciding_on_old_live_reads_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 5 and 9: one that was stopped for long gives a slot away that is taken."""
    monkeypatch.setattr(turns, "forgetful", lambda operator: operator)
    scenario = next(s for s in LARGE if s.name == "one of two is blind, with time")
    found = scenario._replace(sick=2, blind=False).explored(ENOUGH_TO_FAIL)
    assert found.violation is not None
    assert found.violation.startswith("a slot is freed when it is made up for: ")
    assert "operator 1 goes on at last" in found.story()


def test_a_repair_that_is_recorded_and_never_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks no rule of a single step, and nothing ever comes to rest."""

    def hesitate(
        _scene: object, entry: RepairEntry, progress: ledger.Progress, *, too_many: bool
    ) -> None:
        assert not too_many
        progress.open.append(entry)

    monkeypatch.setattr(ledger, "_before_delete", hesitate)
    found = SMALL[0].explored(ENOUGH_TO_FAIL)
    assert found.violation is not None
    assert "does not come to rest" in found.violation
    assert "Unhealthy" in found.violation
