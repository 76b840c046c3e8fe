"""A registry of our own, and what is counted in it as it happens.

Must not know: when anything happens, or how the page with it is served.
"""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.definition import Series
from scaleset_operator.adapters.scheduled_events.answers import Outcome
from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairRecord
from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.core.plan import Purpose
from scaleset_operator.reconciler.account import EvictionEnd
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.queue import TurnEnd

UNKNOWN_CAUSE: Final = "Unknown"
_REASONS: Final = frozenset(map(str, Reason))


class Metrics:
    """All that is measured; the port `Account` of the loop. May be told and read on any thread."""

    def __init__(self, version: str) -> None:
        """Makes the registry, with what needs no part of the operator.

        Args:
            version: of the operator.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._repairs = self._counter(series.REPAIRS)
        self._repair_seconds = self._histogram(series.REPAIR_DURATION)
        self._deletions = self._counter(series.DELETIONS)
        self._evictions = self._counter(series.EVICTIONS)
        self._moves = self._counter(series.MOVES)
        self._turn_seconds = self._histogram(series.TURN_DURATION)
        self._requests = self._counter(series.API_REQUESTS)
        self._request_seconds = self._histogram(series.API_DURATION)
        self._event_requests = self._counter(series.EVENT_REQUESTS)
        for outcome in Outcome:
            self._event_requests.labels(outcome)
        self._of_request: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        build = Gauge(
            series.BUILD.name, series.BUILD.text, [*series.BUILD.labels], registry=self._registry
        )
        build.labels(version).set(1)
        ProcessCollector(registry=self._registry)

    def watch(self, collector: Collector) -> None:
        """Have this asked whenever the page is."""
        self._registry.register(collector)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Everything, as this Accept header asks for it: the body, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    # --- What the loop tells ------------------------------------------------------------------

    def repair_ended(self, key: Key, repair: RepairRecord) -> None:
        """See the port."""
        cause = repair.cause_reason or ""
        cause = cause if cause in _REASONS else UNKNOWN_CAUSE
        self._repairs.labels(*key, repair.action, cause, repair.result).inc()
        took = (repair.end_time - repair.start_time).total_seconds()
        self._repair_seconds.labels(repair.action, repair.result).observe(max(0.0, took))

    def deleted(self, key: Key, purpose: Purpose) -> None:
        """See the port."""
        self._deletions.labels(*key, purpose).inc()

    def evicted(self, key: Key, end: EvictionEnd) -> None:
        """See the port."""
        self._evictions.labels(*key, end).inc()

    def move_ended(self, key: Key, move: MaintenanceEntry) -> None:
        """See the port."""
        result = move.result or OperationResultCode.NONE
        self._moves.labels(*key, move.origin, result).inc()

    def forgotten(self, key: Key) -> None:
        """See the port: the series of a set go with it."""
        gone = {"namespace": key.namespace, "scaleset": key.name}
        for counter in (self._repairs, self._deletions, self._evictions, self._moves):
            counter.remove_by_labels(gone)

    def turns_of(self, kind: str) -> Callable[[TurnEnd, float], None]:
        """Takes the ends of the turns of one kind."""
        of_end: Mapping[TurnEnd, Histogram] = {
            end: self._turn_seconds.labels(kind, end) for end in TurnEnd
        }
        return lambda end, seconds: of_end[end].observe(seconds)

    def api_request(self, verb: str, code: str, seconds: float) -> None:
        """A request to the API server has ended."""
        kept = self._of_request.get((verb, code))
        if kept is None:  # To find them by their labels costs more than to count.
            kept = (self._requests.labels(verb, code), self._request_seconds.labels(verb))
            self._of_request[verb, code] = kept
        kept[0].inc()
        kept[1].observe(seconds)

    def asked_for_events(self, outcome: Outcome) -> None:
        """A connection to the scheduled events has ended."""
        self._event_requests.labels(outcome).inc()

    # --- Inside -------------------------------------------------------------------------------

    def _counter(self, one: Series) -> Counter:
        return Counter(one.name, one.text, [*one.labels], registry=self._registry)

    def _histogram(self, one: Series) -> Histogram:
        return Histogram(
            one.name, one.text, [*one.labels], buckets=one.buckets, registry=self._registry
        )
