"""What the plugin says of outbound ports: the OutboundRule's status, and what would follow.

All sums and all advice are `core`'s. Must not know: how they are shown.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError

from scaleset_operator.api.base import Resource
from scaleset_operator.api.outboundreasons import OutboundReason
from scaleset_operator.api.outboundrule import OutboundRule, PortAllocation
from scaleset_operator.api.scaleset import MAX_REPLICAS, ScaleSet
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.kinds import OUTBOUND_RULES, SCALE_SETS
from scaleset_operator.cli.ports import Json
from scaleset_operator.core.outboundwords import SUFFICIENT, size_of
from scaleset_operator.core.pool import claims_of, surplus_of
from scaleset_operator.core.selection import age_of, concerns
from scaleset_operator.core.snatadvice import (
    Advice,
    Observed,
    Surplus,
    advise,
    with_surplus,
    with_surplus_by_hand,
)
from scaleset_operator.reconciler.versions import in_words

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The outbound ports of one set.

    Attributes:
        rule: the one that serves it; None where none does.
        rows: the blocks of its instances.
        surge: what a rollout with maxSurge adds to the pool as it is wanted.
        delay: what repairs with a terminate notice add to it.
        together: what both add, of all sets of the pool.
        what_if: the replicas that surge, delay and together are told for; None for those wanted.
        unread: resources that this version cannot read, and that are left out.
    """

    scale_set: ScaleSet
    rule: OutboundRule | None = None
    rows: tuple[PortAllocation, ...] = ()
    without: tuple[str, ...] = ()
    surge: Surplus | None = None
    delay: Surplus | None = None
    together: Surplus | None = None
    what_if: int | None = None
    advice: tuple[Advice, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def planned(self) -> int:
        """Blocks that no agent reports as carried out: a plan and no more (S-34)."""
        return sum(not row.programmed for row in self.rows)

    @property
    def reason(self) -> str:
        """The operator's own word on the ports; empty before it said one."""
        return _said(self.rule)[0]

    @property
    def message(self) -> str:
        """And its sentence."""
        return _said(self.rule)[1]


def replicas_of(text: str) -> int:
    """The N of `replicas=N`.

    Raises:
        Failure: it is something else.
    """
    found = re.fullmatch(r"replicas=([0-9]{1,6})", text)
    if found is None or int(found[1]) > MAX_REPLICAS:
        line = f"--what-if is {text!r}: allowed is replicas=N with N 0 to {MAX_REPLICAS}"
        raise Failure(line)
    return int(found[1])


async def of_set(access: Access, namespace: str, name: str, replicas: int | None) -> Standing:
    """One set.

    Raises:
        Failure: it is not there, or cannot be read.
    """
    raw = await access.scale_set(namespace, name)
    try:
        mine = ScaleSet.model_validate(raw)
    except ValidationError as fault:
        line = f"ScaleSet {name} cannot be read: {in_words(fault)}"
        raise Failure(line) from fault
    sets, rules, unread = await _read(access, namespace)
    others = [one for one in sets if one.metadata.name != name]
    return _standing(mine, others, rules, replicas, unread)


async def of_all(access: Access, namespace: str | None) -> list[Standing]:
    """Every set that can be read."""
    sets, rules, unread = await _read(access, namespace)
    return [
        _standing(one, [s for s in sets if s is not one], rules, None, unread)
        for one in sorted(sets, key=lambda s: (s.metadata.namespace, s.metadata.name))
    ]


async def _read(
    access: Access, namespace: str | None
) -> tuple[list[ScaleSet], list[OutboundRule], tuple[str, ...]]:
    sets, no_sets = _readable(ScaleSet, await access.items(SCALE_SETS, namespace))
    rules, no_rules = _readable(OutboundRule, await access.items(OUTBOUND_RULES, namespace))
    return sets, rules, (*no_sets, *no_rules)


def _readable(kind: type[R], items: Iterable[Json]) -> tuple[list[R], list[str]]:
    found, unread = [], []
    for raw in items:
        try:
            found.append(kind.model_validate(raw))
        except ValidationError as fault:
            name = f"{kind.__name__} {raw['metadata']['name']}"
            unread.append(f"{name} cannot be read and is left out: {in_words(fault)}")
    return found, unread


def _standing(
    mine: ScaleSet,
    others: Sequence[ScaleSet],
    rules: Sequence[OutboundRule],
    replicas: int | None,
    unread: tuple[str, ...],
) -> Standing:
    rule = _rule_of(mine, rules)
    if rule is None:
        return Standing(scale_set=mine, what_if=replicas, unread=unread)
    name, status = mine.metadata.name, rule.status
    found = Standing(
        scale_set=mine,
        rule=rule,
        rows=tuple(row for row in status.allocations if _is_of(name, row.instance)),
        without=tuple(one for one in status.unallocated if _is_of(name, one)),
        what_if=replicas,
        advice=tuple(_advice(name, rule)),
        unread=unread,
    )
    if rule.spec.deny_outbound:
        return found
    spec = mine.spec if replicas is None else mine.spec.model_copy(update={"replicas": replicas})
    specs = [spec, *(one.spec for one in others if _rule_of(one, rules) is rule)]
    pool, both = sum(one.replicas for one in specs), surplus_of(spec)
    surge = surplus_of(spec.model_copy(update={"terminate_notification_profile": None}))
    return replace(
        found,
        surge=_surplus(rule, rules, pool, surge),
        delay=_surplus(rule, rules, pool, both - surge),
        together=_surplus(rule, rules, pool, sum(map(surplus_of, specs))),
    )


def _rule_of(mine: ScaleSet, rules: Iterable[OutboundRule]) -> OutboundRule | None:
    """The oldest that selects it, as the operator has it."""
    found = (r for r in rules if concerns(r, mine) and r.metadata.deletion_timestamp is None)
    return min(found, key=age_of, default=None)


def _is_of(name: str, instance: str) -> bool:
    return instance.rpartition("-")[0] == name


def _surplus(rule: OutboundRule, rules: Iterable[OutboundRule], pool: int, more: int) -> Surplus:
    by_hand = rule.spec.allocated_outbound_ports
    if not by_hand:
        return with_surplus(pool, more)
    taken = claims_of(rule, rules, ()).addresses
    return with_surplus_by_hand(pool, more, by_hand, len(rule.spec.frontend_ips) - len(taken))


def _advice(name: str, rule: OutboundRule) -> Iterator[Advice]:
    """For the busiest instance of the pool, where it is one of the set: of no other is told."""
    busiest = rule.status.busiest
    if busiest is None or not _is_of(name, busiest.instance):
        return
    for row in rule.status.allocations:
        if row.instance == busiest.instance:
            last_eighth = busiest.ports >= size_of(row)
            # The same reason says that no ports were to be had for somebody else.
            spent = _said(rule)[0] == OutboundReason.PORTS_EXHAUSTED and not rule.status.unallocated
            seen = Observed(
                ports=size_of(row), peak=busiest.ports, no_port_left=last_eighth and spent
            )
            yield from advise(seen)


def _said(rule: OutboundRule | None) -> tuple[str, str]:
    conditions = () if rule is None else rule.status.conditions
    found = ((str(c.reason), c.message) for c in conditions if c.type == SUFFICIENT)
    return next(found, ("", ""))
