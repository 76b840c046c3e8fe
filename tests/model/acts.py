"""What the API server makes of each act, and what its sender learns of that.

The acts of one plan arrive in its order. An act that is too old is dropped before it is sent
(rule 5); one may be lost on the way there, or its answer on the way back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.observed import Instance, Published
from scaleset_operator.core.plan import (
    Action,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    PublishHealth,
    Purpose,
    RenewInstance,
)
from tests.model import cluster
from tests.model.cluster import seal, with_pod
from tests.model.pool import same
from tests.model.states import BEGAN, Operator, State
from tests.model.steps import Move, Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RECORD_AGE: Final = 5
"""Seconds: an act older than this since its record is dropped (rule 5)."""
REFUSAL: Final = 5
"""Seconds that a refused act is not tried again."""
Touch = DeleteInstance | GiveNotice | RenewInstance


def sends(state: State, number: int, operator: Operator) -> Iterator[Move]:
    """The next act in hand reaches the API server, unless it is too old by now."""
    act = operator.hand[0]
    what = (type(act).__name__, act.name)
    if too_old(state, operator, act):
        dropped = _further(operator, act, done=False)
        yield Move("drops", state.with_operator(number, dropped), what=what, who=number)
        return
    after, accepted = carried_out(state, act)
    sent = Sent(act, state, operator, accepted)
    told = _told(operator, act, accepted=accepted)
    yield Move("sends", after.with_operator(number, told), what, number, sent)
    unaware = _further(operator, act, done=False)
    if state.left("lost"):
        lost = state.less("lost").with_operator(number, unaware)
        yield Move("loses", lost, what, number, kind="lost")
    if state.left("lost answer"):
        done = after.less("lost answer").with_operator(number, unaware)
        yield Move("sends unawares", done, what, number, sent, kind="lost answer")
    if state.left("refuse") and isinstance(act, DeleteInstance):
        held = unaware.but(refused=((act.name, state.now + REFUSAL),))
        refused = state.less("refuse").with_operator(number, held)
        yield Move("is refused", refused, what, number, kind="refuse")


def too_old(state: State, operator: Operator, act: Action) -> bool:
    """Whether so much time has passed since its record that it is not sent any more."""
    if isinstance(act, PublishHealth):
        return False
    recorded = operator.recorded_at
    if recorded is None or state.now - recorded > MAX_RECORD_AGE:
        return True
    return isinstance(act, Touch) and act.not_after is not None and state.at() > act.not_after


def _further(operator: Operator, act: Action, *, done: bool) -> Operator:
    """The next act in hand; whoever waits for one that was not done waits in vain."""
    rest = operator.hand[1:]
    if not done and isinstance(act, DeleteInstance):
        rest = tuple(a for a in rest if not (isinstance(a, CreateInstance) and a.after == act.uid))
    if not done and isinstance(act, CreateInstance):
        rest = tuple(a for a in rest if not isinstance(a, CreateInstance))
    if rest:
        return operator.but(hand=same(rest), decided_at=None)
    return operator.resting()


def _told(operator: Operator, act: Action, *, accepted: bool) -> Operator:
    """The answer to a write goes into the cache; the next turn waits until the watch shows it."""
    if not accepted and isinstance(act, CreateInstance):
        operator = operator.but(unusable=operator.unusable | {act.name})
    further = _further(operator, act, done=accepted)
    return further if further.awake or not accepted else further.but(pods=(), view=None)


def carried_out(state: State, act: Action) -> tuple[State, bool]:
    """What the API server makes of an act, and whether it was accepted."""
    pod = state.pod(act.name)
    match act:
        case PublishHealth():
            return _published(state, pod, act)
        case DeleteInstance():
            return _deleted(state, pod, act)
        case CreateInstance():
            return _created(state, pod, act)
        case GiveNotice():
            return _noticed(state, pod, act)
        case RenewInstance():
            return _renewed(state, pod, act)
        case _:
            message = f"the model has no {act}"
            raise AssertionError(message)


def _published(state: State, pod: Instance | None, act: PublishHealth) -> tuple[State, bool]:
    if pod is None or pod.uid != act.uid:
        return state, False
    if act.resource_version is not None and act.resource_version != pod.resource_version:
        return state, False
    published = pod.published
    if act.health is not None and (published is None or published.health is not act.health):
        # Since when it is Healthy nobody asks.
        since = BEGAN if act.health is VMHealth.HEALTHY else state.at()
        published = Published(health=act.health, reason="", since=since)
    rotation = pod.in_rotation if act.in_rotation is None else act.in_rotation
    recorded = pod.started_is_recorded or act.state_change_time is not None
    changed = seal(
        pod,
        published=published,
        in_rotation=rotation,
        attempt=0 if act.clear_attempt else pod.attempt,
        started_is_recorded=recorded,
        renewing=pod.renewing and not recorded,
    )
    return with_pod(state, changed), True


def _deleted(state: State, pod: Instance | None, act: DeleteInstance) -> tuple[State, bool]:
    if pod is None or pod.uid != act.uid:
        return state, True
    if pod.resource_version != act.resource_version:
        return state, False
    if act.purpose is Purpose.REPAIR and not pod.terminating:
        state = _owing(state, pod)
    return with_pod(state, seal(pod, terminating=True)), True


def _owing(state: State, pod: Instance) -> State:
    """The same with one more repair to be made up for."""
    entries = state.view.status.repairs.in_flight
    heir = next((e.replacement for e in entries if e.uid == pod.uid), None)
    rest = {debt for debt in state.debts if debt[0] != pod.uid}
    return state._replace(debts=frozenset(rest | {(pod.uid, heir or pod.name)}))


def _noticed(state: State, pod: Instance | None, act: GiveNotice) -> tuple[State, bool]:
    if pod is None or not _is_as_read(pod, act):
        return state, False
    return with_pod(state, seal(pod, terminate_at=act.terminate_at, in_rotation=False)), True


def _renewed(state: State, pod: Instance | None, act: RenewInstance) -> tuple[State, bool]:
    if pod is None or not _is_as_read(pod, act):
        return state, False
    images = dict(act.images)
    names = pod.containers.names
    new = tuple(images.get(n, old) for n, old in zip(names, pod.containers.images, strict=True))
    changed = seal(
        pod,
        containers=replace(pod.containers, images=new),
        containers_ready=False,
        started=None,
        started_is_recorded=False,
        renewing=True,
        model=act.model,
        attempt=act.attempt,
    )
    return with_pod(_owing(state, pod), changed), True


def _is_as_read(pod: Instance, act: Touch) -> bool:
    """Whether UID and resourceVersion of the live read still stand."""
    return (pod.uid, pod.resource_version) == (act.uid, act.resource_version)


def _created(state: State, pod: Instance | None, act: CreateInstance) -> tuple[State, bool]:
    if pod is not None:
        return state, not pod.terminating and pod.replaces == act.replaces
    again = "'" if act.name in state.made else ""
    new = cluster.made(
        act.instance_id,
        act.model,
        crowded=state.terms.crowded,
        uid=f"uid-{act.name}{again}",
        update_domain=act.update_domain,
        attempt=act.attempt,
        replaces=act.replaces,
        created=state.at(),
    )
    return with_pod(state._replace(made=state.made | {act.name}), new), True
