"""The running node agent: watches, work and report wired together; started and ended in order.

Decides nothing, and speaks to nobody itself. Ended, it leaves rules and pauses as they stand.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

from scaleset_operator import __version__
from scaleset_operator.adapters.cluster.agentlease import AgentLease
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.errors import cut
from scaleset_operator.adapters.cluster.kept import Kept
from scaleset_operator.adapters.cluster.reflector import Reflector
from scaleset_operator.adapters.ending import Program, end
from scaleset_operator.adapters.metrics.agent import AgentFigures, AgentMetrics
from scaleset_operator.adapters.pages import Pages, PageServer
from scaleset_operator.adapters.vitals import Check
from scaleset_operator.agent import heldaddresses, podgroups
from scaleset_operator.agent.conntrack import Conntrack
from scaleset_operator.agent.freezer import Freezer
from scaleset_operator.agent.lastknown import Known, LastKnown
from scaleset_operator.agent.members import Member, member_of
from scaleset_operator.agent.nft import Nft, NftError
from scaleset_operator.agent.nodeagent import NodeAgent, Parts
from scaleset_operator.agent.options import AgentOptions
from scaleset_operator.agent.pausedesk import PauseDesk
from scaleset_operator.agent.plane import Plane
from scaleset_operator.api.agentreport import RENEWED_EVERY_S, AgentReport
from scaleset_operator.api.base import API_VERSION
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.reconciler.ports import Clock, Conflict, Gone, Refused, Unavailable

READ_EVERY_S: Final = 15.0
"""How often usage is read, and the rules are looked at again."""
SETTLE_S: Final = 0.2
"""What changes together is carried out together."""
SWEEP_EVERY_S: Final = 1.0
REPORT_NO_SOONER_S: Final = 1.0
STUCK_S: Final = 120.0
"""No round of work takes so long: nft and conntrack have time-outs of their own."""
PAUSES: Final = "pauses"
"""The folder of the pauses' records, in the agent's own."""
_READING: Final = {"used": 0, "peak": 0, "flows": 0, "hottest": None, "denied": 0}
"""What of an instance's report changes all the time, and can wait for the next renewal."""
_log = logging.getLogger(__name__)


