"""What the parts of the operator hold when somebody asks: queues, prober, watches.

Asked on the server's thread: it only reads single values. Must not know: how they come about.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.definition import Kind, Series
from scaleset_operator.adapters.prober.counts import Counts
from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.link import ProberState
from scaleset_operator.adapters.prober.totals import Totals
from scaleset_operator.adapters.prober.wire import Code
from scaleset_operator.adapters.vitals import PodWatch

NOBODY: Final = -1
_NS: Final = 1_000_000_000


class Waiting(Protocol):
    """A queue; times are those of time.monotonic."""

    def depth(self) -> int:
        """How many keys wait."""
        ...

    def oldest(self) -> float | None:
        """Since when the one that waits longest has waited."""
        ...


class Prober(Protocol):
    """The prober."""

    @property
    def totals(self) -> Totals:
        """What it has counted."""
        ...

    def state(self) -> ProberState:
        """How it is now."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)  # A registry finds its collectors by hash.
class PartGauges(Collector):
    """All that is not of one set.

    Attributes:
        queues: by the kind whose turns they hold.
        pods: the cache.
        prober: what it counted and how it is.
        watch_starts: how often the watch of the custom resources began.
        leads: whether this operator does.
        voted: whether another one answers it.
    """

    queues: Mapping[str, Waiting]
    pods: PodWatch
    prober: Prober
    watch_starts: Callable[[], int]
    leads: Callable[[], bool] = lambda: True
    voted: Callable[[], bool] = lambda: False
    monotonic: Callable[[], float] = time.monotonic

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield from self._of_queues()
        # One look for both: between two looks a heartbeat would make them differ.
        counts = self.prober.totals.counts()
        yield from self._of_prober(counts)
        yield _of_durations(counts)
        cut_for = self.pods.cut_for()
        yield family(series.POD_CACHE_CUT, [] if cut_for is None else [((), cut_for)])
        yield family(series.WATCH_STARTS, [((), self.watch_starts())])
        yield family(series.LEADER, [((), self.leads())])
        yield family(series.VANTAGE_UP, [((), self.voted())])
        processes = ProcessCollector(
            namespace=series.PROBER_PREFIX.rstrip("_"), pid=self._pid, registry=None
        )
        yield from processes.collect()

    def _pid(self) -> int:
        pid = self.prober.state().pid
        return NOBODY if pid is None else pid

    def _of_queues(self) -> Iterator[Metric]:
        now = self.monotonic()
        oldest = {kind: queue.oldest() for kind, queue in self.queues.items()}
        waits = [((kind,), now - at if at is not None else 0.0) for kind, at in oldest.items()]
        yield family(series.QUEUE_OLDEST, waits)
        depths = [((kind,), queue.depth()) for kind, queue in self.queues.items()]
        yield family(series.QUEUE_DEPTH, depths)

    def _of_prober(self, counts: Counts) -> Iterator[Metric]:
        state, totals = self.prober.state(), self.prober.totals
        results = zip(Code, counts.results, strict=True)
        yield family(series.PROBE_RESULTS, [((code.name.lower(),), n) for code, n in results])
        yield family(series.PROBE_LAG, [((), totals.lag_ns(boottime_ns()) / _NS)])
        beat = state.heartbeat
        yield family(series.PROBE_TARGETS, [((), beat.targets if beat is not None else 0)])
        yield family(series.PROBER_UP, [((), state.beating_since is not None)])
        yield family(series.PROBER_SEES, [((), state.sees)])
        yield family(series.PROBER_STARTS, [((), state.starts)])


def _of_durations(counts: Counts) -> Metric:
    bounds = [*map(str, series.PROBE_DURATION.buckets), "+Inf"]
    buckets = list(zip(bounds, accumulate(counts.durations), strict=True))
    one = series.PROBE_DURATION
    durations = HistogramMetricFamily(one.name, one.text)
    durations.add_metric([], buckets, counts.spent_ns / _NS)
    return durations


def family(
    one: Series, rows: Iterable[tuple[tuple[str, ...], float]] = ()
) -> CounterMetricFamily | GaugeMetricFamily:
    """What the library is given of a counter or a gauge.

    Args:
        one: the series.
        rows: the values of its labels, and the value itself.
    """
    kind = CounterMetricFamily if one.kind is Kind.COUNTER else GaugeMetricFamily
    made = kind(one.name, one.text, labels=[*one.labels])
    for labels, value in rows:
        made.add_metric([*labels], value)
    return made
