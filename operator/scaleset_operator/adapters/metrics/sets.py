"""The gauges of each set, read off the last plan when somebody asks: a turn pays nothing for them.

A set without a plan, because it is gone, has no series. Must not know: how a plan came about.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.definition import Series
from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scalesetstatus import RepairDecision
from scaleset_operator.core.plan import Plan
from scaleset_operator.reconciler.ports import Key

Rows = Iterator[tuple[Series, tuple[str, ...], float]]


class SetGauges(Collector):
    """All gauges with the label `scaleset`."""

    def __init__(self, plans: Callable[[], Mapping[Key, Plan]]) -> None:
        """Prepares it.

        Args:
            plans: the last plan of each set; may be called from any thread.
        """
        self._plans = plans

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        families = {
            one.name: GaugeMetricFamily(one.name, one.text, labels=[*one.labels])
            for one in (
                series.INSTANCES,
                series.CONDITION,
                series.REPAIRS_IN_FLIGHT,
                series.REPAIR_BATCH_LIMIT,
                series.REPAIR_DEFERRED,
                series.SERVICE_STATE,
            )
        }
        for key, plan in self._plans().items():
            for one, labels, value in _rows(plan):
                families[one.name].add_metric([*key, *labels], value)
        yield from families.values()


def _rows(plan: Plan) -> Rows:
    status = plan.status
    yield series.INSTANCES, (VMHealth.HEALTHY,), status.healthy_replicas
    yield series.INSTANCES, (VMHealth.UNHEALTHY,), status.unhealthy_replicas
    yield series.INSTANCES, (VMHealth.UNKNOWN,), status.unknown_replicas
    for condition in status.conditions:
        yield series.CONDITION, (condition.type, condition.status), 1
    yield series.REPAIRS_IN_FLIGHT, (), len(status.repairs.in_flight)
    yield series.REPAIR_BATCH_LIMIT, (), status.repairs.batch_limit
    for service in status.orchestration_services:
        yield series.SERVICE_STATE, (service.service_state, service.suspended_by or ""), 1
    held = (d.reason for d in plan.decisions if d.decision is not RepairDecision.REPAIRING)
    for reason, count in Counter(held).items():
        yield series.REPAIR_DEFERRED, (reason,), count
