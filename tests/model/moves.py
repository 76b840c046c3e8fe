"""What may happen next: every step of an operator, of the cluster, and of whoever disturbs them.

An operator's turn is that of the reconciler: look, decide, read live, record by compare and swap,
act. `decide` is the real one; here stands only what carries it out. Each step is a move of its own,
so that a crash, the other operator or a person may come between any two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Published
from scaleset_operator.core.plan import (
    Action,
    CreateInstance,
    DeleteInstance,
    Plan,
    PublishHealth,
    Purpose,
    Record,
)
from tests.model.states import (
    TICK,
    Operator,
    SetView,
    State,
    Wanted,
    health_of,
    observation,
    reported,
)
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_RECORD_AGE: Final = 5
"""Seconds: an act older than this since its record is dropped (rule 5)."""
NEW_MODEL: Final = "m2"


class Sent(NamedTuple):
    """An act as it reached the API server, for the invariants.

    Attributes:
        before: the cluster just before.
        operator: who sent it, as it stood.
        accepted: whether the API server did it.
    """

    act: Action
    before: State
    operator: Operator
    accepted: bool


class Move(NamedTuple):
    """One thing that happened."""

    name: str
    after: State
    sent: Sent | None = None
    plan: Plan | None = None


def moves(state: State) -> Iterator[Move]:
    """Everything that may happen next."""
    for number, operator in enumerate(state.operators):
        yield from _operator_moves(state, number, operator)
    yield from _cluster_moves(state)
    yield from _disturbances(state)


# --- An operator's turn ----------------------------------------------------------------------


def _operator_moves(state: State, number: int, operator: Operator) -> Iterator[Move]:
    who = f"operator {number}"
    if operator.hand:
        yield send(state, number, operator)
        if state.left("crash"):
            yield Move(f"{who} crashes", _crash(state.less("crash"), number))
        return
    if not (operator.live_reads or operator.listed or operator.recorded_at is not None):
        looked = look(state, operator)
        if looked != operator:
            yield Move(f"{who} looks", state.with_operator(number, looked))
    if operator.fresh:
        yield decided(state, number, operator)


def look(state: State, operator: Operator) -> Operator:
    """Its watches bring everything that there is."""
    looked = replace(operator, pods=state.pods, set_view=state.set_view, fresh=True)
    return _remember(looked)


def _remember(operator: Operator) -> Operator:
    """As `Memory.note_names`: a name that was there and is gone is never made again."""
    status = operator.set_view.status
    owed = {c.name for c in status.creating}
    owed |= {e.replacement for e in status.repairs.in_flight if e.replacement}
    present = {p.name for p in operator.pods}
    unusable = (operator.unusable | ((operator.seen & owed) - present)) & owed
    seen = (operator.seen | present) & owed
    return replace(operator, seen=frozenset(seen), unusable=frozenset(unusable))


def decided(state: State, number: int, operator: Operator) -> Move:
    """One round of its turn: decide, and do the next thing that the plan asks for."""
    who = f"operator {number}"
    operator = _remember(operator)
    view = operator.set_view
    plan = decide(view.wanted.spec(), observation(operator), state.at())
    if plan.list_live and not operator.listed:
        listed = replace(operator, pods=state.pods, listed=True)
        return Move(f"{who} lists", state.with_operator(number, listed), None, plan)
    missing = plan.reads - operator.live_reads
    if missing:
        read = _read(state, operator, missing)
        names = ", ".join(sorted(missing))
        return Move(f"{who} reads {names}", state.with_operator(number, read), None, plan)
    fenced = [a for a in plan.actions if not isinstance(a, PublishHealth)]
    if plan.record is not Record.NONE or (fenced and operator.recorded_at is None):
        if view.version != state.set_view.version:
            return Move(f"{who} has a conflict", state.with_operator(number, operator.idle()))
        state, operator = _record(state, operator, plan)
        if plan.record is Record.NOW:
            return Move(f"{who} records", state.with_operator(number, operator), None, plan)
    holding = replace(operator, hand=plan.actions) if plan.actions else operator.idle()
    name = f"{who} means to act" if plan.actions else f"{who} rests"
    return Move(name, state.with_operator(number, holding), None, plan)


def _read(state: State, operator: Operator, names: frozenset[str]) -> Operator:
    """Live reads: each pod as it is, or its absence."""
    others = [p for p in operator.pods if p.name not in names]
    live = [p for p in state.pods if p.name in names]
    pods = tuple(sorted([*others, *live], key=lambda p: p.instance_id))
    return replace(operator, pods=pods, live_reads=operator.live_reads | names)


def _record(state: State, operator: Operator, plan: Plan) -> tuple[State, Operator]:
    """Compare and swap has passed; everything read live is old after that."""
    same = plan.status == state.set_view.status
    version = state.set_view.version + (not same)
    written = replace(state.set_view, status=plan.status, version=version)
    recorded = replace(
        operator, set_view=written, live_reads=frozenset(), listed=False, recorded_at=state.now
    )
    return replace(state, set_view=written, debts=_settled(state, written)), recorded


def _settled(state: State, view: SetView) -> frozenset[tuple[str, str | None]]:
    """Debts whose entry is still open; invariants judge whether it might be closed."""
    open_ = {e.uid: e.replacement for e in view.status.repairs.in_flight}
    return frozenset((uid, open_[uid]) for uid, _ in state.debts if uid in open_)


def _crash(state: State, number: int) -> State:
    """A new process: it has listed everything, and remembers nothing."""
    return state.with_operator(number, Operator(pods=state.pods, set_view=state.set_view))


# --- Its acts --------------------------------------------------------------------------------


def send(state: State, number: int, operator: Operator) -> Move:
    """Send the next act in hand, unless it is too old by now."""
    act, rest = operator.hand[0], operator.hand[1:]
    name = f"operator {number} sends {type(act).__name__}({act.name})"
    if _too_old(state, operator, act):
        # Whoever waits for a DELETE that was not sent waits in vain.
        left = _unblocked(rest, act)
        return Move(f"{name}: too old", state.with_operator(number, _after(operator, left)))
    after, accepted = _carried_out(state, act)
    operator = _fed(operator, after, act)
    if isinstance(act, CreateInstance) and not accepted:
        operator = replace(operator, unusable=operator.unusable | {act.name})
    left = rest if accepted else _unblocked(rest, act)
    sent = Sent(act, state, operator, accepted)
    return Move(name, after.with_operator(number, _after(operator, left)), sent)


def _after(operator: Operator, left: tuple[Action, ...]) -> Operator:
    return replace(operator, hand=left) if left else operator.idle()


def _unblocked(rest: tuple[Action, ...], failed: Action) -> tuple[Action, ...]:
    if not isinstance(failed, DeleteInstance):
        return rest
    return tuple(a for a in rest if not (isinstance(a, CreateInstance) and a.after == failed.uid))


def _too_old(state: State, operator: Operator, act: Action) -> bool:
    if isinstance(act, PublishHealth):
        return False
    recorded = operator.recorded_at
    late = recorded is None or state.now > recorded + MAX_RECORD_AGE
    own = isinstance(act, DeleteInstance) and act.not_after and state.at() > act.not_after
    return late or bool(own)


def _carried_out(state: State, act: Action) -> tuple[State, bool]:
    """What the API server makes of an act, and whether it was accepted."""
    pod = state.pod(act.name)
    match act:
        case PublishHealth():
            return _published(state, pod, act)
        case DeleteInstance():
            return _deleted(state, pod, act)
        case CreateInstance():
            return _created(state, pod, act)
        case _:
            message = f"the model has no {act}"
            raise AssertionError(message)


def _published(state: State, pod: Instance | None, act: PublishHealth) -> tuple[State, bool]:
    if pod is None or pod.uid != act.uid:
        return state, False
    published = pod.published
    if act.health is not None and (published is None or published.health is not act.health):
        published = Published(health=act.health, reason=act.reason, since=state.at())
    rotation = pod.in_rotation if act.in_rotation is None else act.in_rotation
    attempt = 0 if act.clear_attempt else pod.attempt
    return state.with_pod(
        replace(pod, published=published, in_rotation=rotation, attempt=attempt)
    ), True


def _deleted(state: State, pod: Instance | None, act: DeleteInstance) -> tuple[State, bool]:
    if pod is None or pod.uid != act.uid:
        return state, True
    if pod.resource_version != act.resource_version:
        return state, False
    if act.purpose is Purpose.REPAIR and not pod.terminating:
        entries = state.set_view.status.repairs.in_flight
        name = next((e.replacement for e in entries if e.uid == pod.uid), None)
        state = replace(state, debts=state.debts | {(pod.uid, name)})
    return state.with_pod(replace(pod, terminating=True)), True


def _created(state: State, pod: Instance | None, act: CreateInstance) -> tuple[State, bool]:
    if pod is not None:
        return state, not pod.terminating and pod.replaces == act.replaces
    serial = state.serial + 1
    made = builders.instance(
        number=act.instance_id,
        uid=f"uid-{serial}",
        health=None,
        started=None,
        model=act.model,
        update_domain=act.update_domain,
        attempt=act.attempt,
        replaces=act.replaces,
        created=state.at(),
    )
    made_names = state.made | {act.name}
    return replace(state, serial=serial, made=made_names).with_pod(made), True


def _fed(operator: Operator, after: State, act: Action) -> Operator:
    """The answer to a write goes into the cache; all else waits for the watch."""
    others = [p for p in operator.pods if p.name != act.name]
    there = [p for p in after.pods if p.name == act.name]
    pods = tuple(sorted([*others, *there], key=lambda p: p.instance_id))
    return replace(operator, pods=pods, fresh=False)


# --- The cluster, and those who disturb it ---------------------------------------------------


def _cluster_moves(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.terminating:
            yield Move(f"{pod.name} is gone", state.without(pod.name))
        elif pod.started is None:
            well = _started(state, pod, VMHealth.HEALTHY)
            yield Move(f"{pod.name} starts and is well", state.with_pod(well))
            if state.left("bad start"):
                ill = _started(state, pod, VMHealth.UNHEALTHY)
                yield Move(f"{pod.name} starts ill", state.less("bad start").with_pod(ill))
    if state.left("tick"):
        later = replace(state.less("tick"), now=state.now + TICK)
        yield Move(f"{TICK} s pass", later)


def _started(state: State, pod: Instance, health: VMHealth) -> Instance:
    running = replace(
        pod,
        started=state.at(),
        containers_ready=True,
        containers=builders.RUNNING,
        ip=f"127.16.0.{pod.instance_id}",
    )
    return reported(running, health, state.at())


def _disturbances(state: State) -> Iterator[Move]:
    troubles: dict[str, Callable[[State], Iterator[Move]]] = {
        "fail": _fail,
        "recover": _recover,
        "scale in": _scale_in,
        "scale out": _scale_out,
        "new model": _new_model,
        "person": _person_deletes,
        "protect": _protect,
    }
    for name, trouble in troubles.items():
        if state.left(name):
            yield from trouble(state.less(name))


def _turned(state: State, health: VMHealth, to: VMHealth, word: str) -> Iterator[Move]:
    for pod in state.pods:
        if health_of(pod) is health and pod.live:
            yield Move(f"{pod.name} {word}", state.with_pod(reported(pod, to, state.at())))


def _fail(state: State) -> Iterator[Move]:
    return _turned(state, VMHealth.HEALTHY, VMHealth.UNHEALTHY, "fails")


def _recover(state: State) -> Iterator[Move]:
    return _turned(state, VMHealth.UNHEALTHY, VMHealth.HEALTHY, "recovers")


def _want(state: State, wanted: Wanted, word: str) -> Iterator[Move]:
    view = state.set_view
    changed = replace(view, wanted=wanted, version=view.version + 1)
    yield Move(word, replace(state, set_view=changed))


def _scale_in(state: State) -> Iterator[Move]:
    wanted = state.set_view.wanted
    return _want(state, replace(wanted, replicas=wanted.replicas - 1), "the owner scales in")


def _scale_out(state: State) -> Iterator[Move]:
    wanted = state.set_view.wanted
    return _want(state, replace(wanted, replicas=wanted.replicas + 1), "the owner scales out")


def _new_model(state: State) -> Iterator[Move]:
    return _want(state, replace(state.set_view.wanted, model=NEW_MODEL), "a new model")


def _person_deletes(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live:
            going = replace(pod, terminating=True)
            yield Move(f"a person deletes {pod.name}", state.with_pod(going))


def _protect(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live and not pod.protected:
            kept = replace(pod, protected_from_scale_in=True)
            yield Move(f"{pod.name} is protected", state.with_pod(kept))
