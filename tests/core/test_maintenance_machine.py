"""Maintenance, repair, rollout, scaling, people and bad luck together: what holds at every step.

A hypothesis state machine over the pure decision and a small world. A crash is a turn whose acts
are never sent: the next one decides from what was recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scaleset_operator.core import taking, upkeep_floor
from scaleset_operator.core.observed import Outcome, TemplateView
from scaleset_operator.core.upkeep_floor import floor
from tests.core._stories import settle
from tests.core._upkeep import END, MINUTE, SCHEDULED, SELF_SERVICE, UpkeepStory, view
from tests.support.builders import scale_set_spec

if TYPE_CHECKING:
    from scaleset_operator.core.maintenance_acts import EvictInstance
    from scaleset_operator.core.scene import Scene

SIZE = 8
STEP = timedelta(seconds=5)
INSTANCES = st.integers(1, SIZE + 4).map(lambda number: f"web-{number}")


class Watched(UpkeepStory):
    """Judges each eviction as it is accepted."""

    attempts: Counter[str]
    broken: list[str]

    def _evict(self, act: EvictInstance) -> None:
        before = len(self.evicted)
        super()._evict(act)
        if len(self.evicted) == before:
            return
        self.attempts[act.name] += 1
        pod = self.pods[act.name]
        # It left rotation for this, and so is not Ready any more.
        well = pod.published is not None and pod.published.health == "Healthy"
        floor = self.spec.replicas - batch_of(self)
        if well and self.available < floor:
            self.broken.append(f"{act.name} was taken, {self.available} are left of {floor}")


def batch_of(story: UpkeepStory) -> int:
    """What the floor is made from, by the policy alone."""
    percent = story.spec.upgrade_policy.rolling_upgrade_policy.max_batch_instance_percent
    return max(1, story.spec.replicas * percent // 100)


class MaintenanceMachine(RuleBasedStateMachine):
    """One set, one window, and everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Watched.of(scale_set_spec(replicas=SIZE), SIZE)
        self.story.attempts, self.story.broken = Counter(), []
        self.models = 0

    @initialize(
        percent=st.sampled_from([20, 30]),
        pause=st.sampled_from([0, 2]),
        repairs=st.booleans(),
        ill=st.sampled_from([[], ["web-1", "web-2"], ["web-1", "web-2", "web-6"]]),
        opens=st.sampled_from([SELF_SERVICE, SCHEDULED]),
    )
    def announce(
        self,
        percent: int,
        pause: int,
        repairs: bool,  # noqa: FBT001 - drawn
        ill: list[str],
        opens: datetime,
    ) -> None:
        """Some may be away already: only then does the floor say less than the batch."""
        policy = {"rollingUpgradePolicy": {"maxBatchInstancePercent": percent}}
        self.fields: dict[str, Any] = {"upgradePolicy": policy, "repairs": repairs}
        self.story.spec = scale_set_spec(replicas=SIZE, **self.fields)
        self.story.windows = [view(pause_between=pause * MINUTE)]
        self.story.turn()
        for name in ill:
            self.an_instance_falls_ill_or_recovers(name, Outcome.WRONG_STATUS)
        self.story.skip(opens - MINUTE)
        self.story.run(MINUTE, STEP)

    @rule(steps=st.integers(1, 12))
    def time_passes(self, steps: int) -> None:
        self.story.run(steps * STEP, STEP)

    @precondition(lambda self: self.story.now < SCHEDULED)
    @rule(edge=st.sampled_from([SELF_SERVICE, SCHEDULED]))
    def a_window_opens(self, edge: datetime) -> None:
        if edge > self.story.now:
            self.story.skip(edge)
            self.story.run(STEP, STEP)

    @rule(names=st.lists(INSTANCES, min_size=1, max_size=SIZE, unique=True))
    def owners_ask(self, names: list[str]) -> None:
        """Of any update domains, and of more than the floor has room for."""
        for name in names:
            if name in self.story.pods:
                self.story.ask(name)

    @rule(suspended=st.sampled_from([False, False, True]))
    def a_person_suspends_or_resumes(self, suspended: bool) -> None:  # noqa: FBT001 - a drawn value
        self.story.windows = [replace(v, suspended=suspended) for v in self.story.windows]

    @rule(room=st.sampled_from([100, 100, 1, 0]))
    def nodes_fill_up_or_empty(self, room: int) -> None:
        self.story.room = room

    @rule(name=INSTANCES)
    def a_budget_refuses(self, name: str) -> None:
        self.story.refusing ^= {name}

    @rule(name=INSTANCES, outcome=st.sampled_from([Outcome.OK, Outcome.WRONG_STATUS]))
    def an_instance_falls_ill_or_recovers(self, name: str, outcome: Outcome) -> None:
        if name in self.story.pods and self.story.pods[name].started:
            self.story.tell(outcome, name)

    @rule(name=INSTANCES)
    def somebody_deletes_one(self, name: str) -> None:
        if name in self.story.pods and self.story.pods[name].live:
            self.story.terminate(name)
            self.story.attempts.pop(name, None)

    @rule(replicas=st.integers(SIZE - 2, SIZE + 2))
    def somebody_scales(self, replicas: int) -> None:
        self.story.spec = scale_set_spec(replicas=replicas, **self.fields)

    @precondition(lambda self: self.models < 2)
    @rule()
    def somebody_changes_the_model(self) -> None:
        self.models += 1
        self.story.outside["template"] = TemplateView(model=f"m{self.models}")

    @rule()
    def the_operator_is_killed_after_its_record(self) -> None:
        story = self.story
        settled = settle(story.spec, story.observe(), story.now, story.places)
        story.seen = replace(settled.seen, live_reads=frozenset(), listed=False, places={})

    @invariant()
    def nobody_was_taken_below_the_floor(self) -> None:
        assert self.story.broken == []

    @invariant()
    def the_pass_is_in_one_domain(self) -> None:
        scheduled = [e for e in self.story.entries if e.origin == "Scheduled"]
        assert len({e.update_domain for e in scheduled}) <= 1

    @invariant()
    def nobody_is_attempted_twice(self) -> None:
        assert all(count == 1 for count in self.story.attempts.values())

    @invariant()
    def repairs_keep_their_cap(self) -> None:
        assert len(self.story.seen.status.repairs.in_flight) <= 1

    @invariant()
    def nobody_is_in_both_ledgers(self) -> None:
        repaired = {e.uid for e in self.story.seen.status.repairs.in_flight}
        assert not repaired & {e.uid for e in self.story.entries if e.result is None}

    def teardown(self) -> None:
        """Once luck turns and the window is over, nothing of it is left, and nobody is missing."""
        story = self.story
        if not hasattr(self, "fields"):
            return
        story.room, story.refusing = 100, set()
        for name in story.pods:
            if story.pods[name].started:
                story.tell(Outcome.OK, name)
        story.windows = [replace(v, suspended=False) for v in story.windows]
        story.run(2 * MINUTE, STEP)
        story.skip(max(story.now, END))
        story.windows = []
        story.run(75 * MINUTE, timedelta(seconds=30))
        assert not story.entries, story.entries
        assert story.places == {}
        assert len(story.live) == story.spec.replicas
        pending = [p.name for p in story.live if "maintenanceWindowStartTime" in p.maintenance]
        assert pending == []


def test_the_machine_notices_a_floor_that_is_one_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-02: else its invariant would hold of anything."""

    def low(scene: Scene) -> int:
        return floor(scene) - 1

    machine = MaintenanceMachine()
    monkeypatch.setattr(taking, "floor", low)
    monkeypatch.setattr(upkeep_floor, "floor", low)
    ill = ["web-1", "web-2"]
    machine.announce(percent=20, pause=0, repairs=False, ill=ill, opens=SCHEDULED)
    machine.time_passes(12)
    with pytest.raises(AssertionError, match="was taken"):
        machine.nobody_was_taken_below_the_floor()


TestMaintenance = pytest.mark.timeout(600)(MaintenanceMachine.TestCase)
TestMaintenance.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