class AgentOperation(Program):
    """An async context: inside it, the agent runs; ended, it leaves what stands on the node."""

    def __init__(self, options: AgentOptions, clock: Clock) -> None:
        super().__init__()
        self._options = options
        self._clock = clock
        self._agent = agent_of(options, clock)
        self._recalled: Known | None = None
        self._pods = Kept[Member](member_of, self._wake)
        self._rules = Kept[OutboundRule](OutboundRule.model_validate, self._wake)
        self._stirred = {name: asyncio.Event() for name in ("work", "pauses", "report")}
        self._watches: tuple[Reflector, ...] = ()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beats: dict[str, float] = {}

    async def _start(self) -> None:
        options = self._options
        options.state.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._agent.sweep)
        self._recalled = await asyncio.to_thread(self._agent.recall)
        metrics = AgentMetrics(self._figures)
        pages = Pages(alive=self._alive, ready=self._ready, measured=metrics.page)
        server = PageServer(options.address, options.port, pages)
        server.start()
        self._exits.push_async_callback(asyncio.to_thread, server.close)
        connection = await Connection.open()
        self._exits.push_async_callback(connection.close)
        pods = Reflector(
            connection, "/api/v1/pods", self._pods, fields=f"spec.nodeName={options.node}"
        )
        rules = Reflector(connection, f"/apis/{API_VERSION}/outboundrules", self._rules)
        self._watches = (pods, rules)
        lease = AgentLease(connection, options.namespace, options.node)
        self._run("pods", pods.run())
        self._run("rules", rules.run())
        self._run("work", self._work())
        self._run("pauses", self._pause())
        self._run("report", self._tell(lease))

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[name] = asyncio.create_task(work)
        self._exits.push_async_callback(end, task)

    # --- Work -----------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Rules into the kernel as they change, and readings out of it."""
        read_at = 0.0
        while True:
            self._beats["work"] = time.monotonic()
            known = self._known()
            if known is not None:
                await asyncio.to_thread(self._agent.see, known)
            if time.monotonic() >= read_at:
                await asyncio.to_thread(self._agent.read)
                read_at = time.monotonic() + READ_EVERY_S
            self._stirred["report"].set()
            await self._stir("work", max(0.0, read_at - time.monotonic()))
            await asyncio.sleep(SETTLE_S)

    async def _pause(self) -> None:
        """Pauses begun, ended and swept, apart from the rules: neither waits for the other."""
        while True:
            self._beats["pauses"] = time.monotonic()
            await asyncio.to_thread(self._agent.sweep)
            # Not what is recalled: a request may have come since, and its pause must not end.
            if (heard := self._heard()) is not None:
                await asyncio.to_thread(self._agent.pause, heard.members)
            self._stirred["report"].set()
            await self._stir("pauses", SWEEP_EVERY_S)

    async def _tell(self, lease: AgentLease) -> None:
        """The report: when something that matters changed, and every half minute."""
        told: AgentReport | None = None
        told_at, failed = 0.0, ""
        while True:
            self._beats["report"] = time.monotonic()
            report = self._agent.report()
            due = time.monotonic() - told_at >= RENEWED_EVERY_S
            if self._known() is not None and (due or substance(report) != told):
                try:
                    await lease.write(report.text(), self._clock.now())
                    told, told_at, failed = substance(report), time.monotonic(), ""
                except (Unavailable, Gone, Conflict, Refused) as fault:
                    said = cut(str(fault))
                    if said != failed:
                        _log.warning("The report could not be written: %s; it is tried on", said)
                    failed = said
                await asyncio.sleep(REPORT_NO_SOONER_S)
            await self._stir("report", REPORT_NO_SOONER_S)

    async def _stir(self, name: str, within: float) -> None:
        """Waits for something new, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred[name].wait(), within)
        self._stirred[name].clear()

    def _wake(self) -> None:
        for name in ("work", "pauses"):
            self._stirred[name].set()

    def _known(self) -> Known | None:
        """What is known: as heard, until then as kept from before; None for nothing yet."""
        return self._heard() or self._recalled

    def _heard(self) -> Known | None:
        """What was heard since this agent started; None until it is the whole of it."""
        if self._pods.whole and self._rules.whole:
            return Known(self._pods.values(), self._rules.values())
        return None

    # --- What is seen from outside -----------------------------------------------------------

    def _alive(self) -> tuple[Check, ...]:
        """For what only a new start cures; an API server that is away is none of it."""
        now = time.monotonic()
        late = [name for name, beat in list(self._beats.items()) if now - beat > STUCK_S]
        ended = [name for name, task in list(self._tasks.items()) if task.done()]
        return (
            Check("rounds", not late, f"stuck: {', '.join(late)}" if late else "all go on"),
            Check("parts", not ended, f"ended: {', '.join(ended)}" if ended else "all run"),
        )

    def _ready(self) -> tuple[Check, ...]:
        fault = self._agent.fault
        heard = self._pods.whole and self._rules.whole
        return (
            Check("heard", heard, "pods and rules were listed" if heard else "not listed yet"),
            Check("rules", not fault, fault or "carried out"),
        )

    def _figures(self) -> AgentFigures:
        agent, tally = self._agent, self._agent.tally
        return AgentFigures(
            outlets=agent.outlets(),
            refused=agent.refused(),
            paused=agent.paused(),
            changes=tally.changes,
            failures=tally.failures,
            ended=tally.ended,
            readings=tally.readings,
            fault=bool(agent.fault),
            in_touch=bool(self._watches) and all(watch.in_touch for watch in self._watches),
        )


def agent_of(options: AgentOptions, clock: Clock) -> NodeAgent:
    """The agent of this node, which has done nothing yet."""
    freezer = Freezer(options.state / PAUSES, options.homes)

    def group_of(uid: str) -> Path | None:
        return podgroups.group_of(options.cgroups, uid)

    parts = Parts(
        plane=Plane(Nft(), Conntrack()),
        desk=PauseDesk(freezer, options.state, group_of, clock.now),
        last=LastKnown(options.state),
        fib_trie=heldaddresses.FIB_TRIE.read_text,
        inside=options.inside,
    )
    return NodeAgent(parts, node=options.node, version=__version__)


def uninstall(options: AgentOptions, clock: Clock) -> int:
    """Takes everything of the agent off the node; returns the exit status."""
    try:
        there = agent_of(options, clock).remove()
    except NftError as fault:
        _log.critical("%s", fault)
        return 1
    LastKnown(options.state).forget()
    _log.info("the node's rules were taken away" if there else "there were no rules")
    return 0


@contextlib.contextmanager
def served_while_away(options: AgentOptions) -> Iterator[None]:
    """Inside it, an agent that has taken its rules away answers as alive and ready.

    Else a DaemonSet gets no further than its first node, and what waits there is ended.

    Raises:
        CannotListenError: it cannot be asked.
    """
    away = (Check("away", fine=True, detail="the node's rules were taken away"),)
    nothing = (b"", "text/plain; version=0.0.4; charset=utf-8")
    pages = Pages(alive=lambda: away, ready=lambda: away, measured=lambda _: nothing)
    server = PageServer(options.address, options.port, pages)
    server.start()
    try:
        yield
    finally:
        server.close()


def substance(report: AgentReport) -> AgentReport:
    """What of a report is told at once when it changes."""
    instances = {name: one.model_copy(update=_READING) for name, one in report.instances.items()}
    return report.model_copy(update={"instances": instances})
