"""PodDisruptionBudgets as they were seen: nouns only, frozen. What follows is in `budgets`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scaleset_operator.api.ledger import RepairEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One PodDisruptionBudget, as its controller last counted.

    Attributes:
        allowed: disruptions allowed now.
        current: whether its status speaks about its present spec.
        healthy: pods it counts as healthy.
        desired: how many of them it wants.
        lets_unhealthy_go: whether unhealthyPodEvictionPolicy is AlwaysAllow.
        disrupted: names of pods whose eviction is in these numbers already.
        said: what somebody else said of it, where its numbers are not known.
    """

    name: str
    allowed: int
    current: bool = True
    healthy: int = 0
    desired: int = 0
    lets_unhealthy_go: bool = False
    disrupted: frozenset[str] = frozenset()
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """What is known of the budgets over one set.

    Attributes:
        fault: why they are not known; empty where they are.
        over: instance name -> the budgets that select it; those asked about only.
        others: repairs in flight of other sets in the namespace; they spend the same budgets.
    """

    fault: str = ""
    over: Mapping[str, tuple[Budget, ...]] = field(default_factory=dict)
    others: tuple[RepairEntry, ...] = ()
