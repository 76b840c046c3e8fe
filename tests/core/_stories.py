"""How core's tests tell a story: each state is the outcome of the last plan.

`settle` takes one turn's rounds without its acts: read, list and record until the plan stands.
`Story` also carries out the acts on its pods and lets time pass. It must not know the rules.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.decide import decide
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.observed import Evidence, Instance, Observed, Outcome, Published
from scaleset_operator.core.plan import (
    Action,
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    Plan,
    PublishHealth,
    Record,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.core.windowview import Place, WindowView
from tests.core._texts import broken_texts
from tests.support.builders import MODEL, instance, instances, observed
from tests.support.fake_clock import T0

MOST_ROUNDS = 12
BOOT = timedelta(seconds=10)
LINGER = timedelta(seconds=5)


class Settled(NamedTuple):
    """A turn up to its acts: the recorded observation and every plan on the way."""

    seen: Observed
    plans: tuple[Plan, ...]

    @property
    def plan(self) -> Plan:
        return self.plans[-1]

    @property
    def entries(self) -> tuple[RepairEntry, ...]:
        return self.plan.status.repairs.in_flight


def settle(
    spec: ScaleSetSpec,
    seen: Observed,
    now: datetime = T0,
    places: Mapping[str, Place] | None = None,
) -> Settled:
    """Read live, list and record as the plans ask, until one stands on its record.

    Args:
        spec: of the set.
        seen: what is observed, with what is read live beside it.
        now: time of all rounds.
        places: the placeholders that there are.
    """
    there = places or {}
    plans: list[Plan] = []
    for _ in range(MOST_ROUNDS):
        plan = decide(spec, seen, now)
        assert not (broken := broken_texts(plan)), broken
        assert plan.look_again_at is None or plan.look_again_at > now
        plans.append(plan)
        if plan.list_live and not seen.listed:
            seen = replace(seen, listed=True)
        elif plan.reads - seen.live_reads:
            seen = replace(seen, live_reads=seen.live_reads | plan.reads)
        elif plan.read_windows - {view.name for view in seen.windows if view.live}:
            seen = replace(seen, windows=_read_live(seen, plan.read_windows))
        elif plan.read_places - seen.places.keys():
            found = {name: there.get(name) for name in plan.read_places}
            seen = replace(seen, places={**seen.places, **found})
        elif plan.record is Record.NOW:
            seen = replace(seen, status=plan.status, live_reads=frozenset(), listed=False)
            seen = replace(seen, windows=_not_live(seen), places={})
        else:
            return Settled(replace(seen, status=plan.status), tuple(plans))
    told = "; ".join(str(plan) for plan in plans)
    raise AssertionError(told)


def _read_live(seen: Observed, names: Collection[str]) -> tuple[WindowView, ...]:
    return tuple(replace(v, live=v.live or v.name in names) for v in seen.windows)


def _not_live(seen: Observed) -> tuple[WindowView, ...]:
    return tuple(replace(v, live=False) for v in seen.windows)


def a_set(size: int = 40, *, bad: dict[int, Any] | None = None, **fields: Any) -> Observed:
    """A set of running instances; those in `bad` are published Unhealthy, with that evidence."""
    bad = bad or {}
    pods = fields.pop("instances", instances(size, unhealthy=bad))
    return observed(instances=pods, bad={f"web-{n}": what for n, what in bad.items()}, **fields)


def wrong(*numbers: int) -> dict[int, Any]:
    """Those instances answer 503."""
    return dict.fromkeys(numbers, Outcome.WRONG_STATUS)


def reasons(plan: Plan) -> dict[str, Reason]:
    """Instance -> the reason of what was decided for it."""
    return {decision.instance: decision.reason for decision in plan.decisions}


def deleted(plan: Plan) -> set[str]:
    return {act.name for act in plan.actions if isinstance(act, DeleteInstance)}


def created(plan: Plan) -> set[str]:
    return {act.name for act in plan.actions if isinstance(act, CreateInstance)}


def published(plan: Plan) -> dict[str, PublishHealth]:
    return {act.name: act for act in plan.actions if isinstance(act, PublishHealth)}


def under_repair(plan: Plan) -> set[str]:
    return {entry.instance for entry in plan.status.repairs.in_flight}


def condition(plan: Plan, kind: str) -> tuple[str, str] | None:
    """(status, reason) of one condition; None when it is not there."""
    found = (c for c in plan.status.conditions if c.type == kind)
    return next(((c.status.value, c.reason) for c in found), None)


def entry(number: int, replacement: int | None = None, **fields: Any) -> dict[str, Any]:
    """A repair of one instance, recorded a second ago, by the wire's names."""
    times = {"startTime": fields.pop("start", T0 - timedelta(seconds=1)).isoformat()}
    if "deleted" in fields:
        times["deletedTime"] = fields.pop("deleted").isoformat()
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "replacement": f"web-{replacement or 100 + number}",
        "action": "Replace",
        "cause": "HTTP 503",
        "phase": "Recorded",
        "updateDomain": (number - 1) % 5,
        "model": MODEL,
        **times,
        **fields,
    }


