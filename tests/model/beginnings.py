"""Where a scenario begins: nobody is in a turn, and all is as it was for long.

It must not know what may go wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Published
from tests.model import cluster, sight
from tests.model.cluster import ordered, seal
from tests.model.pool import same
from tests.model.states import (
    BEGAN,
    OLD_MODEL,
    REPORT,
    Operator,
    SetView,
    Sight,
    State,
    Terms,
    Wanted,
    pooled,
)
from tests.model.thought import kept, observation
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Mapping


def first_state(
    terms: Terms,
    replicas: int,
    troubles: Mapping[str, int],
    *,
    sick: int = 0,
    silent: bool = False,
    blind: bool = False,
    operators: int = 2,
) -> State:
    """The set is whole, and everybody has been told who is sick.

    Args:
        terms: what the owner has settled.
        replicas: wanted and there.
        troubles: what may go wrong from here on, and how often.
        sick: so many are Unhealthy.
        silent: all fall silent at the very beginning; those on the crowded node, if there is one.
        blind: the last operator is.
        operators: how many there are.
    """
    pods = ordered([_pod(terms, n, sick=n <= sick) for n in range(1, replicas + 1)])
    wanted = Wanted(terms, replicas, enabled="enable" not in troubles)
    ails = frozenset((p.uid, "wrong") for p in pods[:sick]) if terms.probed else frozenset()
    well = sight.at_first(pods, frozenset()) if terms.probed else same(Sight())
    seen = sight.at_first(pods, ails) if terms.probed else well
    view = _at_rest(wanted, pods, Operator(sight=well))
    if silent:
        ails = frozenset((p.uid, "silent") for p in pods if p.node == "node-1" or not terms.crowded)
    each = [pooled(Operator(sight=seen))] * operators
    if blind:
        silent_to_it = frozenset((p.uid, "silent") for p in pods)
        sees_none = replace(sight.at_first(pods, silent_to_it), dark="all")
        each[-1] = pooled(Operator(sight=same(sees_none)))
    return State(
        now=0,
        pods=pods,
        view=view,
        operators=tuple(each),
        made=frozenset(p.name for p in pods),
        ails=ails,
        troubles=tuple(sorted(troubles.items())),
    )


def _pod(terms: Terms, number: int, *, sick: bool) -> Instance:
    health = VMHealth.UNHEALTHY if sick else VMHealth.HEALTHY
    return seal(
        cluster.made(number, OLD_MODEL, crowded=terms.crowded, created=BEGAN),
        started=BEGAN,
        started_is_recorded=True,
        containers_ready=True,
        containers=builders.RUNNING,
        ip=f"127.16.0.{number}",
        reports=() if terms.probed else ((REPORT, health, BEGAN),),
        published=Published(health=health, reason="", since=BEGAN),
        in_rotation=not sick,
    )


def _at_rest(wanted: Wanted, pods: tuple[Instance, ...], one: Operator) -> SetView:
    """The status as an operator has left it when all were well."""
    status = ScaleSetStatus.model_validate({"lastInstanceId": len(pods)})
    repairs = status.repairs.model_copy(update={"enabled_time": BEGAN if wanted.enabled else None})
    blank = SetView(wanted, status.model_copy(update={"repairs": repairs}))
    well = tuple(
        seal(p, reports=((REPORT, VMHealth.HEALTHY, BEGAN),) if p.reports else ()) for p in pods
    )
    plan = decide(wanted.spec(), observation(one.but(pods=well, view=blank)), BEGAN)
    return same(SetView(wanted, kept(plan.status)))
