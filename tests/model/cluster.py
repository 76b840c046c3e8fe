"""The pods as the API server keeps them, and what time and kubelets do to them.

A pod's resourceVersion is the number of its content. So a write that changes nothing gives no new
version, and neither do two that undo each other: of the acts that the real server takes none is
lost, for a fence on what was read still holds exactly while what was read still stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.observed import NO_CONTAINERS, Containers, Instance
from tests.model.pool import number_of, same
from tests.model.sight import probed
from tests.model.states import BEGAN, IMAGES, REPORT, State
from tests.model.steps import Move
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE: dict[str, Any] = {
    "started": None,
    "containers": NO_CONTAINERS,
    "containers_ready": False,
    "reports": (),
    "protected_from_scale_in": False,
    "published": None,
    "attempt": 0,
    "replaces": None,
    "terminate_at": None,
    "termination_approved": False,
    "renewing": False,
}
"""Of a Terminating pod nobody asks for more than its name, its UID and its gate."""


def seal(pod: Instance, **changes: Any) -> Instance:
    """The pod as written, with the version that its content has."""
    content = replace(pod, **changes, resource_version="")
    if content.terminating:
        content = replace(content, **GONE)
    return same(replace(content, resource_version=str(number_of(content))))


def made(number: int, model: str, *, crowded: bool, **fields: Any) -> Instance:
    """A pod as it is created: nothing of it runs yet."""
    node = f"node-{1 + number // 4 if crowded else number % 3 + 1}"
    given: dict[str, Any] = {
        "health": None,
        "started": None,
        "node": node,
        "containers": _containers(model, restarts=-1),
    }
    return seal(builders.instance(number=number, model=model, **(given | fields)))


def running(pod: Instance, health: VMHealth, state: State) -> Instance:
    """The pod with its containers started just now, saying this of itself."""
    restarts = 1 if pod.renewing else 0
    found = pod.containers
    return seal(
        pod,
        created=BEGAN,
        started=state.at(),
        containers_ready=True,
        containers=replace(found, restarts=(restarts,)),
        ip=f"127.16.0.{pod.instance_id}",
        reports=() if state.terms.probed else ((REPORT, health, BEGAN),),
    )


def _containers(model: str, restarts: int) -> Containers:
    return Containers(
        names=("web",), images=(IMAGES[model],), image_ids=("",), restarts=(restarts,)
    )


def with_pod(state: State, pod: Instance) -> State:
    """The state with this pod written."""
    others = [p for p in state.pods if p.name != pod.name]
    return state._replace(pods=ordered([*others, pod]))


def without(state: State, pod: Instance) -> State:
    """The state without this pod."""
    ails = frozenset(row for row in state.ails if row[0] != pod.uid)
    return state._replace(pods=ordered([p for p in state.pods if p is not pod]), ails=ails)


def ordered(pods: list[Instance]) -> tuple[Instance, ...]:
    """The one tuple of these pods."""
    return same(tuple(sorted(pods, key=lambda p: p.instance_id)))


# --- What happens by itself ------------------------------------------------------------------


def cluster_moves(state: State) -> Iterator[Move]:
    """Kubelets start and stop what they are told, and time passes."""
    for pod in state.pods:
        if pod.terminating:
            yield Move("is gone", without(state, pod), what=(pod.name,))
        elif pod.started is None:
            yield from _starts(state, pod)
    if state.left("tick"):
        yield Move("passes", passed(state.less("tick")), what=(f"{state.terms.tick} s",))


def _starts(state: State, pod: Instance) -> Iterator[Move]:
    well = running(pod, VMHealth.HEALTHY, state)
    yield Move("starts well", with_pod(_heard(state, pod, ""), well), what=(pod.name,))
    if state.left("bad start"):
        ill = running(pod, VMHealth.UNHEALTHY, state)
        after = _heard(state.less("bad start"), pod, "wrong")
        yield Move("starts ill", with_pod(after, ill), what=(pod.name,), kind="bad start")
    if state.left("silent start"):
        after = _heard(state.less("silent start"), pod, "silent")
        yield Move("starts silent", with_pod(after, well), what=(pod.name,), kind="silent start")


def _heard(state: State, pod: Instance, word: str) -> State:
    """New containers answer as they do, whatever the old ones did."""
    if not state.terms.probed:
        return state
    rest = {row for row in state.ails if row[0] != pod.uid}
    return state._replace(ails=frozenset(rest | ({(pod.uid, word)} if word else set())))


def passed(state: State) -> State:
    """The same some seconds later; every prober has tried everybody once more meanwhile."""
    later = state._replace(now=state.now + state.terms.tick)
    operators = []
    for operator in state.operators:
        refused = tuple(row for row in operator.refused if row[1] > later.now)
        sight = probed(later, operator.sight)
        changed = sight is not operator.sight or refused != operator.refused
        operators.append(operator.but(sight=sight, refused=refused) if changed else operator)
    return later._replace(operators=tuple(operators), late=frozenset())
