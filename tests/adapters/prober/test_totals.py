"""The sums of the prober's processes: counted in the child, added up in the operator."""

import pytest

from scaleset_operator.adapters.prober.counts import DURATION_BOUNDS_NS, NO_COUNTS, Counts
from scaleset_operator.adapters.prober.totals import LAG_WINDOW_NS, Tally, Totals
from scaleset_operator.adapters.prober.wire import Code, Heartbeat

SECOND = 1_000_000_000
LAST = len(DURATION_BOUNDS_NS)


def counts(*took: int, code: Code = Code.OK, voided: int = 0) -> Counts:
    tally = Tally()
    for one in took:
        tally.add(code, one)
    return tally.counts(voided)


def beat(at: int, *, counted: Counts = NO_COUNTS, lag: int = 0) -> Heartbeat:
    return Heartbeat(at, 0, 0, 0, 0, 0, lag, 0, 0, 0, 0, (), counted)


def test_attempts_are_counted_by_result_and_by_duration() -> None:
    tally = Tally()
    tally.add(Code.OK, 2_000_000)
    tally.add(Code.OK, 3_000_000)
    tally.add(Code.TIMED_OUT, 11 * SECOND)
    found = tally.counts(voided=4)
    assert {code.name: n for code, n in zip(Code, found.results, strict=True) if n} == {
        "OK": 2,
        "TIMED_OUT": 1,
        "VOIDED": 4,
    }
    assert sum(found.durations) == 3
    assert found.durations[LAST] == 1
    assert found.spent_ns == 5_000_000 + 11 * SECOND


@pytest.mark.parametrize(
    ("took", "place"),
    [(0, 0), (1_000_000, 0), (1_000_001, 1), (10 * SECOND, LAST - 1), (10 * SECOND + 1, LAST)],
)
def test_a_duration_counts_where_its_bound_is(took: int, place: int) -> None:
    """As Prometheus reads a bucket: up to its bound, the bound included."""
    assert counts(took).durations.index(1) == place


def test_a_new_process_goes_on_where_the_one_before_it_ended() -> None:
    totals = Totals()
    totals.beat(beat(1, counted=counts(1_000, 1_000)))
    totals.beat(beat(2, counted=counts(1_000, 1_000, 1_000)))
    totals.process_ended()
    assert totals.counts() == counts(1_000, 1_000, 1_000)
    totals.beat(beat(3, counted=counts(5 * SECOND, code=Code.REFUSED, voided=1)))
    assert totals.counts().results[Code.OK] == 3
    assert totals.counts().results[Code.REFUSED] == 1
    assert totals.counts().results[Code.VOIDED] == 1
    assert totals.counts().spent_ns == 3_000 + 5 * SECOND


def test_the_lag_is_the_worst_of_the_last_minute() -> None:
    totals = Totals()
    assert totals.lag_ns(0) == 0
    totals.beat(beat(10 * SECOND, lag=7))
    totals.beat(beat(11 * SECOND, lag=3))
    assert totals.lag_ns(12 * SECOND) == 7
    assert totals.lag_ns(11 * SECOND + LAG_WINDOW_NS) == 3
    assert totals.lag_ns(13 * SECOND + LAG_WINDOW_NS) == 0


def test_old_lags_are_let_go() -> None:
    totals = Totals()
    for second in range(1_000):
        totals.beat(beat(second * SECOND, lag=second))
    assert len(totals._lags) <= 62  # noqa: SLF001 - nothing else shows that memory is bounded
