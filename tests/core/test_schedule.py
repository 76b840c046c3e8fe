"""What a recurring window's times may be, at the edges, and how what cannot be is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from scaleset_operator.core import schedule
from scaleset_operator.core.schedule import DURATION, EXPRESSION, TIME_ZONE, ScheduleError
from tests.core.test_calendar import spec_of

if TYPE_CHECKING:
    from scaleset_operator.api.maintenancewindow import RecurringWindow

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def recurring(expression: str, duration: str, lead: str | None = "PT1H") -> RecurringWindow:
    spec = spec_of(schedule=expression, duration=duration, selfServiceLead=lead, timeZone="UTC")
    assert spec.recurring is not None
    return spec.recurring


def refused(window: RecurringWindow) -> ScheduleError:
    with pytest.raises(ScheduleError) as raised:
        schedule.read_schedule(window, NOW)
    return raised.value


@pytest.mark.parametrize(
    ("expression", "duration", "lead", "field", "far"),
    [
        # Two of one day are nearer than the last of a day and the first of the next.
        ("0 2,3 * * *", "PT4H", None, DURATION, "PT1H"),
        ("0 2,3 * * *", "PT23H30M", None, DURATION, "PT1H"),
        ("0 1,23 * * *", "PT4H", None, DURATION, "PT2H"),
        # A minute is left to the owners where they go first.
        ("*/5 * * * *", "PT5M", "PT1H", EXPRESSION, "PT5M"),
        ("*/6 * * * *", "PT6M", "PT1H", DURATION, "PT6M"),
    ],
)
def test_windows_that_would_overlap_are_refused_with_the_shortest_distance(
    expression: str, duration: str, lead: str | None, field: str, far: str
) -> None:
    """M-05: the field that can mend it is named."""
    error = refused(recurring(expression, duration, lead))
    assert error.field == field
    assert f"opens {far} after" in error.allowed


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "posix/Europe/Paris", "right/Europe/Paris"]
)
def test_a_name_that_means_something_else_on_each_machine_is_no_zone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """M-23: on some machines all of these can be read."""
    monkeypatch.setattr(schedule, "ZoneInfo", lambda _: ZoneInfo("UTC"))
    window = recurring("0 2 * * *", "PT4H").model_copy(update={"time_zone": name})
    error = refused(window)
    assert (error.field, error.value) == (TIME_ZONE, name)


def test_an_unknown_zone_keeps_the_reason_that_it_cannot_be_read() -> None:
    window = recurring("0 2 * * *", "PT4H").model_copy(update={"time_zone": "Mars/Olympus"})
    assert isinstance(refused(window).__cause__, KeyError)


def test_an_instant_is_in_utc_whatever_the_machine_s_own_zone() -> None:
    """M-23."""
    moment = schedule.resolved(datetime(2026, 7, 1, 2), ZoneInfo("Europe/Amsterdam"))  # noqa: DTZ001 - the clocks'
    assert moment.tzinfo is UTC
    assert moment == datetime(2026, 7, 1, tzinfo=UTC)


def test_a_time_that_is_skipped_comes_when_the_clocks_go_on() -> None:
    """M-23: at 01:00 UTC they go from 2:00 to 3:00, whichever minute was named."""
    for minute in (0, 29, 59):
        skipped = datetime(2026, 3, 29, 2, minute)  # noqa: DTZ001 - the clocks'
        moment = schedule.resolved(skipped, ZoneInfo("Europe/Amsterdam"))
        assert moment == datetime(2026, 3, 29, 1, tzinfo=UTC)