def ledger(*entries: dict[str, Any], last: int = 200, **repairs: Any) -> dict[str, Any]:
    """A status with these repairs in flight."""
    return {"lastInstanceId": last, "repairs": {"inFlight": list(entries), **repairs}}


@dataclass
class Story:
    """A small world that does what the plans say: pods boot, linger, answer as they are told.

    Attributes:
        behaviour: outcome of every probe of a pod that the story creates, from its start on.
        told: name -> (since, outcome) of each change, in order.
        outside: fields of `Observed` that the story sets by hand.
    """

    spec: ScaleSetSpec
    pods: dict[str, Instance]
    seen: Observed
    now: datetime = T0
    behaviour: Outcome = Outcome.OK
    watched_since: datetime = T0 - timedelta(hours=1)
    told: dict[str, list[tuple[datetime, Outcome]]] = field(default_factory=dict)
    gone_at: dict[str, datetime] = field(default_factory=dict)
    outside: dict[str, Any] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    taken: list[DeleteInstance] = field(default_factory=list)
    renewed: list[RenewInstance] = field(default_factory=list)
    runs_again_at: dict[str, datetime] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ScaleSetSpec, size: int | None = None, **status: Any) -> Self:
        pods = instances(spec.replicas if size is None else size)
        seen = observed(instances=pods, status=status)
        told = {pod.name: [(pod.started or T0, Outcome.OK)] for pod in pods}
        return cls(spec=spec, pods={pod.name: pod for pod in pods}, seen=seen, told=told)

    def tell(self, outcome: Outcome, *names: str) -> None:
        """From now on these pods answer so."""
        for name in names or tuple(self.pods):
            self.told.setdefault(name, [(self.pods[name].started or self.now, Outcome.OK)])
            self.told[name].append((self.now, outcome))

    def turn(self) -> Plan:
        """One turn: observe, decide, record, act."""
        settled = settle(self.spec, self.observe(), self.now, self.places)
        self.seen = replace(settled.seen, live_reads=frozenset(), listed=False, places={})
        self.plans.extend(settled.plans)
        for act in settled.plan.actions:
            self._carry_out(act)
        return settled.plan

    def run(self, duration: timedelta, step: timedelta = timedelta(seconds=5)) -> Plan:
        """Let time pass, with a turn at each step."""
        end = self.now + duration
        plan = self.turn()
        while self.now < end:
            self.now += step
            self._pass_time()
            plan = self.turn()
        return plan

    def observe(self) -> Observed:
        pods = tuple(self.pods.values())
        bad = {pod.name: self._evidence(pod) for pod in pods if pod.live and pod.ip}
        fresh = observed(
            instances=pods, now=self.now, bad=dict(bad), status=self.seen.status, **self.outside
        )
        return replace(fresh, template=self.outside.get("template", self.seen.template))

    def _evidence(self, pod: Instance) -> Evidence:
        start = max(pod.started or pod.created, self.watched_since)
        told = self.told.get(pod.name, [(start, self.behaviour)])
        since, outcome = told[-1]
        ended = max(since, self.now - timedelta(seconds=1))
        good = [n for n, (_, what) in enumerate(told) if what is Outcome.OK]
        values: dict[str, Any] = {"last_ended": ended, "last_begun": ended, "outcome": outcome}
        if good:
            last = good[-1]
            end = ended if last == len(told) - 1 else told[last + 1][0] - timedelta(seconds=1)
            if end >= self.watched_since:
                values |= {"last_success": end, "answering_since": told[last][0]}
        if outcome is not Outcome.OK:
            failing = told[good[-1] + 1 :] if good else told
            silent = [at for at, what in failing if what.silent]
            values |= {
                "failing_since": failing[0][0],
                "silent_since": max(silent[0], self.watched_since) if outcome.silent else None,
                "http_status": 503 if outcome is Outcome.WRONG_STATUS else 0,
            }
        return Evidence(watched_since=start, **values)

    def _pass_time(self) -> None:
        for name, at in list(self.gone_at.items()):
            if self.now >= at:
                del self.gone_at[name], self.pods[name]
        for name, at in list(self.runs_again_at.items()):
            if self.now >= at:
                del self.runs_again_at[name]
                self._run_again(name)
        for name, pod in list(self.pods.items()):
            if pod.started is None and not pod.renewing and self.now >= pod.created + BOOT:
                number = pod.instance_id
                self.pods[name] = replace(
                    pod,
                    started=pod.created + BOOT,
                    ip=f"127.17.{number // 250}.{number % 250 + 1}",
                    node=f"node-{number % 3 + 1}",
                    containers_ready=True,
                )

    def _carry_out(self, act: Action) -> None:
        match act:
            case CreateInstance():
                self._create(act)
            case DeleteInstance():
                self.taken.append(act)
                self.terminate(act.name)
            case AnswerRequest():
                self.change(act.name, repair_request="", operation="")
            case RenewInstance():
                self._renew(act)
            case PublishHealth():
                self._publish(act)
            case GiveNotice():
                self.change(act.name, terminate_at=act.terminate_at, in_rotation=False, ready=False)
            case _:
                self._refuse(act)

    def _refuse(
        self,
        act: AdoptInstance
        | ReleaseInstance
        | HoldPlace
        | ReleasePlace
        | EvictInstance
        | PublishMaintenance
        | AskPause
        | ClearPause,
    ) -> None:
        raise AssertionError(act)

    def _create(self, act: CreateInstance) -> None:
        if act.name in self.pods:
            return
        assert act.name not in self.names, f"{act.name} is used twice"
        self.names.append(act.name)
        self.pods[act.name] = instance(
            number=act.instance_id,
            uid=f"uid-{act.name}",
            update_domain=act.update_domain,
            model=act.model,
            created=self.now,
            started=None,
            health=None,
            attempt=act.attempt,
            replaces=act.replaces,
        )

    def _renew(self, act: RenewInstance) -> None:
        pod = self.pods[act.name]
        self.renewed.append(act)
        self.runs_again_at[act.name] = self.now + BOOT
        images = dict(zip(pod.containers.names, pod.containers.images, strict=True))
        changed = tuple((images | dict(act.images)).values())
        self.pods[act.name] = replace(
            pod,
            containers=replace(pod.containers, images=changed),
            renewing=True,
            started=None,
            started_is_recorded=False,
            containers_ready=False,
            ready=False,
            model=act.model,
            attempt=act.attempt,
            repair_request="",
            operation="",
            resource_version=str(int(pod.resource_version) + 1),
        )

    def _run_again(self, name: str) -> None:
        pod = self.pods[name]
        counts = tuple(count + 1 for count in pod.containers.restarts)
        containers = replace(pod.containers, restarts=counts)
        self.pods[name] = replace(
            pod, started=self.now, containers_ready=True, containers=containers
        )
        self.told.setdefault(name, []).append((self.now + timedelta(seconds=1), self.behaviour))

    def change(self, name: str, **fields: Any) -> None:
        """A pod as somebody has written it; its version moves on."""
        version = str(int(self.pods[name].resource_version) + 1)
        self.pods[name] = replace(self.pods[name], resource_version=version, **fields)

    def terminate(self, name: str) -> None:
        """A DELETE is accepted, whoever sent it."""
        self.pods[name] = replace(self.pods[name], terminating=True)
        self.gone_at.setdefault(name, self.now + LINGER)

    def _publish(self, act: PublishHealth) -> None:
        pod = self.pods[act.name]
        rotation = pod.in_rotation if act.in_rotation is None else act.in_rotation
        health = pod.published
        if act.health is not None:
            health = Published(
                health=act.health, reason=act.reason, since=self.now, message=act.message
            )
        self.change(
            act.name,
            published=health,
            in_rotation=rotation,
            ready=pod.containers_ready and bool(rotation),
            attempt=0 if act.clear_attempt else pod.attempt,
            started_is_recorded=pod.started_is_recorded or act.state_change_time is not None,
            renewing=pod.renewing and act.state_change_time is None,
        )

    @property
    def live(self) -> list[Instance]:
        return [pod for pod in self.pods.values() if pod.live]

    @property
    def not_answering(self) -> set[str]:
        return {
            pod.name
            for pod in self.live
            if pod.published is None or pod.published.health is not VMHealth.HEALTHY
        }
