"""What turns of windows are made with on a real cluster: moves, nodes, whoever is to be told.

Wires parts and decides nothing. Must not know what a turn does.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.adapters.cluster.nodecache import NodeNews
from scaleset_operator.adapters.cluster.nodework import NodeGateway
from scaleset_operator.adapters.cluster.relocations import KubernetesRelocations
from scaleset_operator.adapters.notifications.notifier import FileNotifier, Nobody
from scaleset_operator.reconciler.ear import Ear
from scaleset_operator.reconciler.leadership import Leadership
from scaleset_operator.reconciler.node_turn import NodeKeeper
from scaleset_operator.reconciler.notifying import Notifying
from scaleset_operator.reconciler.ports import Clock
from scaleset_operator.reconciler.queue import KeyQueue
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.window_turn import WindowReporter

NODES: Final = "nodes"
"""The one key of the sweep: what we cordoned and nobody works on any more is uncordoned."""


class Windowing:
    """The parts, and the queues that run beside those of the kinds.

    Attributes:
        relocations: what sets' turns need, too.
        queues: name -> queue.
    """

    def __init__(
        self,
        connection: Connection,
        cluster: KubernetesCluster,
        clock: Clock,
        placeholder_image: str,
        notifications_dir: str,
        agents: str,
    ) -> None:
        """Prepares them; nothing is sent before a turn.

        Args:
            connection: to the API server.
            cluster: what sets' turns use.
            clock: the operator's own.
            placeholder_image: of pods that hold a place.
            notifications_dir: where audiences are looked up; empty for nobody.
            agents: the namespace in which nodes' agents report.
        """
        self._connection, self._cluster, self._clock = connection, cluster, clock
        self._folder = notifications_dir
        parts = (connection, cluster.view, clock)
        self.relocations = KubernetesRelocations(*parts, placeholder_image, agents)
        self.queues: dict[str, KeyQueue[Any]] = {}

    def reporter(self, resources: Resources, leadership: Leadership) -> WindowReporter:
        """The turns of windows, with the queues beside them."""
        clock, cluster = self._clock, self._cluster
        gateway = NodeGateway(self._connection, clock)
        self._keeper = NodeKeeper(gateway, cluster, resources, clock, leadership)
        notifier = FileNotifier(Path(self._folder), clock.now) if self._folder else Nobody()
        telling = Notifying(resources, cluster, clock, notifier, leadership, cluster.tell_window)
        sweeps = KeyQueue[str](turn=self._sweep, clock=clock, workers=1)
        self.queues = {"notices": telling.queue, "node sweeps": sweeps}
        return WindowReporter(
            resources,
            cluster,
            clock,
            leadership,
            self.relocations,
            cluster.tell_window,
            keeper=self._keeper,
            wake_notices=telling.wake,
        )

    def hear_of_nodes(self, ear: Ear) -> None:
        """Have whoever goes by nodes look again when they are others.

        A claim that comes is looked at at once: its patch may have been slower than the end of its
        window, or made by an operator that was slower than ours.
        """
        view = self._cluster.view
        view.on_nodes(NodeNews.LABELS, ear.wake_maintained)
        view.on_nodes(NodeNews.WORK, ear.wake_node_work)
        view.on_nodes(NodeNews.CLAIM, self.sweep_soon)

    def sweep_soon(self) -> None:
        """A cordon of ours may be one that nothing is recorded for."""
        self.queues["node sweeps"].wake(NODES)

    async def _sweep(self, _: str) -> datetime:
        return await self._keeper.sweep()
