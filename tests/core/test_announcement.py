"""What is announced of a window's plan: numbers, times, shares, and what is not held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.api.windowledger import MAX_ANNOUNCED, MAX_UPCOMING
from scaleset_operator.core.announcement import Announcements, announce, campaign_of, share
from scaleset_operator.core.calendar import EARLY, occurrences
from scaleset_operator.core.schedule import ScheduleError
from tests.api.manifests import ABSENT, WINDOW, manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleset_operator.api.windowledger import AnnouncedOccurrence

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""A Saturday."""
WEEK, HOUR, SECOND = timedelta(days=7), timedelta(hours=1), timedelta(seconds=1)


def weekly(*, selector: str = "2026-11", **changes: Any) -> MaintenanceWindowSpec:
    """Each Tuesday at 02:00 UTC for four hours, owners from the Sunday before; or as changed."""
    recurring = {"schedule": "0 2 * * TUE", "duration": "PT4H", "selfServiceLead": "P2D"}
    own = {name: changes.pop(name) for name in tuple(changes) if name in {*recurring, "timeZone"}}
    spec: dict[str, Any] = manifest(WINDOW, changes={"spec.once": ABSENT})["spec"]
    spec |= {"recurring": recurring | own, **changes}
    spec["updatedNodeSelector"] = {"matchLabels": {"maintenance/updated": selector}}
    return MaintenanceWindowSpec.model_validate(spec)


def fixed(start: datetime, **changes: Any) -> MaintenanceWindowSpec:
    """Owners for a day from an instant on, then four hours."""
    times = [moment.isoformat() for moment in (start, start + 24 * HOUR, start + 28 * HOUR)]
    once = {
        "selfService": {"startTime": times[0], "endTime": times[1]},
        "scheduled": {"startTime": times[1], "endTime": times[2]},
    }
    changed = {f"spec.{name}": value for name, value in changes.items()}
    body = manifest(WINDOW, changes={"spec.once": once, **changed})
    return MaintenanceWindowSpec.model_validate(body["spec"])


class Book:
    """One window's ledger from turn to turn."""

    def __init__(self) -> None:
        self.status = MaintenanceWindowStatus()
        self.given: dict[int, AnnouncedOccurrence] = {}

    def turn(
        self, spec: MaintenanceWindowSpec, now: datetime, unfinished: Sequence[int] = ()
    ) -> Announcements:
        """Announce, and keep what the next turn is to know."""
        found = announce(spec, self.status, now, unfinished)
        for one in found.new:
            assert one.iteration not in self.given, "no number is given twice"
            self.given[one.iteration] = one
        fields = {
            "announced": found.occurrences,
            "last_iteration": found.last_iteration,
            "campaign": found.campaign,
            "campaign_iteration": found.campaign_iteration,
            "missed": found.missed,
        }
        self.status = self.status.model_copy(update=fields)
        return found


@pytest.fixture
def book() -> Book:
    return Book()


def starts(found: Announcements) -> list[str]:
    return [f"{one.start_time:%m-%d %H:%M}" for one in found.occurrences]


def test_it_is_announced_a_day_before_the_notice_would_be_too_short(book: Book) -> None:
    """V-01: not a second earlier; the next look is when that is."""
    opens = NOW + timedelta(days=60)
    spec, due = fixed(opens), opens - timedelta(days=30) - EARLY
    early = book.turn(spec, due - SECOND)
    assert (early.occurrences, early.next_time) == ((), due)
    found = book.turn(spec, due)
    (one,) = found.new
    assert (one.iteration, one.announced_time, one.share_percent) == (1, due, 100)
    assert (one.pre_start_time, one.pre_end_time) == (opens, opens + 24 * HOUR)
    assert (one.start_time, one.end_time) == (opens + 24 * HOUR, opens + 28 * HOUR)
    assert book.turn(spec, due).new == (), "once"


@pytest.mark.parametrize(("late", "held"), [(timedelta(0), True), (SECOND, False)])
def test_with_less_notice_than_promised_it_is_not_held(
    book: Book, late: timedelta, *, held: bool
) -> None:
    """V-01: thirty days to the second are enough; a second less is told, with what would help."""
    opens = NOW + timedelta(days=60)
    found = book.turn(fixed(opens), opens - timedelta(days=30) + late)
    assert bool(found.occurrences) == held
    assert bool(found.too_short) != held
    if not held:
        (missed,) = found.missed
        assert missed.reason == Reason.NOTICE_TOO_SHORT
        assert missed.start_time == opens + 24 * HOUR
        assert "has PT719H59M59S of notice left and needs P30D" in found.too_short
        assert "urgent: true" in found.too_short


