"""Rules and pools for the tests of outbound ports; what a test does not name is plain."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from scaleset_operator.api.agentreport import AgentReport, InstanceReport, RuleReport, program_of
from scaleset_operator.api.outboundrule import OutboundRule, OutboundRuleStatus, PortAllocation
from scaleset_operator.core.outbound import Heard, RuleView, outbound_status
from scaleset_operator.core.pool import Member, Way
from tests.support.fake_clock import T0

ADDRESS = "192.0.2.10"


def a_rule(
    status: OutboundRuleStatus | None = None, *, name: str = "web-out", age: int = 0, **spec: Any
) -> OutboundRule:
    """A rule with one address, for the sets with the label tier=web."""
    chosen = {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": [ADDRESS]}
    meta = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "generation": 1,
        "creationTimestamp": (T0 - timedelta(hours=age)).isoformat(),
    }
    rule = OutboundRule.model_validate({"metadata": meta, "spec": chosen | spec})
    return rule.model_copy(update={"status": status or OutboundRuleStatus()})


def members(count: int, **fields: Any) -> tuple[Member, ...]:
    """web-1 and so on, each on node-1."""
    rest = {"node": "node-1", "way": Way.FRONTEND} | fields
    return tuple(
        Member(name=f"web-{n}", created=T0 + timedelta(seconds=n), **rest)
        for n in range(1, count + 1)
    )


def decided(rule: OutboundRule, pool: Iterable[Member], **view: Any) -> OutboundRuleStatus:
    """The next status."""
    return outbound_status(RuleView(rule=rule, members=tuple(pool), **view), T0)


def told(status: OutboundRuleStatus, kind: str = "OutboundPortsSufficient") -> tuple[str, str, str]:
    """One condition."""
    found = next(c for c in status.conditions if c.type == kind)
    return found.status.value, found.reason, found.message


def blocks(status: OutboundRuleStatus) -> dict[str, tuple[int, int]]:
    """Who has which ports."""
    return {row.instance: (row.first_port, row.last_port) for row in status.allocations}


def heard(
    rule: OutboundRule,
    names: Iterable[str] = (),
    *,
    node: str = "node-1",
    frontends: tuple[str, ...] = (ADDRESS,),
    used: Mapping[str, dict[str, Any]] | None = None,
    silent: bool = False,
    message: str = "",
) -> Heard:
    """The report of an agent that carries out all that the rule's status says."""
    rows: dict[str, PortAllocation] = {row.instance: row for row in rule.status.allocations}
    report = AgentReport(
        version="1",
        node=node,
        frontends=frontends,
        rules={"shop/web-out": RuleReport(program=program_of(rule), message=message)},
        instances={
            f"shop/{name}": InstanceReport(
                first_port=rows[name].first_port,
                last_port=rows[name].last_port,
                **(used or {}).get(name, {}),
            )
            for name in (names or rows)
        },
    )
    return Heard(report, silent=silent)
