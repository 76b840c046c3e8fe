"""How `snat` shows outbound ports. Must not know: how anything of it is found or summed up."""

from collections.abc import Iterable, Iterator
from typing import Final

from scaleset_operator.cli.call import Call
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.printing import Column, print_facts, print_table
from scaleset_operator.cli.snat_standing import Standing
from scaleset_operator.core.outboundwords import size_of
from scaleset_operator.core.snatadvice import Surplus

NO_RULE: Final = "no OutboundRule selects it: its flows leave by the cluster's default"
DENIED: Final = "none: its instances have no way out (spec.denyOutbound)"
UNSEEN: Final = "NotYetSeen"
"""As `status` says it of a set that the operator has not looked at."""


def show_all(call: Call, found: Iterable[Standing]) -> None:
    """One line a set."""
    found = list(found)
    if call.wants_data:
        call.print_data({"items": [_data(one) for one in found]})
        return
    columns = [
        Column("NAMESPACE", spare=1),
        Column("SET"),
        Column("RULE"),
        Column("POOL"),
        Column("PORTS EACH"),
        Column("TO NEXT TIER"),
        Column("STATE"),
        Column("SUFFICIENT"),
    ]
    print_table(call.console, columns, [_row(one) for one in found])
    for line in dict.fromkeys(line for one in found for line in one.unread):
        call.console.print(line)


def show(call: Call, one: Standing) -> None:
    """One set: the facts, then its instances."""
    if call.wants_data:
        call.print_data(_data(one))
        return
    print_facts(call.console, _facts(one))
    rows = [
        (
            row.instance,
            row.frontend_ip,
            f"{row.first_port}-{row.last_port}",
            size_of(row),
            "real" if row.programmed else "plan",
        )
        for row in one.rows
    ]
    rows += [(name, "-", "none left", 0, "-") for name in one.without]
    if rows:
        call.console.print()
        titles = ("INSTANCE", "ADDRESS", "PORTS", "COUNT", "STATE")
        print_table(call.console, [Column(title) for title in titles], rows)


def _row(one: Standing) -> tuple[str | int, ...]:
    meta = one.scale_set.metadata
    if one.rule is None:
        return (meta.namespace, meta.name, "-", "-", "-", "-", "-", "-")
    status = one.rule.status
    left = status.instances_to_next_tier
    return (
        meta.namespace,
        meta.name,
        one.rule.metadata.name,
        status.pool_size,
        status.ports_per_instance,
        "-" if left is None else left,
        _state(one),
        one.reason or UNSEEN,
    )


def _state(one: Standing) -> str:
    """Whether what is shown is carried out (S-34)."""
    total = len(one.rows)
    if not total:
        return "-"
    if not one.planned:
        return "real"
    return "plan" if one.planned == total else f"plan for {one.planned} of {total}"


def _facts(one: Standing) -> Iterator[tuple[str, str]]:
    meta, rule = one.scale_set.metadata, one.rule
    yield "Set", f"{meta.namespace}/{meta.name}"
    if rule is None:
        yield "Rule", NO_RULE
    else:
        status = rule.status
        yield "Rule", rule.metadata.name
        if status.observed_generation != rule.metadata.generation:
            yield "Behind", "the operator has not looked at the rule's present spec yet"
        yield "Ports", DENIED if rule.spec.deny_outbound else _ports(one)
        if one.rows:
            yield "State", _told_state(one)
        if one.reason:
            yield "Sufficient", f"{one.reason}: {one.message}"
        yield from _foreseen(one)
        yield from _advised(one)
    for line in one.unread:
        yield "Left out", line


def _ports(one: Standing) -> str:
    status = one.rule.status if one.rule is not None else None
    if status is None or not status.pool_size:
        return "none yet: the pool is empty"
    left = status.instances_to_next_tier
    more = "" if left is None else f"; {left} more instances fit before each has fewer"
    return f"{status.ports_per_instance} each, {status.pool_size} instances in the pool{more}"


def _told_state(one: Standing) -> str:
    total = len(one.rows)
    if not one.planned:
        return f"real: agents carry out all {total} blocks"
    return f"a plan for {one.planned} of {total} blocks: no agent reports that it carries them out"


def _foreseen(one: Standing) -> Iterator[tuple[str, str]]:
    """What surge and terminate delay do, of the pool as it is wanted or asked about (S-32)."""
    if one.surge is None or one.delay is None or one.together is None:
        return
    if one.what_if is not None:
        each = _each(one.surge.ports)
        yield "What if", f"replicas {one.what_if}: {one.surge.pool} in the pool, {each}"
    yield "Surge", _added(one.surge, "rollouts make none beside those wanted")
    yield "Delay", _added(one.delay, "repairs make none beside those wanted")
    if one.together.surplus > max(one.surge.surplus, one.delay.surplus):
        yield "Together", _added(one.together, "")
    if one.together.at_edge:
        yield "Warning", f"{one.together.pool} is the end of a row: one more costs each ports"
    if one.together.delete_first:
        yield "Suggested", "delete first (maxSurge false, no terminate notice) keeps the row"


def _added(what: Surplus, none: str) -> str:
    if not what.surplus:
        return none
    changed = _each(what.ports_with) if what.delete_first else f"still {_each(what.ports)}"
    return f"{what.pool} + {what.surplus} in the pool: {changed}"


def _each(ports: int | None) -> str:
    return "more than there are ports for" if ports is None else f"{ports} ports each"


def _advised(one: Standing) -> Iterator[tuple[str, str]]:
    busiest = one.rule.status.busiest if one.rule is not None else None
    if busiest is None:
        yield "Advice", "none: no agent reports flows"
        return
    used = f"{busiest.instance}, up to {busiest.ports} ports to {busiest.destination}"
    yield "Busiest", used
    for advice in one.advice:
        yield "Advice", f"{advice.mitigation}: {advice.text}"


def _data(one: Standing) -> Json:
    meta, rule = one.scale_set.metadata, one.rule
    found: Json = {"namespace": meta.namespace, "set": meta.name, "rule": None}
    if rule is not None:
        status = rule.status
        found |= {
            "rule": rule.metadata.name,
            "poolSize": status.pool_size,
            "portsPerInstance": status.ports_per_instance,
            "instancesToNextTier": status.instances_to_next_tier,
            "plan": one.planned > 0,
            "reason": one.reason,
            "items": [row.model_dump(mode="json", by_alias=True) for row in one.rows],
            "without": list(one.without),
            "whatIfReplicas": one.what_if,
            "surge": _surplus(one.surge),
            "terminateDelay": _surplus(one.delay),
            "together": _surplus(one.together),
            "busiest": status.busiest and status.busiest.model_dump(mode="json", by_alias=True),
            "advice": [a._asdict() for a in one.advice],
        }
    return found | {"leftOut": list(one.unread)}


def _surplus(what: Surplus | None) -> Json | None:
    if what is None:
        return None
    return {
        "poolSize": what.pool,
        "instances": what.surplus,
        "portsPerInstance": what.ports,
        "portsPerInstanceMeanwhile": what.ports_with,
        "atEdge": what.at_edge,
        "deleteFirst": what.delete_first,
    }
