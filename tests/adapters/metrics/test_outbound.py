"""The series of outbound ports, read off a rule that was really decided and off agents' reports."""

from collections.abc import Mapping
from typing import Any

import pytest

from scaleset_operator.adapters.metrics import outboundseries as series
from scaleset_operator.adapters.metrics.outbound import OutboundGauges
from scaleset_operator.adapters.metrics.registry import Metrics
from scaleset_operator.api.agentreport import Hottest
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.core.outbound import Heard
from tests.core._outbound import a_rule, decided, heard, members
from tests.support.scraping import Scrape, scrape

OF_RULE = {"namespace": "shop", "rule": "web-out"}
WEB_1 = OF_RULE | {"instance_name": "web-1"}
HOT = Hottest(address="203.0.113.5", port=443, protocol="tcp")


class Pool:
    """A rule and the agents of its nodes, as the operator has them.

    Attributes:
        rules: as last heard.
        agents: node -> report and whether it is silent.
        leads: whether this operator does.
    """

    def __init__(self, count: int = 3, **used: dict[str, Any]) -> None:
        self.agents: dict[str, Heard] = {}
        self.leads = True
        rule = a_rule()
        self.rules: tuple[OutboundRule, ...] = (self._with(rule, count),)
        told = {name.replace("_", "-"): figures for name, figures in used.items()}
        self.agents["node-1"] = heard(self.rules[0], used=told)
        self.rules = (self._with(self.rules[0], count),)
        self.metrics = Metrics("1")
        self.metrics.watch(
            OutboundGauges(rules=lambda: self.rules, agents=self, leads=lambda: self.leads)
        )

    def _with(self, rule: OutboundRule, count: int) -> OutboundRule:
        status = decided(rule, members(count), wanted=count, agents=self.agents)
        return rule.model_copy(update={"status": status})

    def heard(self) -> Mapping[str, Heard]:
        return self.agents

    def ages(self) -> Mapping[str, float]:
        return dict.fromkeys(self.agents, 12.5)

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


def used(ports: int, **more: Any) -> dict[str, Any]:
    return {"used": ports, "peak": ports, "hottest": HOT} | more


def test_each_instance_tells_what_it_has_uses_and_used_at_most() -> None:
    """S-29: ports, not connections."""
    found = Pool(web_1=used(200, peak=300, flows=710, refused=4)).scrape()
    assert found.value(series.ALLOCATED, **WEB_1) == 1024
    assert found.value(series.USED, **WEB_1) == 200
    assert found.value(series.PEAK, **WEB_1) == 300
    assert found.value(series.REFUSED, **WEB_1) == 4
    names = {row["instance_name"] for row in found.rows(series.ALLOCATED)}
    assert names == {"web-1", "web-2", "web-3"}


@pytest.mark.parametrize(
    ("count", "each", "left", "reason"),
    [(3, 1024, 47, "WithinTier"), (50, 1024, 0, "NearTierEdge"), (51, 512, 49, "WithinTier")],
)
def test_the_edge_of_the_tier_is_told(count: int, each: int, left: int, reason: str) -> None:
    """S-01, S-32."""
    found = Pool(count).scrape()
    assert found.value(series.POOL, **OF_RULE) == count
    assert found.value(series.PORTS_EACH, **OF_RULE) == each
    assert found.value(series.TO_NEXT_TIER, **OF_RULE) == left
    said = {"type": "OutboundPortsSufficient", "status": "True", "reason": reason}
    assert found.value(series.CONDITION, **OF_RULE, **said) == 1
    assert found.total(series.CONDITION, type="OutboundPortsSufficient") == 1


def test_where_no_tier_follows_there_is_no_edge() -> None:
    """S-02: above 800 the last row holds to its end, and a denied pool has no ports at all."""
    pool = Pool()
    rule = a_rule(denyOutbound=True, frontendIPs=[])
    pool.rules = (rule.model_copy(update={"status": decided(rule, members(3))}),)
    found = pool.scrape()
    assert found.rows(series.TO_NEXT_TIER) == found.rows(series.ALLOCATED) == []
    assert found.value(series.PORTS_EACH, **OF_RULE) == 0


def test_running_out_is_a_condition_and_a_count() -> None:
    """S-12, S-17: both can be alerted on."""
    found = Pool(web_1=used(1024, refused=9)).scrape()
    said = {"type": "OutboundPortsSufficient", "status": "False", "reason": "PortsExhausted"}
    assert found.value(series.CONDITION, **OF_RULE, **said) == 1
    assert found.value(series.REFUSED, **WEB_1) == 9


def test_destinations_are_those_of_the_ten_nearest_to_their_end() -> None:
    """S-29: there may be any number of destinations, and series of ten."""
    everyone: dict[str, Any] = {f"web_{n}": used(n) for n in range(1, 31)}
    found = Pool(30, **everyone).scrape()
    rows = found.rows(series.DESTINATION)
    assert {row["instance_name"] for row in rows} == {f"web-{n}" for n in range(21, 31)}
    assert {row["destination"] for row in rows} == {"203.0.113.5:443/tcp"}
    there = OF_RULE | {"instance_name": "web-30", "destination": "203.0.113.5:443/tcp"}
    assert found.value(series.DESTINATION, **there) == 30


def test_of_an_agent_that_is_silent_the_age_is_told_and_no_figure() -> None:
    """S-34: what was so long ago is not told as the present."""
    pool = Pool(web_1=used(200))
    assert pool.scrape().value(series.REPORT_AGE, node="node-1") == 12.5
    pool.agents = {n: Heard(h.report, silent=True) for n, h in pool.agents.items()}
    found = pool.scrape()
    assert found.rows(series.USED) == found.rows(series.REFUSED) == []
    assert found.value(series.ALLOCATED, **WEB_1) == 1024
    assert found.value(series.REPORT_AGE, node="node-1") == 12.5


def test_an_instance_without_a_block_has_no_series() -> None:
    """The agents of another rule's nodes report others: series are bounded by the rule's blocks."""
    pool = Pool(web_1=used(200))
    pool.rules = (a_rule(),)
    found = pool.scrape()
    assert found.rows(series.USED) == found.rows(series.ALLOCATED) == []


def test_a_standby_and_a_rule_that_is_gone_tell_nothing() -> None:
    pool = Pool(web_1=used(200))
    pool.leads = False
    assert not any(pool.scrape().rows(one) for one in series.ALL)
    pool.leads, pool.rules, pool.agents = True, (), {}
    assert not any(pool.scrape().rows(one) for one in series.ALL)
