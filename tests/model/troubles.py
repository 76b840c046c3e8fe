"""Those who disturb: instances that fail, owners who change their minds, people, blind probers.

Each trouble may come as often as a scenario says, at any moment. Troubles that befall an operator's
own requests stand in `turns` and `acts`. It must not know what is done about any of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import VMHealth
from tests.model.cluster import seal, with_pod
from tests.model.pool import same
from tests.model.states import BEGAN, NEW_MODEL, REPORT, SetView, Sight, State
from tests.model.steps import Move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scaleset_operator.core.observed import Instance


def disturbances(state: State) -> Iterator[Move]:
    """Every trouble that may come now."""
    for name, _ in state.troubles:
        trouble = TROUBLES.get(name)
        if trouble is not None:
            for move in trouble(state.less(name)):
                yield move._replace(kind=name)


# --- Instances -------------------------------------------------------------------------------


def _ailing(state: State, pod: Instance, word: str) -> State:
    """The instance answers so from now on: "" as it should, "wrong" or "silent"."""
    if not state.terms.probed:
        health = VMHealth.UNHEALTHY if word else VMHealth.HEALTHY
        return with_pod(state, seal(pod, reports=((REPORT, health, BEGAN),)))
    rest = {row for row in state.ails if row[0] != pod.uid}
    return state._replace(ails=frozenset(rest | ({(pod.uid, word)} if word else set())))


def _turns(state: State, health: VMHealth, word: str, told: str) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live and pod.started is not None and state.health(pod) is health:
            yield Move(told, _ailing(state, pod, word), what=(pod.name,))


def _fail(state: State) -> Iterator[Move]:
    return _turns(state, VMHealth.HEALTHY, "wrong", "fails")


def _recover(state: State) -> Iterator[Move]:
    yield from _turns(state, VMHealth.UNHEALTHY, "", "recovers")
    if state.terms.probed:
        yield from _turns(state, VMHealth.UNKNOWN, "", "speaks again")


def _fall_silent(state: State) -> Iterator[Move]:
    return _turns(state, VMHealth.HEALTHY, "silent", "falls silent")


def _all_silent(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live and pod.started is not None:
            state = _ailing(state, pod, "silent")
    yield Move("all fall silent", state)


def _late(state: State) -> Iterator[Move]:
    """An attempt that has begun ends after those of the others (rule 16)."""
    for pod in state.pods:
        if pod.live and pod.started is not None and pod.name not in state.late:
            yield Move("is heard late", state._replace(late=state.late | {pod.name}), (pod.name,))


def _node(state: State) -> Iterator[Move]:
    """A node is lost: all on it fall silent at once (rule 17)."""
    lost = "node-1"
    for pod in state.pods:
        if pod.live and pod.node == lost and pod.started is not None:
            state = _ailing(state, pod, "silent")
    yield Move("falls silent", state, what=(lost,))


def _node_down(state: State) -> Iterator[Move]:
    """The control plane says so too (rule 15)."""
    if any(word == "silent" for _, word in state.ails):
        yield Move("is NotReady", state._replace(down=frozenset({"node-1"})), what=("node-1",))


# --- The owner -------------------------------------------------------------------------------


def _want(state: State, word: str, **changes: Any) -> Iterator[Move]:
    view = same(SetView(replace(state.view.wanted, **changes), state.view.status))
    yield Move(word, state._replace(view=view))


def _scale_in(state: State) -> Iterator[Move]:
    return _want(state, "the owner scales in", replicas=state.view.wanted.replicas - 1)


def _scale_out(state: State) -> Iterator[Move]:
    return _want(state, "the owner scales out", replicas=state.view.wanted.replicas + 1)


def _new_model(state: State) -> Iterator[Move]:
    return _want(state, "there is a new model", model=NEW_MODEL)


def _enable(state: State) -> Iterator[Move]:
    """Repairs are switched on for a living set (rule 14)."""
    if not state.view.wanted.enabled:
        on = state._replace(enabled_at=state.now)
        yield from _want(on, "the owner enables repairs", enabled=True)


def _resume(state: State) -> Iterator[Move]:
    """A person resumes repairs (rule 13)."""
    return _want(state, "a person resumes", resume_at=state.now + 1)


def _old_resume(state: State) -> Iterator[Move]:
    """A manifest is applied again in which an old request stands (rule 13)."""
    return _want(state, "an old request to resume comes", resume_at=-60)


# --- People ----------------------------------------------------------------------------------


def _person_deletes(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live:
            going = with_pod(state, seal(pod, terminating=True))
            yield Move("is deleted by a person", going, what=(pod.name,))


def _protect(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live and not pod.protected:
            safe = with_pod(state, seal(pod, protected_from_scale_in=True))
            yield Move("is protected", safe, what=(pod.name,))


def _approve(state: State) -> Iterator[Move]:
    for pod in state.pods:
        if pod.live and pod.terminate_at is not None and not pod.termination_approved:
            agreed = with_pod(state, seal(pod, termination_approved=True))
            yield Move("agrees to go", agreed, what=(pod.name,))


# --- Probers ---------------------------------------------------------------------------------


def _sees(state: State, dark: str, word: str) -> Iterator[Move]:
    for number, operator in enumerate(state.operators):
        if (operator.sight.dark == "") != (dark == ""):
            sight: Sight = same(replace(operator.sight, dark=dark))
            yield Move(word, state.with_operator(number, operator.but(sight=sight)), who=number)


def _blind(state: State) -> Iterator[Move]:
    """Its attempts reach nothing at all any more (rule 18)."""
    return _sees(state, "all", "is blind")


def _shut(state: State) -> Iterator[Move]:
    """Its attempts do not reach the set any more, and reach all else (rule 18)."""
    return _sees(state, "set", "is shut out")


def _sight(state: State) -> Iterator[Move]:
    return _sees(state, "", "sees again")


TROUBLES: Final[dict[str, Callable[[State], Iterator[Move]]]] = {
    "fail": _fail,
    "recover": _recover,
    "silence": _fall_silent,
    "all silent": _all_silent,
    "late": _late,
    "node": _node,
    "node down": _node_down,
    "scale in": _scale_in,
    "scale out": _scale_out,
    "new model": _new_model,
    "enable": _enable,
    "resume": _resume,
    "old resume": _old_resume,
    "person": _person_deletes,
    "protect": _protect,
    "approve": _approve,
    "blind": _blind,
    "shut": _shut,
    "sight": _sight,
}
