"""Who is in the pool of an OutboundRule, and by which way each instance's flows leave.

Must not know which ports an instance has.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address

from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import ScaleSet, ScaleSetSpec
from scaleset_operator.core.allowance import batch_allowance
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.selection import age_of, concerns


class Way(StrEnum):
    """How flows leave the cluster; an instance has the first of these that applies (S-21)."""

    OWN_ADDRESS = "OwnAddress"
    """Its own address is public: nothing is translated, all its ports are its own (S-22)."""
    NODE = "Node"
    """It is on its node's network, and has the node's address and ports."""
    FRONTEND = "Frontend"
    """A front-end address of the rule that its pool belongs to."""


def way_of(instance: Instance) -> Way:
    """The way of one member of a pool; healthy or not, listening or not (S-24).

    Whoever is in no pool leaves by whatever the cluster translates to, chosen by nobody here
    (S-23, S-26).
    """
    if instance.on_host:
        return Way.NODE
    if instance.ip and ip_address(instance.ip).is_global:
        return Way.OWN_ADDRESS
    return Way.FRONTEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One instance of a pool.

    Attributes:
        leaving: it is being deleted; it counts no more and keeps its ports until it is gone.
    """

    name: str
    created: datetime
    node: str | None = None
    way: Way = Way.FRONTEND
    leaving: bool = False


def members_of(instances: Iterable[Instance]) -> tuple[Member, ...]:
    """The members among the instances of a pool's sets, the oldest first.

    Unhealthy and surplus ones are members like any other (S-24, S-32).
    """
    found = (
        Member(
            name=one.name,
            created=one.created,
            node=one.node,
            way=way_of(one),
            leaving=one.terminating,
        )
        for one in instances
        if not one.over
    )
    return tuple(sorted(found, key=lambda m: (m.created, m.name)))


def surplus_of(spec: ScaleSetSpec) -> int:
    """The most instances that a set has beside those wanted, repairs and rollouts together (S-32).

    A rollout with maxSurge makes a batch's successors first; a repair with a terminate notice makes
    the replacement while its victim still lives.
    """
    surplus = 0
    rolling = spec.upgrade_policy.rolling_upgrade_policy
    if rolling.max_surge and spec.replicas:
        surplus += batch_allowance(spec.replicas, rolling.max_batch_instance_percent)
    notice, repairs = spec.terminate_notification_profile, spec.automatic_repairs_policy
    if notice is not None and notice.enable and repairs is not None and repairs.enabled:
        surplus += batch_allowance(spec.replicas, repairs.max_in_flight_percent)
    return surplus


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What of a rule's belongs to an older one: name or address -> that rule."""

    sets: tuple[tuple[str, str], ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()


def claims_of(
    rule: OutboundRule, others: Iterable[OutboundRule], sets: Iterable[ScaleSet]
) -> Claims:
    """What older rules have before this one; an address is one in the whole cluster.

    Args:
        rule: the one that is asked for.
        others: all rules; itself may be among them.
        sets: those that it selects.
    """
    older = sorted((o for o in others if age_of(o) < age_of(rule)), key=age_of)
    older = [one for one in older if one.metadata.deletion_timestamp is None]
    taken: dict[str, str] = {}
    for one in older:
        for address in one.spec.frontend_ips:
            taken.setdefault(address, f"{one.metadata.namespace}/{one.metadata.name}")
    owned = {
        s.metadata.name: next((o.metadata.name for o in older if concerns(o, s)), None)
        for s in sets
    }
    return Claims(
        sets=tuple((name, owner) for name, owner in sorted(owned.items()) if owner is not None),
        addresses=tuple((a, taken[a]) for a in rule.spec.frontend_ips if a in taken),
    )
