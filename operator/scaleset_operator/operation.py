"""The running operator: the parts, wired together, started in order and ended in reverse.

Decides nothing and speaks to nobody itself.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from scaleset_operator import __version__
from scaleset_operator.adapters.addresses import address_of, own_address
from scaleset_operator.adapters.agents import AgentLeases
from scaleset_operator.adapters.candidacy import Candidacy, Membership, OnlyReplica, SteadyCalendar
from scaleset_operator.adapters.census import Census
from scaleset_operator.adapters.cluster.approvals import ApprovalWriter
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.adapters.cluster.policies import PolicyReader
from scaleset_operator.adapters.cluster.revisions import RevisionStore
from scaleset_operator.adapters.definitions import await_definitions
from scaleset_operator.adapters.ending import Program, end
from scaleset_operator.adapters.logs import about
from scaleset_operator.adapters.metrics.outbound import OutboundGauges
from scaleset_operator.adapters.metrics.parts import PartGauges
from scaleset_operator.adapters.metrics.registry import Metrics
from scaleset_operator.adapters.metrics.sets import SetGauges
from scaleset_operator.adapters.pages import Pages, PageServer
from scaleset_operator.adapters.probes import ProberProbes
from scaleset_operator.adapters.scheduled_events.approval import Approvals
from scaleset_operator.adapters.scheduled_events.service import event_server
from scaleset_operator.adapters.starts import Starts
from scaleset_operator.adapters.vitals import Vitals
from scaleset_operator.adapters.windowing import Windowing
from scaleset_operator.handlers import watching
from scaleset_operator.handlers.supervision import CustomResourceWatch
from scaleset_operator.reconciler.ear import Ear
from scaleset_operator.reconciler.journal import Journal
from scaleset_operator.reconciler.outbound_turn import OutboundReporter
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.probe_turn import ProbeReporter
from scaleset_operator.reconciler.queue import KeyQueue
from scaleset_operator.reconciler.recorder import Recorder, Write
from scaleset_operator.reconciler.recording import record
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.turn import Reconciler
from scaleset_operator.reconciler.versions import key_of
from scaleset_operator.reconciler.window_turn import WindowReporter
from scaleset_operator.settings import Settings

NAMES: Final = ("ScaleSet", "HealthProbe", "MaintenanceWindow", "OutboundRule")
Reporter = ProbeReporter | WindowReporter | OutboundReporter
RECORDED: Final = {watching.SCALE_SETS: "ScaleSet", watching.HEALTH_PROBES: "HealthProbe"}
"""What a set's turns depend on; a replay takes these."""
_log = logging.getLogger(__name__)


