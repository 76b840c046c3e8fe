"""The nodes' part in a window's turn: look, decide, and carry out what is recorded already.

What is decided anew is handed back, for the window's turn to write; its acts come with the next
turn, from the record. Whatever bears a claim that no record stands for is uncordoned by `sweep`.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from scaleset_operator.api.base import ConditionStatus, Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NodePhase, NodeWork
from scaleset_operator.core.conditions import Word
from scaleset_operator.core.noderecord import needed, works_on_nodes
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    DeleteJob,
    NodeAct,
    NodeScene,
    UncordonNode,
)
from scaleset_operator.core.nodework import node_plan
from scaleset_operator.core.pairing import partner_of
from scaleset_operator.core.pairturn import not_its_turn
from scaleset_operator.core.plan import Note
from scaleset_operator.core.windowwords import NODE_WORK, node_word
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.node_ports import NodeCluster, Occupant, Unreadable
from scaleset_operator.reconciler.occupancy import Census
from scaleset_operator.reconciler.ports import Clock, Cluster, Conflict, Gone, Key, Refused, TooOld
from scaleset_operator.reconciler.resources import Resources

log = logging.getLogger(__name__)

RETRY: Final = timedelta(seconds=1)
REFUSED_RETRY: Final = timedelta(minutes=5)
"""What is forbidden comes by a person's hand."""
SWEEP_EVERY: Final = timedelta(minutes=5)
FAULTY: Final = (NODE_WORK, "Ready")
RIGHTS: Final = (
    "work on nodes needs rights that an installation does not have by itself (nodeMaintenance."
    "enabled of the chart, or the components node-maintenance and node-jobs of manifests/)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTurn:
    """What a window's turn is handed back.

    Attributes:
        parts: of the window's status, to be written as they are; without any nothing is new.
        again: when the next turn is due.
        said: conditions: how far the node is, or why none is worked on; Ready, where none can be.
        notes: Events that go with the write.
    """

    parts: Mapping[str, Any] = field(default_factory=dict)
    again: datetime | None = None
    said: tuple[Word, ...] = ()
    notes: tuple[Note, ...] = ()


class NodeKeeper:
    """Takes the nodes' part in the turns of windows, one window at a time."""

    def __init__(
        self,
        nodes: NodeCluster,
        cluster: Cluster,
        resources: Resources,
        clock: Clock,
        leadership: Leadership | None = None,
    ) -> None:
        self._nodes = nodes
        self._resources = resources
        self._census = Census(resources, cluster)
        self._clock = clock
        self._leadership = leadership or Alone()
        self._refused: dict[Key, tuple[NodeWork, str]] = {}

    async def turn(self, window: MaintenanceWindow) -> NodeTurn:
        """The nodes' part of one window's turn; `window.status` is what stands recorded.

        Raises:
            Unavailable: the API server cannot be asked now.
        """
        if not works_on_nodes(window):
            return NodeTurn()
        try:
            return await self._turn(window)
        except (Conflict, Gone, TooOld):
            return NodeTurn(again=self._clock.now() + RETRY, said=_as_before(window))
        except Refused as no:
            return self._fault(no)

    async def sweep(self) -> datetime:
        """Uncordon every node whose claim no record stands for; returns when to sweep again.

        Raises:
            Unavailable: the API server cannot be asked now.
        """
        if not self._leadership.leads():
            return self._clock.now() + SWEEP_EVERY
        again = SWEEP_EVERY
        try:
            claimed = await self._nodes.claimed()
        except Refused:  # Whoever may not see nodes has cordoned none.
            return self._clock.now() + again
        for found in claimed:
            try:
                await self._unwind_unneeded(found.name)
            except (Conflict, Gone):
                again = RETRY
            # Another operator's window, or the rights were taken away.
            except (Refused, Unreadable) as no:
                log.warning("Node %s bears %r and is left alone: %s", found.name, found.claim, no)
        return self._clock.now() + again

    async def _unwind_unneeded(self, name: str) -> None:
        node = await self._nodes.node(name)
        if node is None or not node.claim:
            return
        namespace, _, rest = node.claim.partition("/")
        key = Key(namespace, rest.rpartition("/")[0])
        window = await self._nodes.window(key) if all(key) else None
        if needed(node, window):
            return
        log.warning("Node %s is uncordoned: nothing is recorded for %r", name, node.claim)
        act = UncordonNode(node=name, resource_version=node.resource_version)
        await self._nodes.uncordon(act)

    async def _turn(self, window: MaintenanceWindow) -> NodeTurn:
        status = window.status
        scene = await self._scene(window)
        now = self._clock.now()
        plan = node_plan(scene, now)
        if plan.work != status.node_work or plan.records != status.node_records:
            for act in plan.trial:
                await self._carry_out(window, act, trial=True)
            parts = {"node_work": plan.work, "node_records": plan.records}
            return NodeTurn(parts=parts, again=now, notes=plan.notes, said=(node_word(plan),))
        for act in plan.acts:
            try:
                await self._carry_out(window, act)
            except Refused as no:
                if status.node_work is None or status.node_work.phase is NodePhase.UNWINDING:
                    raise
                self._refused[_key(window)] = (status.node_work, str(no))
        again = now + RETRY if plan.acts else plan.look_again_at
        return NodeTurn(again=again, said=(node_word(plan),))

    async def _scene(self, window: MaintenanceWindow) -> NodeScene:
        """What the decision needs, and no more: each read is live."""
        work, where = window.status.node_work, window.metadata.namespace
        if work is None:
            return await self._wide_scene(window)
        node = await self._nodes.node(work.node)
        job = None if work.job is None else await self._nodes.job(window, work.job)
        here: Iterable[Occupant] = ()
        obstacle = ""
        if work.phase is NodePhase.EMPTYING:
            here = await self._nodes.occupants(where, work.node)
        if work.phase is not NodePhase.UNWINDING:
            obstacle = await self._obstacle(window)
        record, refused = self._refused.get(_key(window), (None, ""))
        return NodeScene(
            window=window,
            obstacle=obstacle,
            node=node,
            here=self._census.counted(window, work.iteration, here),
            job=job,
            refused=refused if record == work else "",
        )

    async def _wide_scene(self, window: MaintenanceWindow) -> NodeScene:
        """Every node, where one may be chosen now."""
        self._refused.pop(_key(window), None)
        now = self._clock.now()
        is_open = [o for o in window.status.announced if o.start_time <= now < o.end_time]
        obstacle = await self._obstacle(window) if is_open else ""
        if not is_open or obstacle:
            return NodeScene(window=window, obstacle=obstacle)
        occupants = self._census.by_node(window, is_open[0].iteration)
        if occupants is None:
            return NodeScene(window=window, obstacle="the view of the pods is too old to act on")
        return NodeScene(window=window, nodes=await self._nodes.nodes(), occupants=occupants)

    async def _obstacle(self, window: MaintenanceWindow) -> str:
        """What of the window itself stands against new work: it is suspended, or has no turn."""
        if window.spec.suspend:
            return "the window is suspended"
        named = partner_of(window)
        if named is None:
            return ""
        keys = (_key(window), Key(*named))
        try:
            own, partner = [await self._nodes.window(key) for key in keys]
        except Unreadable as fault:
            return str(fault)
        if own is None or own.metadata.uid != window.metadata.uid or partner_of(own) != named:
            return "the window has changed"
        return not_its_turn(own, partner)

    async def _carry_out(
        self, window: MaintenanceWindow, act: NodeAct, *, trial: bool = False
    ) -> None:
        match act:
            case CordonNode():
                await self._nodes.cordon(act, trial=trial)
            case UncordonNode():
                await self._nodes.uncordon(act)
            case CreateJob():
                spec = window.spec.node_maintenance
                if spec is not None:
                    await self._nodes.create_job(window, act, spec.job_template, trial=trial)
            case DeleteJob():
                await self._nodes.delete_job(window.metadata.namespace, act)
            case _:
                assert_never(act)

    def _fault(self, no: Refused) -> NodeTurn:
        said = f"{RIGHTS}: {no}" if no.reason is Reason.CREATE_FORBIDDEN else str(no)
        words = tuple(Word(kind, ConditionStatus.FALSE, no.reason, said) for kind in FAULTY)
        return NodeTurn(again=self._clock.now() + REFUSED_RETRY, said=words)


def _as_before(window: MaintenanceWindow) -> tuple[Word, ...]:
    """What was said last of its nodes."""
    said = (one for one in window.status.conditions if one.type == NODE_WORK)
    return tuple(Word(one.type, one.status, one.reason, one.message) for one in said)


def _key(window: MaintenanceWindow) -> Key:
    return Key(window.metadata.namespace, window.metadata.name)
