"""The machine that tries to leave a cordon behind: people, crashes and lag around work on nodes.

After each request of one operator anything else may happen: another operator's, a person's, the end
of the window, a kill.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.simulation.nodes import ABORTED, POOL, UPDATED, NodeWorld, Operator

if TYPE_CHECKING:
    from scaleset_operator.core.nodeview import NodeView

NAMES = ("n0", "n1", "n2", "n3")
NODE = st.sampled_from(NAMES)
WHO = st.integers(0, 1)
LUCK = st.integers(0, 5)
"""What ends all that could still go wrong comes rarely: at 0."""


class NodeMachine(RuleBasedStateMachine):
    """M-09, M-25, X-07: one node at once, none twice, none updated in vain, no cordon left over."""

    @initialize(selects=st.booleans(), updated=st.booleans(), sizes=st.lists(st.integers(0, 2)))
    def begin(self, selects: bool, updated: bool, sizes: list[int]) -> None:  # noqa: FBT001
        self.world = NodeWorld(selects=selects)
        number = 0
        for name, size in zip(NAMES, [*sizes, 1, 1, 1, 0], strict=False):
            self.world.nodes.put(name, labels=POOL)
            self.world.fill(name, *range(number, number + size))
            number += size
        if updated:
            self.world.nodes.put("spare", labels=UPDATED)
        self.operators = [Operator(self.world), Operator(self.world)]

    @rule(who=WHO, steps=st.integers(1, 12))
    def go_on(self, who: int, steps: int) -> None:
        operator = self.operators[who]
        if operator.running is None:
            operator.begin(operator.turn())
        operator.step(steps)

    @rule(who=WHO, turns=st.integers(1, 8))
    def take_turns(self, who: int, turns: int) -> None:
        self.operators[who].live(turns)

    @rule(who=WHO)
    def hear(self, who: int) -> None:
        self.operators[who].hear()

    @rule(who=WHO, steps=st.integers(1, 12))
    def sweep(self, who: int, steps: int) -> None:
        operator = self.operators[who]
        operator.begin(operator.sweep())
        operator.step(steps)

    @rule(who=WHO)
    def kill(self, who: int) -> None:
        self.operators[who].restart()

    @rule(seconds=st.sampled_from([1, 1, 3, 3, 6, 6, 8, 8, 60, 60, 130, 130, 1_900, 16_000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(float(seconds))

    @rule(who=WHO, rounds=st.integers(1, 5))
    def all_goes_well(self, who: int, rounds: int) -> None:
        for _ in range(rounds):
            self.operators[who].live(3)
            self.world.move_one()
            self.world.end_job(complete=True)
            self.world.clock.advance(3.0)

    @rule(name=NODE, luck=LUCK)
    def abort(self, name: str, luck: int) -> None:
        if luck:
            return
        here = self.world.nodes.on.get(name, [])
        if here:
            failed = replace(here[0].instance, maintenance=ABORTED)
            here[0] = here[0]._replace(instance=failed)

    @rule(complete=st.booleans())
    def end_job(self, complete: bool) -> None:  # noqa: FBT001
        self.world.end_job(complete=complete)

    @rule()
    def take_the_job_away(self) -> None:
        """Only one that was seen: whoever deletes it before has it made once more."""
        window = self.world.window
        work = None if window is None else window.status.node_work
        if work is not None and work.job is not None and work.job_uid is not None:
            self.world.nodes.jobs.pop(work.job, None)

    @rule(name=NODE)
    def cordon_by_a_person(self, name: str) -> None:
        node = self.node(name)
        if node is not None and not (node.unschedulable or node.claim):
            self.world.nodes.foreign.add(name)
            self.world.nodes.put(name, unschedulable=True)

    @rule(name=NODE)
    def uncordon_by_a_person(self, name: str) -> None:
        if self.node(name) is not None:
            self.world.nodes.foreign.discard(name)
            self.world.nodes.put(name, unschedulable=False)

    @rule(name=NODE, ready=st.booleans())
    def report(self, name: str, ready: bool) -> None:  # noqa: FBT001
        if self.node(name) is not None:
            self.world.nodes.put(name, ready=ready)

    @rule(name=NODE, luck=LUCK)
    def lose(self, name: str, luck: int) -> None:
        if luck:
            return
        self.world.nodes.machines.pop(name, None)
        self.world.nodes.foreign.discard(name)

    @rule(luck=LUCK)
    def suspend(self, luck: int) -> None:
        self.world.edit(suspend=luck == 0)

    @rule(luck=LUCK)
    def take_node_maintenance_away(self, luck: int) -> None:
        if luck == 0:
            self.world.edit(node_maintenance=None)

    @precondition(lambda self: self.world.window is not None)
    @rule(luck=LUCK)
    def delete_the_window(self, luck: int) -> None:
        if luck == 0:
            self.world.nodes.windows.clear()

    def node(self, name: str) -> NodeView | None:
        return self.world.nodes.machines.get(name)

    def teardown(self) -> None:
        if not hasattr(self, "operators"):
            return
        for operator in self.operators:
            operator.restart()
        self.world.settle()
        for node in self.world.nodes.machines.values():
            assert not node.claim, f"{node.name} bears {node.claim} at rest"
            assert node.unschedulable == (node.name in self.world.nodes.foreign), node
        window = self.world.window
        assert window is None or window.status.node_work is None


TestNodeMachine: Any = NodeMachine.TestCase
TestNodeMachine.settings = settings(
    max_examples=int(os.environ.get("SCALESET_EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
)
