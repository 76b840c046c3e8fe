"""What one state of the model is: the cluster, and two operators somewhere in their turns.

Everything is a frozen value, and `fingerprint` tells which of them are the same but for the names
of UIDs and the hour. It must not know what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.observed import Instance, Observed, TemplateView
from tests.support import builders
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from scaleset_operator.api.scaleset import ScaleSetSpec
    from scaleset_operator.core.plan import Action

TICK: Final = 6
"""Seconds: longer than a record lives, shorter than the grace."""
GRACE: Final = timedelta(seconds=10)
OLD: Final = timedelta(seconds=120)
"""Older than anything that a rule still asks for; `enabledTime` lies so far back."""
REPORT: Final = "example.com/Serving"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner asks for."""

    replicas: int
    model: str = builders.MODEL

    def spec(self) -> ScaleSetSpec:
        """As the operator reads it: repairs on, a grace of 10 s, health by own report."""
        return builders.scale_set_spec(
            replicas=self.replicas,
            healthProbeRef=None,
            grace=GRACE,
            applicationHealth={"podConditionType": REPORT},
            upgradePolicy={"mode": "Rolling"},
        )


@dataclass(frozen=True, slots=True)
class SetView:
    """The ScaleSet as it stands, or as somebody has read it."""

    wanted: Wanted
    status: ScaleSetStatus
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One process: its caches, and how far its turn has come.

    Attributes:
        pods: its cache; fresh unless it still waits to see a write of its own.
        live_reads, listed: what it has read since its last record.
        recorded_at: second of this turn's record; None while there is none.
        hand: acts of the plan that are still to be sent.
        seen, unusable: names of the ledger that were there, and those not to be made again.
    """

    pods: tuple[Instance, ...]
    set_view: SetView
    fresh: bool = True
    live_reads: frozenset[str] = frozenset()
    listed: bool = False
    recorded_at: int | None = None
    hand: tuple[Action, ...] = ()
    seen: frozenset[str] = frozenset()
    unusable: frozenset[str] = frozenset()

    def idle(self) -> Operator:
        """Between two turns."""
        return replace(self, live_reads=frozenset(), listed=False, recorded_at=None, hand=())


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The cluster, the operators, and what may still go wrong.

    Attributes:
        now: seconds since T0.
        made: names that have ever been created.
        debts: (victim, its replacement) of repairs whose DELETE was accepted and that are not yet
            made up for: what the auditor counts (protocol rule 28).
        serial: of UIDs and versions.
        troubles: name of a trouble -> how often it may still come.
    """

    now: int
    pods: tuple[Instance, ...]
    set_view: SetView
    operators: tuple[Operator, ...]
    made: frozenset[str]
    debts: frozenset[tuple[str, str | None]] = frozenset()
    serial: int = 1000
    troubles: tuple[tuple[str, int], ...] = ()

    def at(self) -> datetime:
        """The present moment."""
        return T0 + timedelta(seconds=self.now)

    def pod(self, name: str) -> Instance | None:
        """The pod of this name."""
        return next((p for p in self.pods if p.name == name), None)

    def left(self, trouble: str) -> int:
        """How often this trouble may still come."""
        return dict(self.troubles).get(trouble, 0)

    def less(self, trouble: str) -> State:
        """The same with one such trouble less to come."""
        rest = tuple((name, left - (name == trouble)) for name, left in self.troubles)
        return replace(self, troubles=rest)

    def with_pod(self, pod: Instance) -> State:
        """The same with this pod written: it has a new version."""
        serial = self.serial + 1
        written = replace(pod, resource_version=str(serial))
        others = [p for p in self.pods if p.name != pod.name]
        return replace(self, pods=_by_name([*others, written]), serial=serial)

    def without(self, name: str) -> State:
        """The same without the pod of this name."""
        return replace(self, pods=tuple(p for p in self.pods if p.name != name))

    def with_operator(self, number: int, operator: Operator) -> State:
        """The same with one operator further on."""
        operators = list(self.operators)
        operators[number] = operator
        return replace(self, operators=tuple(operators))


def _by_name(pods: list[Instance]) -> tuple[Instance, ...]:
    return tuple(sorted(pods, key=lambda p: p.instance_id))


def reported(pod: Instance, health: VMHealth, at: datetime) -> Instance:
    """The pod, saying this of itself."""
    return replace(pod, reports=((REPORT, health, at),))


def health_of(pod: Instance) -> VMHealth:
    """What the pod says of itself."""
    return next((health for _, health, _ in pod.reports), VMHealth.UNKNOWN)


