"""What the agents of nodes report, read while a pause is under way, node by node, at its own pace.

Nothing is watched, and a set of which nobody is paused costs no request. How old a report is goes
by when it was seen to change, so that no clock of a node counts. Chooses nothing.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.core.agentview import AgentView, PauseAnswer
from scaleset_operator.core.plan import Plan
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import Clock
from scaleset_operator.reconciler.relocations import Relocations, Reported

AGAIN: Final = timedelta(seconds=3)
"""A report is read at most so often; an agent writes at most once a second."""
CONTINUOUS: Final = timedelta(seconds=30)
"""After a longer gap nobody can say when it changed: it is seen for the first time again."""


class Inquirer:
    """Reads the reports that one set's plans ask for."""

    def __init__(self, relocations: Relocations, clock: Clock) -> None:
        self._relocations = relocations
        self._clock = clock

    async def look(self, plan: Plan, memory: Memory) -> bool:
        """Read what is asked for and due; whether anything was read."""
        now = self._clock.now()
        known = {node: memory.agents[node] for node in plan.ask_agents & memory.agents.keys()}
        due = sorted(n for n in plan.ask_agents if n not in known or now >= known[n].read + AGAIN)
        found = await asyncio.gather(*(self._relocations.read_report(node) for node in due))
        for node, reported in zip(due, found, strict=True):
            known[node] = _view(known.get(node), reported, now)
        memory.agents = known
        return bool(due)


def _view(before: AgentView | None, found: Reported | None, now: datetime) -> AgentView:
    if found is None:
        return AgentView(read=now)
    renewed = None
    if before is not None and before.version is not None and now - before.read <= CONTINUOUS:
        renewed = before.renewed if before.version == found.version else now
    pauses = found.report.pauses.items()
    answers = {
        uid: PauseAnswer(id=one.id, state=one.state, message=one.message) for uid, one in pauses
    }
    return AgentView(read=now, version=found.version, renewed=renewed, answers=answers)
