"""What the parts hold when somebody asks, and that no series is there undocumented."""

import os
from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.outbound import OutboundGauges
from scaleset_operator.adapters.metrics.parts import PartGauges
from scaleset_operator.adapters.metrics.registry import Metrics
from scaleset_operator.adapters.metrics.sets import SetGauges
from scaleset_operator.adapters.prober.counts import Counts
from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.link import ProberState
from scaleset_operator.adapters.prober.totals import Tally, Totals
from scaleset_operator.adapters.prober.wire import Code, Heartbeat, ReferenceState
from scaleset_operator.core.plan import Purpose
from scaleset_operator.reconciler.account import EvictionEnd
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.queue import TurnEnd
from tests.adapters.metrics.test_outbound import Pool, used
from tests.adapters.metrics.test_registry import MOVE, ended
from tests.adapters.metrics.test_sets import plan_of
from tests.support.scraping import Scrape, scrape

NOW = 10_000.0
REACHED = ReferenceState(reachable=True, last_success=1, last_ended=1)
WEB = Key("shop", "web")


class Queue:
    """Keys that wait, by since when."""

    def __init__(self, *since: float) -> None:
        self.since = since

    def depth(self) -> int:
        return len(self.since)

    def oldest(self) -> float | None:
        return min(self.since, default=None)


class Pods:
    """The cache."""

    gone: float | None = 0.0

    def cut_for(self) -> float | None:
        return self.gone


class Prober:
    """A prober that has made three attempts on its seven targets."""

    def __init__(self) -> None:
        self.totals = Totals()
        tally = Tally()
        for code, took in ((Code.OK, 2_000_000), (Code.OK, 2_000_000), (Code.TIMED_OUT, 5 * 10**9)):
            tally.add(code, took)
        now = boottime_ns()
        beat = Heartbeat(now, 7, 0, 3, 3, 1, 250_000_000, 0, 0, 0, 1, (REACHED,), tally.counts(1))
        self.totals.beat(beat)
        self.now = ProberState(
            pid=os.getpid(), starts=2, beating_since=now, heartbeat=beat, references=(REACHED,)
        )

    def state(self) -> ProberState:
        return self.now


class Parts:
    """All parts under one registry."""

    def __init__(self) -> None:
        self.metrics = Metrics("1")
        self.sets, self.probes = Queue(), Queue()
        self.pods, self.prober = Pods(), Prober()
        self.watch_starts = 1
        self.leads, self.voted = True, False
        gauges = PartGauges(
            queues={"ScaleSet": self.sets, "HealthProbe": self.probes},
            pods=self.pods,
            prober=self.prober,
            watch_starts=lambda: self.watch_starts,
            leads=lambda: self.leads,
            voted=lambda: self.voted,
            monotonic=lambda: NOW,
        )
        self.metrics.watch(gauges)

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_the_queues_tell_how_many_wait_and_for_how_long(parts: Parts) -> None:
    parts.sets.since = (NOW - 4, NOW - 1)
    found = parts.scrape()
    assert found.value(series.QUEUE_DEPTH, kind="ScaleSet") == 2
    assert found.value(series.QUEUE_OLDEST, kind="ScaleSet") == 4
    assert found.value(series.QUEUE_DEPTH, kind="HealthProbe") == 0
    assert found.value(series.QUEUE_OLDEST, kind="HealthProbe") == 0


class Busy(Totals):
    """Each look finds one attempt more."""

    looks = 0

    def counts(self) -> Counts:
        self.looks += 1
        tally = Tally()
        for _ in range(self.looks):
            tally.add(Code.OK, 2_000_000)
        return tally.counts(0)


def test_a_heartbeat_in_the_middle_of_a_scrape_does_not_split_it(parts: Parts) -> None:
    """What ended and how long it took are of one moment."""
    parts.prober.totals = Busy()
    found = parts.scrape()
    ended_so = found.value(series.PROBE_RESULTS, result="ok")
    assert found.value("scaleset_probe_duration_seconds_count") == ended_so