def first_state(
    replicas: int, troubles: dict[str, int], *, sick: int = 0, operators: int = 2
) -> State:
    """Nobody is in a turn, and all is as it was for long.

    Args:
        replicas: wanted and there.
        troubles: what may go wrong from here on, and how often.
        sick: so many of them are Unhealthy, and everybody has been told.
        operators: how many there are.
    """
    began = T0 - OLD
    health = [VMHealth.UNHEALTHY] * sick + [VMHealth.HEALTHY] * (replicas - sick)
    pods = tuple(
        reported(
            builders.instance(number=number, health=said, since=began, started=began), said, began
        )
        for number, said in enumerate(health, 1)
    )
    status = ScaleSetStatus.model_validate({"lastInstanceId": replicas})
    repairs = status.repairs.model_copy(update={"enabled_time": began})
    seen = SetView(Wanted(replicas), status.model_copy(update={"repairs": repairs}))
    one = Operator(pods=pods, set_view=seen)
    return State(
        now=0,
        pods=pods,
        set_view=seen,
        operators=(one,) * operators,
        made=frozenset(p.name for p in pods),
        troubles=tuple(sorted(troubles.items())),
    )


def observation(operator: Operator) -> Observed:
    """What one operator decides on."""
    view = operator.set_view
    return Observed(
        namespace="shop",
        name="web",
        uid="uid-web",
        generation=1,
        status=view.status,
        template=TemplateView(model=view.wanted.model),
        instances=operator.pods,
        view_is_fresh=operator.fresh,
        live_reads=operator.live_reads,
        listed=operator.listed,
        unusable=operator.unusable,
    )


# --- Which states are the same ---------------------------------------------------------------


def fingerprint(state: State) -> int:
    """Equal for states that differ in the hour, in UIDs and in versions only."""
    named: dict[str, int] = {}
    known = _Names(named, state)
    parts = (
        tuple(known.pod(p) for p in state.pods),
        known.view(state.set_view),
        tuple(known.operator(o) for o in state.operators),
        tuple(sorted((known.uid(v), r) for v, r in state.debts)),
        tuple(sorted(state.made)),
        state.troubles,
    )
    return hash(parts)


class _Names:
    """Puts small numbers for UIDs and versions, and ages for times."""

    def __init__(self, named: dict[str, int], state: State) -> None:
        self._named = named
        self._now = state.at()
        self._versions = {p.name: p.resource_version for p in state.pods}

    def uid(self, uid: str | None) -> int | None:
        return None if uid is None else self._named.setdefault(uid, len(self._named))

    def age(self, at: datetime | None) -> int | None:
        if at is None:
            return None
        return min(int((self._now - at).total_seconds()), int(OLD.total_seconds()))

    def pod(self, pod: Instance) -> tuple[Any, ...]:
        published = pod.published
        return (
            pod.name,
            self.uid(pod.uid),
            pod.resource_version == self._versions.get(pod.name),
            pod.model,
            self.age(pod.started),
            pod.terminating,
            health_of(pod),
            None if published is None else (published.health, self.age(published.since)),
            pod.in_rotation,
            pod.attempt,
            pod.replaces,
            pod.protected,
        )

    def view(self, view: SetView) -> tuple[Any, ...]:
        status = view.status
        repairs = status.repairs
        return (
            view.wanted,
            status.last_instance_id,
            tuple(
                (
                    e.instance,
                    self.uid(e.uid),
                    e.replacement,
                    self.uid(e.replacement_uid),
                    e.phase,
                    self.age(e.start_time),
                    self.age(e.deleted_time),
                    e.attempt,
                    e.model,
                    e.successors,
                    self.age(e.grace_from),
                )
                for e in repairs.in_flight
            ),
            tuple((c.name,) for c in status.creating),
            tuple((v.name, self.uid(v.uid), v.purpose) for v in status.scale_in),
            tuple((s.instance, self.uid(s.uid)) for s in repairs.stalled),
            (repairs.consecutive_failed, self.age(repairs.suspended_since)),
            tuple((r.instance, r.result) for r in repairs.history),
            tuple((c.type, c.status, c.reason) for c in status.conditions),
        )

    def operator(self, operator: Operator) -> tuple[Any, ...]:
        recorded = operator.recorded_at
        since = None if recorded is None else int((self._now - T0).total_seconds()) - recorded
        return (
            tuple(self.pod(p) for p in operator.pods),
            self.view(operator.set_view),
            operator.fresh,
            operator.live_reads,
            operator.listed,
            since,
            tuple((type(a).__name__, a.name) for a in operator.hand),
            operator.seen,
            operator.unusable,
        )
