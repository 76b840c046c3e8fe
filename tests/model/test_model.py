"""The model check: states that small sets can reach, over the real `decide`; no rule is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry, RepairResult
from scaleset_operator.core import gates, ledger, scene
from tests.model.explore import settles
from tests.model.invariants import INVARIANTS
from tests.model.rules import ELSEWHERE
from tests.model.scenarios import SCENARIOS, Scenario
from tests.model.states import fingerprint

STATES = 1_500
"""Of each scenario; `python -m tests.model` explores as many as are wanted."""
ENOUGH_TO_FAIL = 6_000
ROOT = Path(__file__).resolve().parents[2]
RULES = range(1, 29)
PLAIN_MOVES = frozenset({5})
"""Rules that are a move of the model: an act that is too old is dropped before it is sent."""

TWO_SICK = SCENARIOS[0]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_no_reachable_state_breaks_a_rule(scenario: Scenario) -> None:
    """R-11, R-14, R-16, R-17, R-21, R-22, R-48: and all comes to rest once faults have stopped."""
    found = scenario.explored(STATES)
    assert found.violation is None, found.story()
    assert found.states >= STATES or found.complete
    assert found.settled > 0
    assert min(found.checks.values()) > 0


def test_every_rule_of_the_protocol_has_a_place() -> None:
    """An invariant or a move of the model, or tests that exist."""
    looked_at = {rule for invariant in INVARIANTS for rule in invariant.rules} | PLAIN_MOVES
    assert looked_at | set(ELSEWHERE) == set(RULES)
    for files in ELSEWHERE.values():
        for file in files:
            assert (ROOT / file).is_file(), file


def test_states_that_differ_in_the_hour_only_are_one() -> None:
    """Without that nothing would ever be whole."""
    first = TWO_SICK.first()
    again = TWO_SICK.first().with_pod(first.pods[0])
    assert fingerprint(first) == fingerprint(TWO_SICK.first())
    assert fingerprint(again) != fingerprint(first), "an operator's cache is behind now"


# --- A check that cannot fail proves nothing -------------------------------------------------


def test_an_allowance_that_is_rounded_up_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-11: the shortest way to two at once is told."""
    monkeypatch.setattr(scene, "batch_allowance", lambda total, percent: total * percent // 100 + 2)
    found = TWO_SICK.explored(ENOUGH_TO_FAIL)
    assert found.violation is not None
    assert found.violation.startswith("at most one under repair")
    assert found.story().count("\n") == len(found.trace) > 5


def test_a_slot_that_is_freed_with_the_delete_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-14."""

    def close_at_once(
        _scene: object, _names: object, entry: RepairEntry, progress: ledger.Progress
    ) -> None:
        done = ledger.Closed(entry=entry, result=RepairResult.SUCCEEDED, reason=Reason.ANSWERING)
        progress.closed.append(done)

    monkeypatch.setattr(ledger, "_replace", close_at_once)
    found = TWO_SICK.explored(ENOUGH_TO_FAIL)
    assert found.violation is not None
    assert "is closed" in found.violation


def test_a_repair_without_a_gate_for_protection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-47."""
    left = tuple(gate for gate in gates.OF_THE_INSTANCE if "protected" not in gate.__name__)
    assert len(left) == len(gates.OF_THE_INSTANCE) - 1
    monkeypatch.setattr(gates, "OF_THE_INSTANCE", left)
    found = next(s for s in SCENARIOS if s.name.startswith("protected")).explored(ENOUGH_TO_FAIL)
    assert found.violation is not None
    assert found.violation.startswith("the protected are left alone")


def test_a_repair_that_is_recorded_and_never_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-20: it breaks no rule of a single step, and nothing ever comes to rest."""

    def hesitate(
        _scene: object, entry: RepairEntry, progress: ledger.Progress, *, too_many: bool
    ) -> None:
        assert not too_many
        progress.open.append(entry)

    monkeypatch.setattr(ledger, "_before_delete", hesitate)
    stuck = settles(TWO_SICK.first())
    assert stuck is not None
    assert "Unhealthy" in stuck