def test_attempts_of_the_prober_are_told_by_result_and_duration(parts: Parts) -> None:
    found = parts.scrape()
    results = {row["result"] for row in found.rows(series.PROBE_RESULTS)}
    assert results == {code.name.lower() for code in Code}
    assert found.value(series.PROBE_RESULTS, result="ok") == 2
    assert found.value(series.PROBE_RESULTS, result="timed_out") == 1
    assert found.value(series.PROBE_RESULTS, result="voided") == 1
    name = series.PROBE_DURATION.name
    assert found.value(f"{name}_count") == 3
    assert found.value(f"{name}_sum") == pytest.approx(5.004)
    assert found.value(f"{name}_bucket", le="0.001") == 0
    assert found.value(f"{name}_bucket", le="0.0025") == 2
    assert found.value(f"{name}_bucket", le="5.0") == found.value(f"{name}_bucket", le="+Inf") == 3


def test_the_state_of_the_prober_is_told(parts: Parts) -> None:
    def told() -> dict[str, float | None]:
        found = parts.scrape()
        return {
            name: found.value(f"scaleset_{name}")
            for name in ("prober_up", "prober_sees", "probe_targets", "prober_starts_total")
        }

    up = {"prober_up": 1, "prober_sees": 1, "probe_targets": 7, "prober_starts_total": 2}
    assert told() == up
    blind = ReferenceState(reachable=False, last_success=0, last_ended=1)
    parts.prober.now = replace(parts.prober.now, references=(blind,))
    assert told() == up | {"prober_sees": 0}
    parts.prober.now = replace(parts.prober.now, beating_since=None, heartbeat=None)
    assert told() == up | {"prober_up": 0, "prober_sees": 0, "probe_targets": 0}
    assert parts.scrape().value(series.PROBE_LAG) == 0.25


def test_a_prober_without_a_process_has_no_process_series(parts: Parts) -> None:
    name = "scaleset_prober_process_resident_memory_bytes"
    assert (parts.scrape().value(name) or 0) > 1_000_000
    parts.prober.now = replace(parts.prober.now, pid=None)
    assert parts.scrape().value(name) is None


@pytest.mark.parametrize("gone", [None, 0.0, 12.5])
def test_the_watch_of_the_pods_tells_how_long_it_has_been_gone(
    parts: Parts, gone: float | None
) -> None:
    parts.pods.gone = gone
    assert parts.scrape().value(series.POD_CACHE_CUT) == gone


def test_starts_of_the_watch_of_the_resources_are_counted(parts: Parts) -> None:
    parts.watch_starts = 3
    assert parts.scrape().value(series.WATCH_STARTS) == 3


def test_of_several_replicas_each_tells_whether_it_leads_and_is_answered(parts: Parts) -> None:
    assert (parts.scrape().value(series.LEADER), parts.scrape().value(series.VANTAGE_UP)) == (1, 0)
    parts.leads, parts.voted = False, True
    assert (parts.scrape().value(series.LEADER), parts.scrape().value(series.VANTAGE_UP)) == (0, 1)


def everything(parts: Parts) -> Scrape:
    """A scrape of an operator that has had something of everything."""
    metrics = parts.metrics
    plan: Any = plan_of(unhealthy=5)
    metrics.watch(SetGauges(lambda: {WEB: plan}))
    metrics.repair_ended(WEB, ended())
    metrics.deleted(WEB, Purpose.REPAIR)
    metrics.evicted(WEB, EvictionEnd.ACCEPTED)
    metrics.move_ended(WEB, MOVE)
    metrics.turns_of("ScaleSet")(TurnEnd.DONE, 0.1)
    pool = Pool(web_1=used(200))
    gauges = OutboundGauges(rules=lambda: pool.rules, agents=pool, leads=lambda: True)
    metrics.watch(gauges)
    metrics.api_request("get", "200", 0.1)
    return parts.scrape()


def test_what_is_documented_is_there_and_what_is_there_is_documented(parts: Parts) -> None:
    found = everything(parts)
    assert found.kinds == {one.name: str(one.kind) for one in series.ALL}


def test_every_series_has_the_labels_that_its_definition_names(parts: Parts) -> None:
    found = everything(parts)
    for one in series.ALL:
        rows = found.rows(one)
        assert rows, one.name
        assert all(row.keys() == one.labels.keys() for row in rows), one.name
