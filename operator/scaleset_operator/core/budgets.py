"""Whether a repair respects the PodDisruptionBudgets over its instance (disruptionBudgets).

Enforce waits while a budget has no room; Report goes on and says so; Ignore does not look. A budget
never protects an instance that is unready by its own report. One that our gate alone keeps unready
is no healthy pod to Kubernetes, so its deletion takes nothing from a budget: it goes as Kubernetes
evicts such a pod (unhealthyPodEvictionPolicy). A budget's numbers come some time after the deed, so
what was begun lately is taken off them here.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import MAX_BUDGETS, RepairEntry
from scaleset_operator.api.repairpolicy import DisruptionBudgets
from scaleset_operator.core.disruption import Budget
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Gate
from scaleset_operator.core.scene import Scene

REFLECTED_AFTER: Final = timedelta(seconds=30)
"""After so long a deletion is in every budget's numbers; its controller takes a second or two."""
_OPEN: Final = Gate(reason=Reason.DISRUPTION_BUDGET, open=True)


class Shortage(NamedTuple):
    """A budget without room, in words, and when time alone may make some."""

    detail: str
    until: datetime | None


def budget_gate(scene: Scene, instance: Instance, opening: Collection[RepairEntry] = ()) -> Gate:
    """Whether every budget over the instance has room for one more disruption.

    Args:
        scene: what this decision looks at.
        instance: the one to be taken, or recorded to be.
        opening: repairs that begin in this very decision; each has spent its part.
    """
    if scene.policy.disruption_budgets is not DisruptionBudgets.ENFORCE or not _ready(instance):
        return _OPEN
    seen = scene.observed.disruption
    fault = "PodDisruptionBudgets have not been looked at yet" if seen is None else seen.fault
    if fault:
        return Gate(reason=Reason.DISRUPTION_BUDGET, open=False, detail=fault)
    short = next(_shortages(scene, instance, opening), None)
    if short is None:
        return _OPEN
    detail, until = short
    return Gate(reason=Reason.DISRUPTION_BUDGET, open=False, detail=detail, until=until)


def spent_by(scene: Scene, instance: Instance) -> tuple[str, ...]:
    """The budgets that a repair of this instance counts against, by name, for its entry."""
    if not _ready(instance):
        return ()
    return tuple(budget.name for budget in _over(scene, instance))[:MAX_BUDGETS]


def reported(scene: Scene, instance: Instance, opening: Collection[RepairEntry]) -> str:
    """What Report adds to the cause of a repair that overdraws a budget; empty where none is."""
    by_report = scene.policy.disruption_budgets is DisruptionBudgets.REPORT
    if not by_report or not _ready(instance):
        return ""
    short = next(_shortages(scene, instance, opening), None)
    return "" if short is None else f"; against {short.detail}"


def _ready(instance: Instance) -> bool:
    """Ready as it would be without our own gate (design.md section 3)."""
    said = next((health for kind, health, _ in instance.reports if kind == "Ready"), None)
    return instance.containers_ready if said is None else said is VMHealth.HEALTHY


def _over(scene: Scene, instance: Instance) -> tuple[Budget, ...]:
    seen = scene.observed.disruption
    return () if seen is None else seen.over.get(instance.name, ())


def _shortages(
    scene: Scene, instance: Instance, opening: Collection[RepairEntry]
) -> Iterator[Shortage]:
    """Every budget over the instance must have room: one that has none is enough."""
    for budget in _over(scene, instance):
        pending = list(_pending(scene, instance, budget, opening))
        out_since = _out_since(instance)
        counted_out = out_since is not None and scene.now >= out_since + REFLECTED_AFTER
        if has_room(budget, len(pending), counted_out=counted_out):
            continue
        moments = [e.deleted_time + REFLECTED_AFTER for e in pending if e.deleted_time is not None]
        moments += [out_since + REFLECTED_AFTER] if out_since and not counted_out else []
        enough = moments and has_room(budget, 0, counted_out=out_since is not None)
        yield Shortage(_say(budget, len(pending)), min(moments) if enough else None)


def _out_since(instance: Instance) -> datetime | None:
    """Since when Kubernetes counts it as unhealthy for our gate's sake; None where it does not."""
    published = instance.published
    if instance.ready or published is None or published.health is not VMHealth.UNHEALTHY:
        return None
    return published.since


def has_room(budget: Budget, pending: int, *, counted_out: bool) -> bool:
    """Whether it allows one more.

    Args:
        budget: as it was read.
        pending: deletions that its numbers may not hold yet.
        counted_out: whether the one that is asked for counts as unhealthy already.
    """
    if budget.said or not budget.current:
        return False
    if counted_out:
        return budget.lets_unhealthy_go or budget.healthy - pending >= budget.desired
    return budget.allowed > pending


def _say(budget: Budget, pending: int) -> str:
    """The name and the numbers."""
    said = shown(budget, pending, "repairs")
    if budget.said or not budget.current:
        return said
    return f"{said} ({budget.healthy} healthy, {budget.desired} wanted)"


def shown(budget: Budget, pending: int, takers: str) -> str:
    """The name, and what is allowed.

    Args:
        budget: as it was read.
        pending: as for `has_room`.
        takers: what these are, in the plural.
    """
    name = f"PodDisruptionBudget {budget.name}"
    if budget.said:
        return budget.said
    if not budget.current:
        return f"{name}: its status is older than its spec"
    taken = f", {pending} of them taken by {takers} under way" if pending else ""
    return f"{name}: {budget.allowed} disruptions allowed{taken}"


def _pending(
    scene: Scene, instance: Instance, budget: Budget, opening: Collection[RepairEntry]
) -> Iterator[RepairEntry]:
    """Repairs that have spent from the budget and may not be in its numbers yet.

    Of two repairs recorded at once, in two sets or by two operators, the earlier goes first.
    """
    seen = scene.observed.disruption
    others = () if seen is None else seen.others
    own = next((e for e in scene.entries if e.uid == instance.uid), None)
    for entry in (*scene.entries, *others, *opening):
        concerns = budget.name in entry.budgets and entry.uid != instance.uid
        earlier = own is None or _age(entry) < _age(own)
        if concerns and earlier and not _is_counted(scene, budget, entry):
            yield entry


def _age(entry: RepairEntry) -> tuple[datetime, str]:
    return entry.start_time, entry.instance


def _is_counted(scene: Scene, budget: Budget, entry: RepairEntry) -> bool:
    """Whether the budget's numbers hold this deletion already."""
    if entry.instance in budget.disrupted:
        return True
    return entry.deleted_time is not None and scene.now >= entry.deleted_time + REFLECTED_AFTER
