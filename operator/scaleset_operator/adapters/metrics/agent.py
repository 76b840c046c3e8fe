"""What a node's agent measures: of the node as a whole, so that labels stay few.

What single instances use stands in the agent's report, and the operator shows it. Asked on the
server's thread: it only reads single values. Must not know: how they come about.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from scaleset_operator.adapters.metrics.definition import Kind, Series


class AgentFigures(NamedTuple):
    """The figures of one agent at one moment.

    Attributes:
        outlets: instances whose way out stands in the node's rules.
        refused: flows that found no free port, of all instances that are here.
        paused: pods that stand still.
        changes: transactions that changed a rule.
        failures: attempts that were not carried out.
        ended: flows ended on reclaimed ports.
        readings: times that usage was read.
        fault: whether something keeps the agent from its work.
        in_touch: whether it hears the API server.
    """

    outlets: int
    refused: int
    paused: int
    changes: int
    failures: int
    ended: int
    readings: int
    fault: bool
    in_touch: bool


def _gauge(name: str, text: str) -> Series:
    return Series(name=f"scaleset_agent_{name}", kind=Kind.GAUGE, text=text)


def _counter(name: str, text: str) -> Series:
    return Series(name=f"scaleset_agent_{name}_total", kind=Kind.COUNTER, text=text)


OF_FIGURE: Final = {
    "outlets": _gauge("outlets", "Instances whose way out stands in the node's rules."),
    "refused": _gauge(
        "refused_flows", "Flows of the instances that are here that found no free port."
    ),
    "paused": _gauge("paused_pods", "Pods of the node that stand still."),
    "changes": _counter("changes", "Transactions that changed the node's rules."),
    "failures": _counter("failures", "Changes and readings that nft or conntrack did not do."),
    "ended": _counter("ended_flows", "Flows ended, for their ports were reclaimed."),
    "readings": _counter("readings", "Times that the flows were read."),
    "fault": _gauge("fault", "1 while something keeps the agent from its work."),
    "in_touch": _gauge("in_touch", "1 while the agent hears the API server."),
}
"""Figure -> its series."""


class AgentMetrics(Collector):
    """A registry of its own, with one agent's figures and its process."""

    def __init__(self, figures: Callable[[], AgentFigures]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._figures = figures
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Everything, as this Accept header asks for it: the body, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """See the library."""
        for figure, value in self._figures()._asdict().items():
            series = OF_FIGURE[figure]
            counts = series.kind is Kind.COUNTER
            family = CounterMetricFamily if counts else GaugeMetricFamily
            yield family(series.name, series.text, value=float(value))
