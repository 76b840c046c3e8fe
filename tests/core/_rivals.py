"""Two operators on one set under maintenance, each with a view of its own that may be behind.

The API server's part is exact: compare and swap on the status, preconditions on pods, names taken
once. What an operator has sent may arrive later, or never. It must not know the rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.decide import decide
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace, PublishMaintenance
from scaleset_operator.core.observed import Instance, Observed
from scaleset_operator.core.plan import (
    Action,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    Plan,
    PublishHealth,
    Record,
)
from scaleset_operator.core.windowview import Place, WindowView
from tests.core._stories import BOOT, MOST_ROUNDS
from tests.core._texts import broken_texts
from tests.core._upkeep import NEW, UpkeepStory
from tests.support.builders import instance

UNFENCED = (PublishHealth, PublishMaintenance)
ACT_LIFETIME = timedelta(seconds=5)
FINAL = (OperationResultCode.MAINTENANCE_COMPLETED, OperationResultCode.MAINTENANCE_ABORTED)


@dataclass
class Eye:
    """What one operator has heard, and what it has read live since its last record."""

    pods: dict[str, Instance]
    status: ScaleSetStatus
    version: int
    windows: list[WindowView]
    live_reads: frozenset[str] = frozenset()
    live_windows: frozenset[str] = frozenset()
    places: dict[str, Place | None] = field(default_factory=dict)
    listed: bool = False

    def forget(self) -> None:
        """Whatever was read live is to be read again."""
        self.live_reads = self.live_windows = frozenset()
        self.places, self.listed = {}, False


@dataclass
class Rivals(UpkeepStory):
    """The small world with an API server that several operators speak to.

    Attributes:
        version: of the status.
        late: acts under way: (when they arrive at the latest, act).
        attempts: (instance, mark) -> results that used up an attempt.
        failures: what was found wrong when an act arrived.
        exact: whether whoever acts now has seen all there is.
    """

    version: int = 0
    late: list[tuple[datetime, Action]] = field(default_factory=list)
    attempts: dict[tuple[str, str], list[OperationResultCode]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    exact: bool = True
    serial: int = 0

    def eye(self) -> Eye:
        """An operator that has just started, and listed everything."""
        status = self.seen.status
        return Eye(dict(self.pods), status, self.version, list(self.windows))

    def take_turn(
        self, eye: Eye, *, lost: Iterable[int] = (), delay: timedelta | None = None
    ) -> None:
        """One turn of one operator, as its reconciler takes it.

        Args:
            eye: its view; other writers' changes reach it by `hear` alone.
            lost: which steps (records and acts, counted from 0) it does not live to take.
            delay: how long its acts are under way; None: none.
        """
        step, dead = 0, set(lost)
        eye.forget()
        self.exact = eye.pods == self.pods and delay is None
        for _ in range(MOST_ROUNDS):
            plan = decide(self.spec, self._through(eye), self.now)
            assert not (broken := broken_texts(plan)), broken
            if self._read(eye, plan):
                continue
            fenced = any(not isinstance(act, UNFENCED) for act in plan.actions)
            if plan.record is Record.NOW or fenced:
                if step in dead or eye.version != self.version:
                    return
                step += 1
                self._record(eye, plan)
            if plan.record is not Record.NOW:
                acts = plan.actions[: min((n - step for n in dead if n >= step), default=None)]
                self._carry_all(eye, acts, delay)
                return
        message = "a turn did not settle"
        raise AssertionError(message)

    def _carry_all(self, eye: Eye, acts: Iterable[Action], delay: timedelta | None) -> None:
        for act in acts:
            if delay is None or isinstance(act, UNFENCED):
                self.send(act)
                self.hear(eye, [act.name])
            else:
                self.late.append((self.now + min(delay, ACT_LIFETIME), act))

    def _through(self, eye: Eye) -> Observed:
        known = self.pods, self.windows, self.seen
        self.pods, self.windows = eye.pods, eye.windows
        self.seen = replace(self.seen, status=eye.status)
        try:
            seen = self.observe()
        finally:
            self.pods, self.windows, self.seen = known
        live = tuple(replace(v, live=v.name in eye.live_windows) for v in seen.windows)
        return replace(
            seen,
            windows=live,
            places=dict(eye.places),
            live_reads=eye.live_reads,
            listed=eye.listed,
        )

    def _read(self, eye: Eye, plan: Plan) -> bool:
        """Read live what the plan asks for; whether there was anything."""
        windows = plan.read_windows - eye.live_windows
        pods = plan.reads - eye.live_reads
        places = plan.read_places - eye.places.keys()
        if plan.list_live and not eye.listed:
            eye.pods, eye.listed = dict(self.pods), True
            return True
        if windows:
            eye.windows = list(self.windows)
        self.hear(eye, pods)
        eye.live_windows |= windows
        eye.live_reads |= pods
        eye.places.update((name, self.places.get(name)) for name in places)
        return bool(windows or pods or places)

    def _record(self, eye: Eye, plan: Plan) -> None:
        before = self.entries
        self.version += 1
        self.seen = replace(self.seen, status=plan.status)
        eye.status, eye.version = plan.status, self.version
        if plan.record is Record.NOW:
            eye.forget()
        going = {(e.instance, e.start_time) for e in self.entries}
        for entry in before:
            over = (entry.instance, entry.start_time) not in going
            if over and entry.result in FINAL:
                self.attempts.setdefault((entry.instance, entry.mark), []).append(entry.result)

    def hear(self, eye: Eye, names: Iterable[str]) -> None:
        """The operator's view catches up with these pods."""
        for name in names:
            if name in self.pods:
                eye.pods[name] = self.pods[name]
            else:
                eye.pods.pop(name, None)

    def catch_up(self, eye: Eye, *, pods: bool = True, status: bool = True) -> None:
        """With all pods, with the status, or with both: the two are watched apart."""
        if pods:
            eye.pods, eye.windows = dict(self.pods), list(self.windows)
        if status:
            eye.status, eye.version = self.seen.status, self.version

    def deliver(self) -> None:
        """What was under way arrives."""
        due, self.late = self.late, []
        self.exact = False
        for until, act in due:
            if self.now <= until:
                self.send(act)

    # The API server.

    def send(self, act: Action) -> None:
        """Carry out one act, if its preconditions hold."""
        match act:
            case CreateInstance():
                self._make(act)
            case HoldPlace() if act.name in self.places:
                pass
            case EvictInstance():
                self._evict(act)
            case DeleteInstance() | AnswerRequest() if not self._is_current(act):
                pass
            case PublishHealth():
                pod = self.pods.get(act.name)
                same = pod is not None and pod.uid == act.uid
                if same and pod and act.resource_version in (None, pod.resource_version):
                    self._carry_out(act)
            case _:
                self._carry_out(act)

    def _is_current(self, act: DeleteInstance | AnswerRequest) -> bool:
        pod = self.pods.get(act.name)
        if pod is None or (pod.uid, pod.resource_version) != (act.uid, act.resource_version):
            return False
        until = act.not_after if isinstance(act, DeleteInstance) else None
        return until is None or self.now <= until

    def _make(self, act: CreateInstance) -> None:
        if act.name in self.pods:
            return
        self.serial += 1
        self.pods[act.name] = instance(
            number=act.instance_id,
            uid=f"uid-{act.name}-made-{self.serial}",
            update_domain=act.update_domain,
            model=act.model,
            created=self.now,
            started=None,
            health=None,
            attempt=act.attempt,
            replaces=act.replaces,
            mark=act.mark or "",
            maintenance=act.maintenance or "",
            own_labels=act.labels,
            node=NEW if act.node_labels and not act.mark else None,
        )
        self.told.pop(act.name, None)

    def _evict(self, act: EvictInstance) -> None:
        pod = self.pods.get(act.name)
        taken = len(self.evicted)
        before = self.available
        super()._evict(act)
        if len(self.evicted) == taken or pod is None:
            return
        if self.entry_of(act.uid) is None:
            self.failures.append(f"{act.name} was evicted without an entry")
        if not any(p.node and p.name == f"{act.name}-place" for p in self.places.values()):
            self.failures.append(f"{act.name} was evicted without a place")
        batch = max(1, self.spec.replicas // 5)
        away = {name for _, name, _ in self.evicted if not self._is_well(name)}
        if len(away) > batch:
            self.failures.append(f"{sorted(away)} are away at once")
        if self.exact and self._is_well(act.name, pod) and before <= self.spec.replicas - batch:
            self.failures.append(f"{act.name} was evicted with {before} available")

    def _is_well(self, name: str, pod: Instance | None = None) -> bool:
        """Whether it is there and Healthy, or was made up for under another name."""
        pod = pod or self.pods.get(name)
        if pod is None:
            return not any(e.instance == name for e in self.entries)
        healthy = pod.published is not None and pod.published.health is VMHealth.HEALTHY
        return healthy and pod.live

    def entry_of(self, uid: str) -> object:
        return next((e for e in self.entries if e.uid == uid), None)

    def next_moment(self, longest: timedelta) -> datetime:
        """When something happens by itself next, at most that far ahead."""
        booting = (pod.created + BOOT for pod in self.pods.values() if pod.started is None)
        moments = [*self.gone_at.values(), *booting]
        ahead = [at for at in moments if at > self.now]
        return min([*ahead, self.now + longest])
