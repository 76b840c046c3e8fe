"""The model check: no state that a small set can reach, over the real `decide`, breaks a rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.core import decide as deciding
from scaleset_operator.core.plan import Record
from tests.model import acts, thought, turns
from tests.model.__main__ import row
from tests.model.invariants import INVARIANTS
from tests.model.rules import ELSEWHERE, GUARDS, TROUBLES
from tests.model.scenarios import LARGE, SCENARIOS, SMALL, Scenario
from tests.model.states import moment
from tests.model.steps import Step

if TYPE_CHECKING:
    from scaleset_operator.api.scalesetstatus import ScaleSetStatus
    from scaleset_operator.core.plan import Plan
    from tests.model.states import SetView

MOST: Final = 50_000
"""More states than any of these has."""
ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = range(1, 29)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SMALL, ids=lambda s: s.name.replace(" ", "-"))
def test_no_reachable_state_breaks_a_rule(scenario: Scenario) -> None:
    """R-11, R-14, R-16, R-17, R-21, R-22, R-42, R-43, R-48, R-53, R-54: each is explored whole, and
    from each of its states all comes into order once nothing disturbs any more."""
    found = scenario.explored(MOST)
    assert found.violation is None, found.story()
    assert found.whole is True
    assert found.settled == found.states > 0
    assert set(found.troubles) == scenario.troubles.keys() - {"tick"}
    assert found.checks["recorded before it is done"] > 0


def test_every_rule_of_the_protocol_has_a_place() -> None:
    """An invariant, a guard or a trouble of the model; only how things are written is elsewhere."""
    looked_at = {rule for invariant in INVARIANTS for rule in invariant.rules}
    looked_at |= {rule for rules in (*TROUBLES.values(), *GUARDS.values()) for rule in rules}
    assert set(RULES) - looked_at <= {26, 27}
    assert set(ELSEWHERE) == {25, 26, 27}
    for files in ELSEWHERE.values():
        for file in files:
            assert (ROOT / file).is_file(), file
    for guard in GUARDS:
        assert hasattr(acts, guard) or hasattr(turns, guard), guard


def test_every_trouble_comes_in_a_scenario_that_is_explored_whole() -> None:
    """And each of them is one that some rule is about."""
    coming = {name for s in (*SMALL, *LARGE) if not s.open for name in s.troubles}
    assert coming - {"tick"} == set(TROUBLES)


def test_states_that_differ_in_which_operator_is_which_are_one() -> None:
    """The order in which a pair stands makes no other state, and what each of them holds does."""
    first = SMALL[0].first()
    one, other = (next(iter(turns.operator_moves(first, n))).after for n in (0, 1))
    assert one.operators[0] is not other.operators[0]
    assert one.key == other.key != first.key


def test_the_table_names_states_edges_whether_whole_and_the_time() -> None:
    """What `make model` prints of a scenario."""
    scenario = next(s for s in SMALL if s.name == "restarted in place")
    found = scenario.explored(MOST)
    words = row(scenario, found, 1.25).removeprefix(scenario.name).split()
    assert words == [str(found.states), str(found.steps), "yes", str(found.settled), "1.2"]
    bounded = scenario.explored(10)
    assert bounded.whole is False
    assert row(scenario, bounded, 0).split()[-3] == "no"


def test_a_story_tells_the_way_step_by_step() -> None:
    """Whoever reads a violation can follow it."""
    assert str(Step("reads", ("web-1", "web-2"), 1)) == "operator 1 reads web-1, web-2"
    assert str(Step("is gone", ("web-1",), None)) == "web-1 is gone"


def test_scenarios_have_names_of_their_own() -> None:
    """A table in which two rows are called the same tells nothing."""
    names = [s.name for s in SCENARIOS]
    assert len(names) == len(set(names))


REPORTED: Final = ("rollout, scale-in and repair", "suspended", "told to go", "a silent witness")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", REPORTED)
def test_what_only_reports_is_no_part_of_a_decision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the model may leave it out of its states: the same acts, reads and ledger follow."""
    whole: dict[int, ScaleSetStatus] = {}
    compared = 0
    keep = thought._kept  # noqa: SLF001 - what it leaves out is what is asked

    def kept(view: SetView, plan: Plan) -> thought.Thought:
        found = keep(view, plan)
        whole.setdefault(id(found.view.status), plan.status)
        return found

    def decide(spec: object, observed: object, now: object) -> Plan:
        nonlocal compared
        plan = real(spec, observed, now)  # type: ignore[arg-type]
        full = whole.get(id(observed.status))  # type: ignore[attr-defined]
        if full is not None:
            compared += 1
            other = real(spec, replace(observed, status=full), now)  # type: ignore[arg-type,type-var]
            assert other.actions == plan.actions
            assert (other.reads, other.list_live) == (plan.reads, plan.list_live)
            assert thought.kept(other.status) == thought.kept(plan.status)
            assert (other.record is Record.NOW) == (plan.record is Record.NOW)
        return plan

    real = deciding.decide
    monkeypatch.setattr(thought, "_kept", kept)
    monkeypatch.setattr(deciding, "decide", decide)
    found = next(s for s in SMALL if s.name == name).explored(1_000)
    assert found.violation is None, found.story()
    assert compared > 50


def test_time_is_that_of_the_fake_clock() -> None:
    """Seconds of the model are seconds."""
    assert (moment(12) - moment(0)).total_seconds() == 12
