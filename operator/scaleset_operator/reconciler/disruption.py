"""Which PodDisruptionBudgets are asked about for one set, and who else spends them.

Chooses nothing. With Ignore, or with repairs off, budgets are looked at for moves alone.
"""

from dataclasses import replace

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.repairpolicy import DisruptionBudgets
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.ports import Cluster
from scaleset_operator.reconciler.resources import KnownSet, Resources


def disruption_over(
    known: KnownSet, instances: tuple[Instance, ...], cluster: Cluster, resources: Resources
) -> Disruption | None:
    """What is known of the budgets over the instances that may be repaired, or are moved.

    None with Ignore while nobody is moved.

    Args:
        known: the set.
        instances: its pods; those that stand as Unhealthy are asked about, and those under
            maintenance, for the Eviction API heeds budgets whatever the policy of repairs is.
        cluster: has the budgets.
        resources: have the other sets' ledgers.
    """
    policy = known.resource.spec.automatic_repairs_policy
    ledger = known.resource.status.maintenance
    asked = [] if ledger is None else [move.instance for move in ledger.in_flight]
    repairs = policy is not None and policy.enabled
    if policy is not None and repairs and policy.disruption_budgets is not DisruptionBudgets.IGNORE:
        asked += [i.name for i in instances if i.live and _stands_unhealthy(i)]
    elif not asked:
        return None
    seen = cluster.disruption(known.owner, asked)
    if not any(seen.over.values()):
        return seen
    keys = set(resources.keys()) - {known.key}
    others = (resources.scale_set(key) for key in sorted(keys))
    entries = (
        entry
        for other in others
        if other is not None and other.key.namespace == known.key.namespace
        for entry in other.resource.status.repairs.in_flight
        if entry.budgets
    )
    return replace(seen, others=tuple(entries))


def _stands_unhealthy(instance: Instance) -> bool:
    return instance.published is not None and instance.published.health is VMHealth.UNHEALTHY
