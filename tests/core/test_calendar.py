"""The calendar of a window: which instants are whose, through a year and every clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import dropwhile, islice, pairwise, takewhile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.core.calendar import (
    LeftOut,
    Occurrence,
    active_window,
    agenda,
    announcement_of,
    next_transition,
    occurrences,
)
from scaleset_operator.core.schedule import ScheduleError, Span
from tests.api.manifests import ONCE, WINDOW, manifest
from tests.api.refused_others import recurring as changed
from tests.core._walked_clocks import BEGIN, DAYS, END, ZONES, Pattern, days_of, opens

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 28, tzinfo=UTC)
NOW0 = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = ("spec.recurring.schedule", "spec.recurring.duration")
"""The fields that can be refused of a window whose others are as they should be."""
NONE, OWNERS, OURS = ActiveWindow.NONE, ActiveWindow.SELF_SERVICE, ActiveWindow.SCHEDULED


def spec_of(**recurring: Any) -> MaintenanceWindowSpec:
    """A recurring window with impact Redeploy; a lead of None makes it one of impact Pause."""
    changes = changed(**recurring)
    if recurring.get("selfServiceLead", "") is None:
        changes |= {"spec.impact": "Pause"}
    return MaintenanceWindowSpec.model_validate(manifest(WINDOW, changes=changes)["spec"])


def once(**changes: Any) -> MaintenanceWindowSpec:
    return MaintenanceWindowSpec.model_validate(manifest(WINDOW, changes=changes)["spec"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(after: datetime, count: int, **recurring: Any) -> list[str]:
    """When the next scheduled windows open, in UTC."""
    found = islice(occurrences(spec_of(**recurring), after), count)
    return [one.scheduled.start.strftime("%Y-%m-%d %H:%M") for one in found]


def spans(found: Iterator[Occurrence]) -> Iterator[Span]:
    for one in found:
        yield from (span for span in (one.self_service, one.scheduled) if span is not None)


# --- Fixed times -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "open_", "then"),
    [
        ("2026-11-19T23:59:59", NONE, "2026-11-20T00:00"),
        ("2026-11-20T00:00:00", OWNERS, "2026-11-27T00:00"),
        ("2026-11-26T23:59:59", OWNERS, "2026-11-27T00:00"),
        ("2026-11-27T00:00:00", NONE, "2026-11-27T02:00"),
        ("2026-11-27T02:00:00", OURS, "2026-11-27T08:00"),
        ("2026-11-27T07:59:59", OURS, "2026-11-27T08:00"),
        ("2026-11-27T08:00:00", NONE, None),
    ],
)
def test_each_instant_belongs_to_the_window_that_begins_there(
    now: str, open_: ActiveWindow, then: str | None
) -> None:
    """M-05, V-11, V-12: half-open; at the end of self-service a start comes too late."""
    (one,) = occurrences(once(), at("2026-01-01"))
    assert active_window(one, at(now)) is open_
    assert next_transition(one, at(now)) == (None if then is None else at(then))


def test_where_the_windows_meet_the_instant_is_the_later_ones() -> None:
    """V-12."""
    (one,) = occurrences(once(**{"spec.once.scheduled.startTime": "2026-11-27T00:00:00Z"}), NOW0)
    assert active_window(one, at("2026-11-26T23:59:59")) is OWNERS
    assert active_window(one, at("2026-11-27T00:00:00")) is OURS
    assert next_transition(one, at("2026-11-27T00:00:00")) == at("2026-11-27T08:00:00")


@pytest.mark.parametrize(
    ("after", "left"),
    [("2026-11-27T07:59:59", 1), ("2026-11-27T08:00:00", 0), ("2030-01-01", 0)],
)
def test_what_is_over_is_no_error_and_gives_nothing(after: str, left: int) -> None:
    assert len(list(occurrences(once(), at(after)))) == left


def test_times_with_an_offset_are_instants() -> None:
    """M-23."""
    (one,) = occurrences(once(**{"spec.once.scheduled.endTime": "2026-11-27T08:00:00+01:00"}), NOW0)
    assert one.scheduled.end == at("2026-11-27T07:00:00")


def test_a_window_without_self_service_begins_with_the_scheduled_one() -> None:
    changes = {"spec.impact": "Pause", "spec.once": {"scheduled": ONCE["scheduled"]}}
    (one,) = occurrences(once(**changes, **{"spec.notifyBefore": "PT1H"}), NOW0)
    assert one.self_service is None
    assert one.start == at("2026-11-27T02:00:00")
    assert active_window(one, at("2026-11-27T01:00:00")) is NONE
    assert next_transition(one, at("2026-11-27T01:00:00")) == one.start


def test_the_announcement_is_the_whole_notice_before_the_first_instant() -> None:
    """V-01: before the owners' window, not only before the scheduled one; and a day early where no
    less is accepted."""
    spec = once()
    (one,) = occurrences(spec, NOW0)
    assert announcement_of(one, spec) == at("2026-10-20T00:00:00")
    urgent = once(**{"spec.urgent": True, "spec.notifyBefore": "P2D"})
    assert announcement_of(one, urgent) == at("2026-11-18T00:00:00")


# --- Times that come again ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "expected"),
    [
        (
            "0 2 * * TUE#2",
            "Europe/Amsterdam",
            "2027-03-01",
            ["2027-03-09 01:00", "2027-04-13 00:00", "2027-05-11 00:00"],
        ),
        ("0 2 L * *", "UTC", "2028-02-01", ["2028-02-29 02:00", "2028-03-31 02:00"]),
        ("0 2 L * *", "UTC", "2027-02-01", ["2027-02-28 02:00", "2027-03-31 02:00"]),
        ("0 2 * * 2L", "UTC", "2027-02-01", ["2027-02-23 02:00", "2027-03-30 02:00"]),
        ("0 2 29 2 *", "UTC", "2026-11-28", ["2028-02-29 02:00", "2032-02-29 02:00"]),
        ("0 2 29 2 *", "UTC", "2096-03-01", ["2104-02-29 02:00"]),
        # Skipped: 02:00 becomes 03:00, and 02:30 opens as the clocks go on.
        (
            "30 2 * * *",
            "Europe/Amsterdam",
            "2027-03-27",
            ["2027-03-27 01:30", "2027-03-28 01:00", "2027-03-29 00:30"],
        ),
        # Twice: 03:00 becomes 02:00, and 02:30 is shown at 00:30 and at 01:30.
        (
            "30 2 * * *",
            "Europe/Amsterdam",
            "2027-10-30 12:00",
            ["2027-10-31 00:30", "2027-11-01 01:30"],
        ),
        # The night on which midnight does not exist.
        ("0 0 * * *", "America/Havana", "2027-03-14 01:00", ["2027-03-14 05:00"]),
        # Half an hour: 02:00 becomes 02:30.
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-02 12:00", ["2027-10-02 15:30"]),
        # Two times that the clocks skip are one opening.
        (
            "0,30 2 * * *",
            "Europe/Amsterdam",
            "2027-03-28",
            ["2027-03-28 01:00", "2027-03-29 00:00"],
        ),
    ],
)
def test_a_schedule_is_read_by_the_clocks_of_its_zone(
    schedule: str, zone: str, after: str, expected: list[str]
) -> None:
    """M-23: each local time opens once, the skipped and the repeated one too."""
    at_ = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = starts(at_, len(expected), schedule=schedule, timeZone=zone, duration="PT5M")
    assert found == expected


def test_the_calendar_ends_after_eight_years() -> None:
    found = agenda(spec_of(schedule="0 2 29 2 *", timeZone="UTC"), NOW)
    assert [one.scheduled.start.year for one in found] == [2028, 2032]


def test_the_occurrence_that_is_under_way_is_given_until_its_end() -> None:
    after = at("2026-12-08T04:59:59")
    assert starts(after, 1) == ["2026-12-08 01:00"]
    assert starts(at("2026-12-08T05:00:00"), 1) == ["2027-01-12 01:00"]


def test_a_window_keeps_its_length_through_a_clock_change() -> None:
    """M-23: absolute once it is resolved."""
    for after in ("2027-03-28", "2027-10-30T23:00"):
        one = next(
            occurrences(spec_of(schedule="0 1 * * SUN", duration="PT6H"), at(f"{after}"))
        ).scheduled
        assert one.end - one.start == timedelta(hours=6)


def test_a_window_that_a_clock_change_would_run_into_the_next_ends_there() -> None:
    """M-05: 23 hours from one midnight to the next."""
    found = occurrences(
        spec_of(schedule="0 0 * * *", duration="P1D", selfServiceLead=None), at("2027-03-27T12:00")
    )
    first, changed_, last = islice(found, 3)
    assert first.scheduled.end == changed_.scheduled.start
    assert changed_.scheduled.end - changed_.scheduled.start == timedelta(hours=23)
    assert changed_.scheduled.end == last.scheduled.start


def test_owners_go_first_and_never_into_the_window_before() -> None:
    """M-05: a lead longer than the distance is cut, the first one given included."""
    found = occurrences(spec_of(schedule="0 2 * * TUE", selfServiceLead="P30D"), NOW)
    for one in islice(found, 3):
        assert one.self_service is not None
        assert one.self_service.end == one.scheduled.start
        assert one.self_service.end - one.self_service.start == timedelta(days=7, hours=-4)


def test_owners_get_their_whole_lead_where_there_is_room() -> None:
    one = next(occurrences(spec_of(), NOW))
    assert one.self_service == Span(at("2026-12-01T01:00:00"), at("2026-12-08T01:00:00"))
    assert one.start == at("2026-12-01T01:00:00")


def test_owners_have_no_window_where_a_clock_change_leaves_no_time() -> None:
    spec = spec_of(schedule="0 0 * * *", duration="PT23H", selfServiceLead="PT1H")
    found = list(islice(occurrences(spec, at("2027-03-27T12:00")), 3))
    assert [one.self_service is None for one in found] == [False, False, True]


# --- Days without maintenance ------------------------------------------------------------------


def test_a_window_that_touches_a_blackout_date_is_left_out_and_told() -> None:
    spec = spec_of(schedule="0 22 * * *", duration="PT4H", blackoutDates=["2026-12-24"])
    found = list(islice(agenda(spec, at("2026-12-22T12:00")), 4))
    day = date(2026, 12, 24)
    assert [one.blackout if isinstance(one, LeftOut) else None for one in found] == [
        None,
        day,  # From the evening before into it.
        day,
        None,
    ]


def test_the_end_of_a_window_is_not_in_it() -> None:
    """M-05: what ends at midnight does not touch the day that begins then."""
    spec = spec_of(schedule="0 20 * * *", duration="PT4H", blackoutDates=["2026-12-24"])
    found = list(islice(agenda(spec, at("2026-12-23T12:00")), 2))
    assert [type(one) for one in found] == [Occurrence, LeftOut]


def test_a_blackout_date_is_one_of_the_windows_zone() -> None:
    """At noon in UTC the next 23:30 is that of the same day, but that of the next in Auckland."""
    days = ["2026-12-24"]
    told = {
        zone: isinstance(
            next(
                agenda(
                    spec_of(
                        schedule="30 23 * * *", timeZone=zone, duration="PT5M", blackoutDates=days
                    ),
                    at("2026-12-23T12:00"),
                )
            ),
            LeftOut,
        )
        for zone in ("Europe/Amsterdam", "Pacific/Auckland")
    }
    assert told == {"Europe/Amsterdam": False, "Pacific/Auckland": True}


@pytest.mark.parametrize(
    ("blackout", "days"), [(["2026-12-08"], 14), (["2026-12-08", "2026-12-01"], 21), ([], 7)]
)
def test_what_is_left_out_shortens_nobodys_lead(blackout: list[str], days: int) -> None:
    """The first one given knows what was before it, however much of it was left out."""
    spec = spec_of(schedule="0 2 * * TUE", selfServiceLead="P90D", blackoutDates=blackout)
    one = next(occurrences(spec, at("2026-12-09")))
    assert one.self_service is not None
    assert one.self_service.end - one.self_service.start == timedelta(days=days, hours=-4)


def test_where_all_before_is_left_out_the_lead_is_whole() -> None:
    days = [f"2026-12-{day:02}" for day in range(1, 31)]
    spec = spec_of(schedule="0 2 * * *", selfServiceLead="P7D", blackoutDates=days)
    one = next(occurrences(spec, at("2026-12-15")))
    assert one.scheduled.start == at("2026-12-31T01:00:00")
    assert one.start == one.scheduled.start - timedelta(days=7)


# --- What cannot be used -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "value", "allowed"),
    [
        ({"schedule": "0 25 * * *"}, "schedule", "0 25 * * *", "bad hour; allowed are minute"),
        ({"schedule": "0 2 * * TUE#6"}, "schedule", "0 2 * * TUE#6", "bad day-of-week"),
        ({"schedule": "0 2 ? * *"}, "schedule", "0 2 ? * *", "bad day-of-month"),
        ({"schedule": "0 2 30 2 *"}, "schedule", "0 2 30 2 *", "bad day-of-month"),
        ({"schedule": "0 2 29 2 */7"}, "schedule", "0 2 29 2 */7", "not open within 8 years"),
        ({"schedule": "0 2 */28 * MON#3"}, "schedule", "0 2 */28 * MON#3", "not open within"),
        ({"timeZone": "Mars/Olympus"}, "timeZone", "Mars/Olympus", "Europe/Amsterdam"),
        ({"timeZone": "Europe"}, "timeZone", "Europe", "no such time zone"),
        ({"timeZone": "localtime"}, "timeZone", "localtime", "no such time zone"),
        ({"timeZone": "right/UTC"}, "timeZone", "right/UTC", "no such time zone"),
        (
            {"schedule": "0 */3 * * *"},
            "duration",
            "PT4H",
            "the next window opens PT3H after one opened; allowed are PT5M to PT2H59M",
        ),
        (
            {"schedule": "0 22,1 * * *", "selfServiceLead": None},
            "duration",
            "PT4H",
            "the next window opens PT3H after one opened; allowed are PT5M to PT3H",
        ),
        ({"schedule": "0 0 * * *", "duration": "P1D"}, "duration", "P1D", "PT23H59M"),
        ({"schedule": "0 2 1,4 * *", "duration": "P4D"}, "duration", "P4D", "PT71H59M"),
        ({"schedule": "0 2 L,1 * *", "duration": "P2D"}, "duration", "P2D", "PT23H59M"),
        ({"schedule": "* * * * *", "duration": "PT5M"}, "schedule", "* * * * *", "leave PT6M or"),
        (
            {"schedule": "*/4 * * * *", "duration": "PT5M", "selfServiceLead": None},
            "schedule",
            "*/4 * * * *",
            "leave PT5M or",
        ),
    ],
)
def test_what_cannot_be_used_names_field_value_and_what_is_allowed(
    changes: dict[str, Any], field: str, value: str, allowed: str
) -> None:
    """M-05, M-23: told before anything is given."""
    after = datetime(2033, 1, 1, tzinfo=UTC) if "/7" in changes.get("schedule", "") else NOW
    with pytest.raises(ScheduleError) as refused:
        agenda(spec_of(**changes), after)
    assert refused.value.field == f"spec.recurring.{field}"
    assert refused.value.value == value
    assert allowed in refused.value.allowed
    assert str(refused.value) == f"spec.recurring.{field} is {value!r}: {refused.value.allowed}"


@pytest.mark.parametrize(
    ("schedule", "duration"),
    [
        ("0 */3 * * *", "PT3H"),
        ("0 0 * * *", "P1D"),
        ("0 0 * * MON", "P7D"),
        ("0 2 1,4 * *", "P3D"),
        ("*/5 * * * *", "PT5M"),
    ],
)
def test_windows_that_just_meet_are_none_that_overlap(schedule: str, duration: str) -> None:
    spec = spec_of(schedule=schedule, duration=duration, selfServiceLead=None)
    one, other = islice(occurrences(spec, NOW), 2)
    assert one.scheduled.end <= other.scheduled.start


def test_with_owners_first_a_window_leaves_them_a_minute_at_least() -> None:
    """V-08."""
    assert next(occurrences(spec_of(schedule="0 0 * * *", duration="PT23H59M"), NOW)).self_service


# --- Properties --------------------------------------------------------------------------------

patterns = st.builds(
    lambda days, hours, minutes: Pattern(days[0], days[1], hours, minutes),
    st.sampled_from(DAYS),
    st.lists(st.integers(0, 23), min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(st.sampled_from((0, 15, 30, 45)), min_size=1, max_size=2, unique=True).map(tuple),
)
blackouts = st.lists(
    st.dates(date(2027, 1, 1), date(2027, 12, 31)).map(str), max_size=20, unique=True
)
zones = st.sampled_from(ZONES)
quarters = st.sampled_from(("PT5M", "PT15M", "PT40M", "PT4H", "P1D"))
leads = st.sampled_from((None, "PT1H", "P7D", "P90D"))
AFTER, UNTIL = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


@pytest.mark.timeout(600)  # It walks a whole year, once for each zone.
@given(pattern=patterns, zone=zones, duration=quarters, lead=leads, left_out=blackouts)
def test_a_year_is_what_walking_through_it_finds(
    pattern: Pattern, zone: str, duration: str, lead: str | None, left_out: list[str]
) -> None:
    """M-05, M-23: order, both clock changes, and each instant in at most one span."""
    spec = spec_of(
        schedule=pattern.cron,
        timeZone=zone,
        duration=duration,
        selfServiceLead=lead,
        blackoutDates=left_out,
    )
    try:
        found = list(takewhile(lambda one: one.scheduled.start < UNTIL, agenda(spec, AFTER)))
    except ScheduleError as fault:
        assert fault.field in TIMES  # noqa: PT017 - it need not be refused
        assert _shortest(pattern) < _length(duration) + timedelta(minutes=1)
        return
    expected = [
        Span(start, min(start + _length(duration), following))
        for start, following in pairwise([*opens(pattern, zone), END])
    ]
    expected = [span for span in expected if span.end > AFTER and span.start < UNTIL]
    assert [one.scheduled for one in found] == expected
    days = {date.fromisoformat(day) for day in left_out}
    for one in found:
        touched = days & days_of(zone, one.scheduled.start, one.scheduled.end)
        assert (one.blackout if isinstance(one, LeftOut) else None) == min(touched, default=None)
    kept = [one for one in found if isinstance(one, Occurrence)]
    for earlier, later in pairwise(spans(iter(kept))):
        assert earlier.start < earlier.end <= later.start


def _length(duration: str) -> timedelta:
    lengths = {"PT5M": 5, "PT15M": 15, "PT40M": 40, "PT4H": 240, "P1D": 1440}
    return timedelta(minutes=lengths[duration])


def _shortest(pattern: Pattern) -> timedelta:
    found = opens(pattern, "UTC")
    return min(later - earlier for earlier, later in pairwise(found))


FIELDS = (
    ("0", "30", "*/15", "0,30", "5-59/20"),
    ("2", "*", "*/6", "0-5", "23"),
    ("*", "L", "LW", "29", "*/28", "31", "1,15"),
    ("*", "2", "FEB", "4,6", "*/3"),
    ("*", "TUE#2", "5L", "MON-FRI", "7", "*/7", "SUN#5"),
)
odd = st.text("0123456789*/,-#?LWTUESN", min_size=1, max_size=8)


def field_of(valid: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One field: of ten, one is anything."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(valid) if n else odd)


expressions = st.tuples(*map(field_of, FIELDS)).map(" ".join)


@given(expression=expressions, zone=zones)
def test_any_expression_gives_a_calendar_or_is_told_to_be_wrong(expression: str, zone: str) -> None:
    """M-23: it fails closed, and in no other way."""
    try:
        spec = spec_of(schedule=expression, timeZone=zone, duration="PT5M")
    except ValidationError:
        return  # The API server's own pattern refuses it.
    try:
        found = list(islice(agenda(spec, NOW), 3))
    except ScheduleError as fault:
        assert fault.field in TIMES  # noqa: PT017 - as above
        return
    assert found
    assert [one.scheduled.start for one in found] == sorted({o.scheduled.start for o in found})


@given(pattern=patterns, zone=zones, minutes=st.integers(0, 500_000), lead=leads)
def test_what_is_resolved_is_the_same_whenever_one_asks(
    pattern: Pattern, zone: str, minutes: int, lead: str | None
) -> None:
    """M-23: asked at any later instant, what is not over yet is where it was."""
    spec = spec_of(schedule=pattern.cron, timeZone=zone, duration="PT5M", selfServiceLead=lead)
    later = BEGIN + timedelta(minutes=minutes)
    first = dropwhile(lambda one: one.scheduled.end <= later, occurrences(spec, BEGIN))
    assert list(islice(occurrences(spec, later), 3)) == list(islice(first, 3))