class Operation(Program):
    """An async context: inside it, the operator runs and turns are taken; watches end first."""

    def __init__(
        self, settings: Settings, clock: SteadyCalendar, record: Write | None = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._resources = Resources(windows_heard=False)
        self._vitals = Vitals()
        self._journal = Journal()
        self._metrics = Metrics(__version__)
        self._recorder = None if record is None else Recorder(clock, record, __version__)
        self._watch_starts = 0
        self._recount = asyncio.Event()
        lease = (settings.lease_namespace, settings.lease_name)
        member = Membership.of(*lease, settings.pod_name, settings.vantage_secret)
        self._replica = Candidacy(member, clock) if settings.leader_elect else OnlyReplica()

    async def _start(self) -> None:
        self._run("heart", self._vitals.keep_beating())
        pages = self._serve_pages()
        connection = self._vitals.api = await Connection.open()
        connection.told = self._metrics.api_request
        self._replica.fence(connection)
        self._exits.push_async_callback(connection.close)
        await await_definitions(connection, watching.KINDS)
        frequent = Starts.on(connection.server).note(self._clock.now())
        self._probes = ProberProbes(self._clock, self._wake, frequent_restarts=frequent)
        self._exits.push_async_callback(self._probes.close)
        given = self._settings
        self._cluster = KubernetesCluster(connection, self._clock, self._wake, given.namespaces)
        self._exits.push_async_callback(self._cluster.close)
        of_windows = (given.placeholder_image, given.notifications_dir, given.lease_namespace)
        self._windowing = Windowing(connection, self._cluster, self._clock, *of_windows)
        self._agents = AgentLeases(connection, given.lease_namespace, self._wake_rules)
        self._reconciler = self._loop(connection)
        self._line_up()
        reference = await address_of(connection.server)
        self._probes.start([reference])
        await self._cluster.start()
        self._show()
        self._serve_events(connection)
        for kind, queue in self._queues.items():
            self._run(f"{kind} turns", queue.run())
        for name, beside in self._windowing.queues.items():
            self._run(name, beside.run())
        self._listen()
        self._run("agents", self._agents.run())
        self._run("census", self._count(connection).run())
        address = own_address(self._settings.address, pages.port, reference)
        self._replica.start(address, self._is_fit, self._take_over)
        self._exits.push_async_callback(self._step_down)

    def _line_up(self) -> None:
        self._queue = KeyQueue[Key](
            turn=self._turn, clock=self._clock, ended=self._metrics.turns_of("ScaleSet")
        )
        parts = (self._resources, self._cluster, self._clock, self._replica.leadership)
        probes = self._reports("HealthProbe", ProbeReporter(*parts))
        reporter = self._windowing.reporter(self._resources, self._replica.leadership)
        windows = self._reports("MaintenanceWindow", reporter)
        rules = self._reports("OutboundRule", OutboundReporter(*parts, self._agents))
        queues = (self._queue, probes, windows, rules)
        self._queues: Mapping[str, KeyQueue[Key]] = dict(zip(NAMES, queues, strict=True))
        self._ear: Ear = Ear(self._resources, *(queue.wake for queue in queues))
        self._windowing.hear_of_nodes(self._ear)

    def _reports(self, kind: str, reporter: Reporter) -> KeyQueue[Key]:
        """The queue of a kind about which is only told: one at a time."""
        ended = self._metrics.turns_of(kind)
        return KeyQueue[Key](turn=reporter.turn, clock=self._clock, workers=1, ended=ended)

    def _is_fit(self) -> bool:
        return all(check.fine for check in self._vitals.alive())

    def _take_over(self) -> None:
        """Everything is looked at at once."""
        for kind, queue in zip(watching.KINDS, self._queues.values(), strict=True):
            for key in self._known(kind):
                queue.wake(key)
        self._windowing.sweep_soon()

    async def _step_down(self) -> None:
        """The first thing to end: whoever comes next need not wait for the rest."""
        for name in (*(f"{kind} turns" for kind in self._queues), *self._windowing.queues):
            await end(self._vitals.tasks[name])
        await self._replica.close()

    def _loop(self, connection: Connection) -> Reconciler:
        """The loop on its ports, each of them written down where that is wanted."""
        place = self._settings  # Policies are compared with the pod this process runs in.
        loop = Reconciler(
            resources=self._resources,
            cluster=self._cluster,
            probes=self._probes,
            clock=self._clock,
            revisions=RevisionStore(connection),
            account=self._metrics,
            policies=PolicyReader(connection, namespace=place.pod_namespace, pod=place.pod_name),
            leadership=self._replica.leadership,
            vantage=self._replica.vantage(self._probes),
            relocations=self._windowing.relocations,
        )
        if self._recorder is not None:
            record(loop, self._recorder)
        return loop

    def _show(self) -> None:
        """Let health and metrics see the parts, now that there are some."""
        self._vitals.prober, self._vitals.pods = self._probes, self._cluster.view
        self._vitals.queues += self._queues.values()
        self._metrics.watch(SetGauges(self._reconciler.last_plans))
        leads = self._replica.leadership.leads
        rules = self._resources.rules.all
        self._metrics.watch(OutboundGauges(rules=rules, agents=self._agents, leads=leads))
        parts = PartGauges(
            queues=self._queues,
            pods=self._cluster.view,
            prober=self._probes,
            watch_starts=lambda: self._watch_starts,
            leads=leads,
            voted=self._replica.votes,
        )
        self._metrics.watch(parts)

    def _run(self, name: str, work: Any) -> None:
        task = self._vitals.tasks[name] = asyncio.create_task(work)
        self._exits.push_async_callback(end, task)

    def _serve_pages(self) -> PageServer:
        """First of all: whoever waits for definitions to be applied is alive and not ready."""
        vitals = self._vitals
        vitals.leadership = self._replica.words
        pages = Pages(
            alive=vitals.alive,
            ready=vitals.ready,
            measured=self._metrics.page,
            asked=self._replica.answer,
        )
        server = PageServer(self._settings.address, self._settings.port, pages)
        server.start()
        self._exits.push_async_callback(asyncio.to_thread, server.close)
        return server

    def _serve_events(self, connection: Connection) -> None:
        """What instances may ask, where they are to be answered."""
        if self._settings.events_port is None:
            return
        view, sets = self._cluster.view, self._resources.scale_set
        writer = ApprovalWriter(connection, view, self._settings.namespaces)
        leads, tell = self._replica.leadership, self._cluster.tell
        approvals = Approvals(sets, writer, leads, tell, self._clock.now)
        asked = self._metrics.asked_for_events
        server = event_server(self._settings.events_port, view, sets, approvals, asked)
        server.start()
        self._exits.push_async_callback(asyncio.to_thread, server.close)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        watch = CustomResourceWatch(
            loop, self._heard, self._settings.namespaces, began=self._watching
        )
        watch.start()
        self._exits.push_async_callback(asyncio.to_thread, watch.stop)

    def _watching(self) -> None:
        """The watch of the custom resources begins, or begins again."""
        self._watch_starts += 1
        self._recount.set()

    def _count(self, connection: Connection) -> Census:
        """What is there no more is dropped where it was not heard to go."""

        def gone(kind: str, key: Key) -> None:
            body = {"metadata": {"namespace": key.namespace, "name": key.name}}
            self._heard(kind, gone=True, body=body)

        return Census(
            connection=connection,
            kinds=watching.KINDS,
            namespaces=self._settings.namespaces,
            known=self._known,
            unreadable=self._resources.unreadable_keys,
            gone=gone,
            whole=self._heard_all,
            again=self._recount,
        )

    def _heard_all(self) -> None:
        """Everything that there is has been heard of: a window that was not is none."""
        self._vitals.hear_all()
        if self._resources.hear_of_all_windows():
            self._take_over()

    def _known(self, kind: str) -> tuple[Key, ...]:
        return dict(zip(watching.KINDS, self._resources.keys_by_kind(), strict=True))[kind]

    def _wake(self, key: Key) -> None:
        self._queue.wake(key)

    def _wake_rules(self) -> None:
        self._ear.wake_rules()

    async def _turn(self, key: Key) -> Any:
        about(namespace=key.namespace, scaleset=key.name)
        turn = self._reconciler.turn
        again = await (turn(key) if self._recorder is None else self._recorder.turn(key, turn))
        plan = self._reconciler.last_plan(key)
        self._journal.note(key, plan)
        if plan is not None:
            _log.debug("%s/%s: %s", *key, plan)
        self._ear.wake_probes_of(self._resources.scale_set(key))
        self._ear.wake_windows_of(key)
        self._ear.wake_rules_of(key)
        return again

    def _heard(self, kind: str, gone: bool, body: Mapping[str, Any]) -> None:  # noqa: FBT001 - shape of Heard
        """An event of a custom resource: keep it, and wake whom it concerns."""
        key, ear = key_of(body), self._ear
        if self._recorder is not None and kind in RECORDED:
            self._recorder.heard(RECORDED[kind], body, gone=gone)
        heard = (ear.heard_of_set, ear.heard_of_probe, ear.heard_of_window, ear.heard_of_rule)
        dict(zip(watching.KINDS, heard, strict=True))[kind](key, gone=gone, body=body)
        if gone and kind == watching.MAINTENANCE_WINDOWS:
            self._windowing.sweep_soon()
