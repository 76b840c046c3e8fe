"""The gauges of outbound ports, read off the rules and the agents' reports when somebody asks.

Series are bounded by the pool: a rule lists so many blocks and no more. A rule that is gone has
none. Must not know: how ports were given out, or how a report came.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from scaleset_operator.adapters.metrics import outboundseries as series
from scaleset_operator.adapters.metrics.definition import Series
from scaleset_operator.adapters.metrics.parts import family
from scaleset_operator.api.agentreport import InstanceReport
from scaleset_operator.api.outboundrule import OutboundRule, PortAllocation
from scaleset_operator.core.outbound import Heard
from scaleset_operator.core.outboundwords import destination, size_of

Rows = Iterator[tuple[Series, tuple[str, ...], float]]
Used = list[tuple[PortAllocation, InstanceReport]]


class Reporting(Protocol):
    """The agents, as their reports are known; may be asked from any thread."""

    def heard(self) -> Mapping[str, Heard]:
        """Node -> its agent's last report, and whether it still answers."""
        ...

    def ages(self) -> Mapping[str, float]:
        """Node -> seconds since its Lease was renewed."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)  # A registry finds its collectors by hash.
class OutboundGauges(Collector):
    """All series of outbound ports.

    Attributes:
        rules: as last heard; may be called from any thread.
        leads: whether this operator does; a standby tells of no rule and no agent.
    """

    rules: Callable[[], tuple[OutboundRule, ...]]
    agents: Reporting
    leads: Callable[[], bool]

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        families = {one.name: family(one) for one in series.ALL}
        for one, labels, value in self._rows() if self.leads() else ():
            families[one.name].add_metric([*labels], value)
        yield from families.values()

    def _rows(self) -> Rows:
        reports: dict[str, InstanceReport] = {}
        for heard in self.agents.heard().values():
            if not heard.silent:
                reports.update(heard.report.instances)
        for rule in self.rules():
            key = (rule.metadata.namespace, rule.metadata.name)
            for one, labels, value in _of_rule(rule, reports):
                yield one, (*key, *labels), value
        for node, age in self.agents.ages().items():
            yield series.REPORT_AGE, (node,), age


def _of_rule(rule: OutboundRule, reports: Mapping[str, InstanceReport]) -> Rows:
    status = rule.status
    for condition in status.conditions:
        yield series.CONDITION, (condition.type, condition.status, condition.reason), 1
    yield series.POOL, (), status.pool_size
    yield series.PORTS_EACH, (), status.ports_per_instance
    if status.instances_to_next_tier is not None:
        yield series.TO_NEXT_TIER, (), status.instances_to_next_tier
    told: Used = []
    for row in status.allocations:
        yield series.ALLOCATED, (row.instance,), size_of(row)
        found = reports.get(f"{rule.metadata.namespace}/{row.instance}")
        if found is not None:
            told.append((row, found))
    yield from _of_usage(told)


def _of_usage(told: Used) -> Rows:
    for row, used in told:
        yield series.USED, (row.instance,), used.used
        yield series.PEAK, (row.instance,), used.peak
        yield series.REFUSED, (row.instance,), used.refused
    hot = ((row, used) for row, used in told if used.hottest is not None)
    nearest = nlargest(series.MOST_DESTINATIONS, hot, key=lambda o: o[1].used / size_of(o[0]))
    for row, used in nearest:
        yield series.DESTINATION, (row.instance, destination(used)), used.used