@pytest.mark.parametrize("left", [timedelta(days=3), -HOUR, -25 * HOUR])
def test_an_urgent_one_is_announced_with_what_notice_is_left(book: Book, left: timedelta) -> None:
    """V-01, M-24: in its self-service window, and in its scheduled one too; with its own times."""
    spec = fixed(NOW + left, urgent=True)
    (one,) = book.turn(spec, NOW).new
    assert (one.announced_time, one.pre_start_time) == (NOW, NOW + left)
    over = NOW + left + 28 * HOUR
    assert Book().turn(spec, over).new == (), "never at its end or after it"


@pytest.mark.parametrize("impact", ["None", "Pause"])
def test_what_moves_nobody_needs_no_notice(book: Book, impact: str) -> None:
    """M-01, V-01."""
    spec = weekly(impact=impact).model_dump(mode="json", by_alias=True, exclude_none=True)
    del spec["recurring"]["selfServiceLead"]
    found = book.turn(MaintenanceWindowSpec.model_validate(spec), NOW)
    assert starts(found)[0] == "11-24 02:00"
    assert found.occurrences[0].pre_start_time is None
    assert found.missed == ()


def test_numbers_go_on_from_turn_to_turn_and_are_never_given_twice(book: Book) -> None:
    """V-04: through announcements, ends, edits, other campaigns, a clock that steps back."""
    specs = [
        weekly(urgent=True),
        weekly(urgent=True, schedule="0 3 * * WED"),
        weekly(urgent=True, selector="2026-12"),
        weekly(urgent=True, schedule="0 5 1 * *"),
    ]
    now = NOW
    for number in range(60):
        step = timedelta(hours=31) if number % 7 else -timedelta(days=3)
        book.turn(specs[number % len(specs)], now)
        now += step
    assert sorted(book.given) == list(range(1, book.status.last_iteration + 1))
    assert book.status.last_iteration > len(specs)


def test_shares_grow_and_the_last_one_holds(book: Book) -> None:
    """V-06."""
    spec = weekly(urgent=True, iterations={"percents": [5, 20, 100]})
    found = book.turn(spec, NOW)
    assert [one.share_percent for one in found.occurrences] == [5, 20, 100, 100, 100]
    later = book.turn(spec, NOW + WEEK)
    assert [one.share_percent for one in later.new] == [100]


def test_other_nodes_begin_another_campaign_with_what_has_not_opened(book: Book) -> None:
    """V-06: what is open keeps its share; the same labels in another order are the same nodes."""
    book.turn(weekly(urgent=True), NOW)
    inside = datetime(2026, 11, 24, 3, tzinfo=UTC)
    book.turn(weekly(urgent=True), inside)
    found = book.turn(weekly(urgent=True, selector="2026-12"), inside)
    assert [one.share_percent for one in found.occurrences] == [10, 10, 50, 100, 100]
    assert found.campaign_iteration == 2
    assert found.new == ()
    again = book.turn(weekly(urgent=True, selector="2026-12"), inside + WEEK)
    assert [one.share_percent for one in again.occurrences] == [10, 50, 100, 100, 100]
    assert again.campaign_iteration == 2


def test_a_campaign_that_begins_with_nothing_announced_begins_with_the_next_number() -> None:
    """V-06."""
    status = MaintenanceWindowStatus(last_iteration=7, campaign="of old", campaign_iteration=1)
    found = announce(weekly(urgent=True), status, NOW)
    assert found.campaign_iteration == 8
    assert [(o.iteration, o.share_percent) for o in found.new][:2] == [(8, 10), (9, 50)]


def test_a_campaign_is_named_by_labels_in_any_order() -> None:
    """V-06."""
    labels = {"a": "1", "b": "2"}
    names = {
        campaign_of(
            weekly().model_copy(
                update={
                    "updated_node_selector": weekly().updated_node_selector.model_copy(  # type: ignore[union-attr]
                        update={"match_labels": dict(order)}
                    )
                }
            )
        )
        for order in (labels.items(), reversed(labels.items()))
    }
    assert len(names) == 1
    assert campaign_of(weekly()) not in names


def test_a_fixed_window_includes_everything_at_once() -> None:
    """V-06: it has one iteration."""
    assert share(fixed(NOW), 0) == 100


def test_what_was_announced_stays_as_it_was_whatever_becomes_of_the_schedule(book: Book) -> None:
    """M-23: and what is new keeps clear of it."""
    before = book.turn(weekly(urgent=True), NOW).occurrences
    changes: list[dict[str, Any]] = [
        {"schedule": "0 3 * * TUE"},
        {"timeZone": "America/New_York"},
        {"duration": "PT1H", "selfServiceLead": "PT1H"},
        {"schedule": "0 2 * * *", "selfServiceLead": "PT2H"},
    ]
    for changed in changes:
        found = book.turn(weekly(urgent=True, **changed), NOW + HOUR)
        assert set(before) <= set(found.occurrences), changed
        for one, following in zip(found.occurrences, found.occurrences[1:], strict=False):
            assert one.end_time <= (following.pre_start_time or following.start_time)


