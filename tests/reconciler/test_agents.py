"""Reports of nodes' agents: read while they are asked for, at their own pace, and dated by us."""

from datetime import timedelta

from scaleset_operator.api.agentreport import AgentReport, PauseReport, PauseState
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.agentview import PauseAnswer
from scaleset_operator.core.plan import Plan
from scaleset_operator.reconciler.agents import AGAIN, CONTINUOUS, Inquirer
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.relocations import NoRelocations, Reported
from tests.support.fake_clock import FakeClock

SECOND = timedelta(seconds=1)
PAUSED = PauseReport(id="r1", state=PauseState.PAUSED)


class Told(NoRelocations):
    """Reports as they are set, each reading noted."""

    def __init__(self) -> None:
        self.reports: dict[str, Reported] = {}
        self.read: list[str] = []

    def renew(self, node: str, version: str) -> None:
        report = AgentReport(version="1", node=node, pauses={"u1": PAUSED})
        self.reports[node] = Reported(version=version, report=report)

    async def read_report(self, node: str) -> Reported | None:
        self.read.append(node)
        return self.reports.get(node)


class Asking:
    """One set's plans that ask, over time."""

    def __init__(self) -> None:
        self.clock, self.told, self.memory = FakeClock(), Told(), Memory()
        self.inquirer = Inquirer(self.told, self.clock)

    async def ask(self, *nodes: str, after: timedelta = timedelta(0)) -> bool:
        self.clock.advance(after)
        plan = Plan(status=ScaleSetStatus(), ask_agents=frozenset(nodes))
        return await self.inquirer.look(plan, self.memory)


async def test_reports_are_read_only_while_they_are_asked_for_and_every_three_seconds() -> None:
    """G9: a set of which nobody is paused costs no request."""
    asking = Asking()
    assert not await asking.ask()
    assert await asking.ask("node-1")
    assert not await asking.ask("node-1", after=AGAIN - SECOND)
    assert await asking.ask("node-1", "node-2", after=SECOND)
    assert asking.told.read == ["node-1", "node-1", "node-2"]
    assert not await asking.ask()
    assert asking.memory.agents == {}


async def test_an_agent_is_there_once_its_report_was_seen_to_change() -> None:
    """M-02: by our own clock alone; what stands there from before may be of any age."""
    asking = Asking()
    asking.told.renew("node-1", "7")
    await asking.ask("node-1")
    assert asking.memory.agents["node-1"].renewed is None
    assert asking.memory.agents["node-1"].answers == {
        "u1": PauseAnswer(id="r1", state=PauseState.PAUSED)
    }
    await asking.ask("node-1", after=AGAIN)
    assert asking.memory.agents["node-1"].renewed is None
    asking.told.renew("node-1", "8")
    await asking.ask("node-1", after=AGAIN)
    changed = asking.clock.now()
    assert asking.memory.agents["node-1"].renewed == changed
    await asking.ask("node-1", after=AGAIN)
    assert asking.memory.agents["node-1"].renewed == changed


async def test_after_a_gap_nobody_knows_when_it_changed() -> None:
    """X-10: the process may have been stopped for hours, and the agent have died meanwhile."""
    asking = Asking()
    asking.told.renew("node-1", "7")
    await asking.ask("node-1")
    asking.told.renew("node-1", "8")
    await asking.ask("node-1", after=CONTINUOUS + SECOND)
    assert asking.memory.agents["node-1"].renewed is None


async def test_a_report_that_is_not_there_or_goes_is_no_agent() -> None:
    """M-02."""
    asking = Asking()
    await asking.ask("node-1")
    assert asking.memory.agents["node-1"].version is None
    asking.told.renew("node-1", "1")
    await asking.ask("node-1", after=AGAIN)
    assert asking.memory.agents["node-1"].renewed is None, "it may have been made long ago"
    del asking.told.reports["node-1"]
    await asking.ask("node-1", after=AGAIN)
    assert asking.memory.agents["node-1"].version is None
