"""What a whole set says, in the few numbers that one silent instance is compared with."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.core.doubt import Doubtfulness, Found, SetWatch, weigh
from scaleset_operator.core.observed import Evidence, Neighbour, Outcome
from tests.support.builders import probe_view
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
PROBE = probe_view()


def at(seconds: float) -> datetime:
    return T0 + seconds * SECOND


def heard(success: float | None, since: float | None = None, **fields: Any) -> Evidence:
    """One that answered last at `success` and without a break since `since`."""
    values: dict[str, Any] = {
        "watched_since": at(-3600),
        "last_ended": None if success is None else at(success),
        "outcome": None if success is None else Outcome.OK,
        "last_success": None if success is None else at(success),
        "answering_since": None if since is None else at(since),
    }
    return Evidence(**(values | fields))


def fell(seconds: float) -> Evidence:
    """One that is silent since then."""
    return heard(None, last_ended=at(seconds), outcome=Outcome.TIMED_OUT, silent_since=at(seconds))


def found(watch: SetWatch, *, now: float = 100, sees: bool = True, **more: Any) -> Found:
    """What the silence of one that fell at 0 is worth."""
    neighbours: tuple[Neighbour, ...] = more.pop("neighbours", ())
    return weigh(fell(0), watch, neighbours, PROBE, sees, at(now))


def answering(success: float = 99, since: float = -3600) -> SetWatch:
    return SetWatch.of([fell(0), heard(success, since)])


def test_sight_lasts_since_whoever_of_the_later_ones_answers_longest() -> None:
    """Protocol rule 19: one look-up serves each silent instance, wherever it fell between."""
    watch = SetWatch.of([heard(30, 7), heard(10, 9), heard(20, 8), heard(40, 12)])
    assert watch.heard_at == tuple(at(n) for n in (10, 20, 30, 40))
    assert watch.earliest == tuple(at(n) for n in (7, 7, 7, 12))
    assert [watch.sight_since(at(n)) for n in (5, 10, 29, 30, 39, 40, 41)] == [
        *[at(7)] * 3,
        at(12),
        at(12),
        None,
        None,
    ]


def test_one_whose_run_of_answers_is_not_known_tells_nothing_of_sight() -> None:
    """Protocol rule 19."""
    watch = SetWatch.of([heard(10, None), heard(20, 8)])
    assert (watch.heard_at, watch.earliest) == ((at(20),), (at(8),))
    assert watch.newest_success == at(20)


@pytest.mark.parametrize("evidence", [[], [None], [heard(None)]])
def test_a_set_of_which_nobody_was_heard_says_nothing(evidence: list[Evidence | None]) -> None:
    """Protocol rule 16."""
    watch = SetWatch.of(evidence)
    assert (watch.newest_success, watch.oldest_end, watch.anyone_ok) == (None, None, False)
    assert watch.waiting_since == (at(-3600) if evidence and evidence[0] else None)


def test_the_one_heard_longest_ago_and_the_one_waited_for_longest_count() -> None:
    """Protocol rule 16."""
    waiting = [heard(None, watched_since=at(n)) for n in (3, 2)]
    watch = SetWatch.of([heard(30, 7), heard(20, 7), *waiting])
    assert (watch.oldest_end, watch.waiting_since) == (at(20), at(2))


@pytest.mark.parametrize(
    ("watch", "more", "kind", "until"),
    [
        (answering(), {"sees": False}, Doubtfulness.BLIND, None),
        (SetWatch.of([fell(0)]), {}, Doubtfulness.SET_SILENT, None),
        # Not heard since: within an interval all who answer are, then each second is looked.
        (answering(-1), {"now": 1}, Doubtfulness.UNDECIDED, 5),
        (answering(-1), {"now": 9}, Doubtfulness.UNDECIDED, 10),
        # A success that ended at the very moment of the fall is from before it.
        (answering(0), {"now": 9}, Doubtfulness.UNDECIDED, 10),
        (answering(1), {}, Doubtfulness.CONVICTED, None),
        # Sight that came back after the fall is given one more full timeout.
        (answering(50, 40), {"now": 50}, Doubtfulness.RETURNING, 51),
        (answering(50, 40), {"now": 51}, Doubtfulness.CONVICTED, None),
        (answering(5, 0), {"now": 5}, Doubtfulness.CONVICTED, None),
        (
            answering(),
            {
                "now": 59,
                "neighbours": tuple(
                    Neighbour(uid=str(n), silent=True, last_ended=at(0)) for n in range(3)
                ),
            },
            Doubtfulness.HELD,
            60,
        ),
    ],
)
def test_silence_is_worth_what_the_others_say(
    watch: SetWatch, more: dict[str, Any], kind: Doubtfulness, until: float | None
) -> None:
    """Protocol rules 16 to 19: each outcome with its words, and when time alone changes it."""
    result = found(watch, **more)
    assert (result.kind, result.until) == (kind, None if until is None else at(until))
    assert bool(result.message) is (kind is not Doubtfulness.CONVICTED)


def test_an_attempt_that_ended_at_the_moment_of_the_fall_is_no_older_than_it() -> None:
    """Protocol rule 16: whoever was heard then was heard."""
    watch = SetWatch.of([fell(0), heard(9, -3600), heard(0, -3600)])
    assert found(watch).kind is Doubtfulness.CONVICTED
    watch = SetWatch.of([fell(0), heard(9, -3600), heard(-0.001, -3600)])
    assert found(watch).kind is Doubtfulness.UNDECIDED