def test_an_iteration_is_over_at_its_end_and_one_with_work_under_way_is_kept(book: Book) -> None:
    """M-25: what started may finish after the end."""
    spec, end = weekly(urgent=True), datetime(2026, 11, 24, 6, tzinfo=UTC)
    book.turn(spec, NOW)
    assert book.turn(spec, end - SECOND).over == ()
    kept = book.turn(spec, end, unfinished=[1])
    assert kept.over == ()
    assert kept.occurrences[0].iteration == 1
    done = book.turn(spec, end + HOUR)
    assert [one.iteration for one in done.over] == [1]
    assert done.occurrences[0].iteration == 2


def test_many_that_are_too_near_are_told_once_and_the_ledger_rests(book: Book) -> None:
    """G9, V-01: the list is bounded; a turn that learns nothing changes nothing."""
    spec = weekly(schedule="0 2 * * *", selfServiceLead="PT2H")
    book.turn(spec, NOW)
    before = book.status
    assert len(before.missed) == MAX_UPCOMING
    rows = [one.start_time for one in before.missed]
    assert rows == sorted(rows, reverse=True), "newest first"
    book.turn(spec, NOW + SECOND)
    assert book.status == before


def test_more_than_can_be_announced_are_refused_and_none_of_it_is_lost(book: Book) -> None:
    """V-01: names the schedule, and what would help."""
    spec = weekly(urgent=True, schedule="0 */6 * * *", duration="PT1H", selfServiceLead="PT1H")
    with pytest.raises(ScheduleError, match=f"{MAX_ANNOUNCED} times within spec.notifyBefore"):
        book.turn(spec, NOW)
    assert book.status == MaintenanceWindowStatus()
    most = weekly(urgent=True, schedule="0 */12 * * *", duration="PT1H", selfServiceLead="PT1H")
    found = book.turn(most.model_copy(update={"notify_before": timedelta(days=29)}), NOW)
    assert len(found.occurrences) == 2 * 29


def test_what_comes_next_is_told_as_announced_then_as_planned(book: Book) -> None:
    """M-23: an edit moves what is planned alone."""
    book.turn(weekly(urgent=True), NOW)
    found = book.turn(weekly(urgent=True, schedule="0 4 * * TUE"), NOW)
    shown = [f"{moment:%m-%d %H}" for moment in found.upcoming]
    assert shown == ["12-01 02", "12-08 02", "12-15 02", "12-22 02", "12-29 04"]


@given(
    steps=st.lists(
        st.tuples(
            st.integers(min_value=-40, max_value=300),
            st.sampled_from(["0 2 * * TUE", "0 1 * * *", "30 1 L * *"]),
            st.booleans(),
            st.sampled_from(["2026-11", "2026-12"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(deadline=None)
def test_whatever_is_done_to_a_plan_what_is_announced_keeps_its_promises(
    steps: list[tuple[int, str, bool, str, bool]],
) -> None:
    """V-01, M-05, M-23: times never move, nothing overlaps, no number comes twice."""
    book, now = Book(), NOW
    for hours, schedule, urgent, selector, unfinished in steps:
        now += timedelta(hours=hours)
        lead = {"schedule": schedule, "selfServiceLead": "PT2H", "timeZone": "Europe/Amsterdam"}
        notice = {"notifyBefore": "P5D"} if urgent else {}
        spec = weekly(urgent=urgent, selector=selector, **lead, **notice)
        held = [one.iteration for one in book.status.announced[:1]] if unfinished else []
        try:
            found = book.turn(spec, now, held)
        except ScheduleError:
            continue
        for one in found.occurrences:
            given_times = book.given[one.iteration]
            assert one.model_copy(update={"share_percent": 100}) == given_times.model_copy(
                update={"share_percent": 100}
            )
        for one, following in zip(found.occurrences, found.occurrences[1:], strict=False):
            assert one.end_time <= (following.pre_start_time or following.start_time)
        for one in found.new:
            assert one.end_time > now
            opens = one.pre_start_time or one.start_time
            assert urgent or opens - now >= spec.notify_before
        known = {one.start_time for one in found.occurrences}
        owed = [one for one in occurrences(spec, now) if one.start > now][:1] if urgent else []
        for one in owed:
            met = any(
                one.start < other.end_time
                and (other.pre_start_time or other.start_time) < one.scheduled.end
                for other in found.occurrences
            )
            due = one.start - spec.notify_before
            assert met or one.scheduled.start in known or due > now, "nothing due is forgotten"
