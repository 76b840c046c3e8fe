"""What instances are told: made from the recorded status alone; its number rises with it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.base import ANNOTATION_APPROVE_TERMINATION
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.scheduled_events import (
    SOURCES,
    STEP,
    EventSource,
    EventStatus,
    EventType,
    ScheduledEvent,
    events_of,
    incarnation,
)
from tests.core._stories import Story, entry, ledger
from tests.core.test_notice import noticed
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def told(number: int, *, at: datetime = T0 + 5 * MINUTE, **fields: Any) -> dict[str, Any]:
    """An entry whose instance has its notice."""
    return entry(number, phase="Notified", terminateAt=at.isoformat(), **fields)


def status(*entries: dict[str, Any], number: int | None = None) -> ScaleSetStatus:
    """A recorded status with these repairs."""
    return ScaleSetStatus.model_validate({**ledger(*entries), "scheduledEventsIncarnation": number})


def test_a_notice_that_was_given_is_an_event() -> None:
    """M-19, R-51: who goes, when, why, and how that is approved."""
    (event,) = events_of(status(told(7)))
    assert event == ScheduledEvent(
        event_id=event.event_id,
        event_type=EventType.TERMINATE,
        instances=(("web-7", "uid-web-7"),),
        not_before=T0 + 5 * MINUTE,
        description="Repair: HTTP 503",
        source=EventSource.PLATFORM,
        approval=(ANNOTATION_APPROVE_TERMINATION, "true"),
        status=EventStatus.SCHEDULED,
    )
    assert GUID.fullmatch(event.event_id)
    assert event.duration is None, "it does not come back"


def test_what_a_person_asked_for_says_so() -> None:
    cause = "HTTP 503; requested: repair=requested"
    (event,) = events_of(status(told(7, cause=cause)))
    assert event.source is EventSource.USER


def test_an_instance_that_has_not_been_told_or_is_on_its_way_out_is_no_event() -> None:
    """V-30: what is over has left; without a notice there never was one."""
    at = (T0 + MINUTE).isoformat()
    recorded = entry(1, terminateAt=at)
    going = entry(2, phase="Replacing", terminateAt=at, deleted=T0)
    assert events_of(status(recorded, going, entry(3))) == ()


def test_the_next_one_comes_first() -> None:
    later, sooner = told(1, at=T0 + 9 * MINUTE), told(2, at=T0 + 3 * MINUTE)
    assert [e.instances[0][0] for e in events_of(status(later, sooner))] == ["web-2", "web-1"]


def test_an_event_keeps_its_id_and_another_attempt_has_another() -> None:
    (one,) = events_of(status(told(7)))
    (same,) = events_of(status(told(7, attempt=2, replacement=300)))
    (other,) = events_of(status(told(7, start=T0 + MINUTE)))
    (elsewhere,) = events_of(status(told(8)))
    assert one.event_id == same.event_id
    assert len({one.event_id, other.event_id, elsewhere.event_id}) == 3
    assert one.event_id == "909bce34-0202-a85b-c56e-af56f69bcf15", (
        "and the next version of the operator gives it the same"
    )


def test_another_kind_of_event_is_one_more_source() -> None:
    """V-30: maintenance is to be told beside the notices, and nothing else changes for it."""
    pause = ScheduledEvent(
        event_id="x",
        event_type=EventType.FREEZE,
        instances=(("web-1", "uid-web-1"), ("web-2", "uid-web-2")),
        not_before=T0,
        description="Host update",
        source=EventSource.PLATFORM,
        approval=("scaleset.dev/perform-maintenance", "patch"),
        duration=timedelta(seconds=30),
    )
    found = events_of(status(told(7)), (*SOURCES, lambda _: [pause]))
    assert [event.event_type for event in found] == [EventType.FREEZE, EventType.TERMINATE]


def test_the_number_is_the_time_of_the_change_and_none_before_the_first() -> None:
    nobody, somebody = status(), status(told(7))
    assert incarnation(nobody, nobody, T0) is None
    assert incarnation(nobody, somebody, T0) == int(T0.timestamp())
    assert incarnation(nobody, somebody, datetime.fromtimestamp(0, UTC)) == STEP


def test_a_number_that_is_ahead_of_the_clock_still_rises() -> None:
    """The clock of another operator was ahead, or two changes fall into one second."""
    ahead = int(T0.timestamp()) + 100
    assert incarnation(status(told(7), number=ahead), status(number=ahead), T0) == ahead + STEP


MOMENTS = st.integers(-3_600, 3_600).map(lambda s: T0 + timedelta(seconds=s))
"""By clocks that are at odds, and step."""
ENTRIES = st.lists(
    st.builds(
        lambda number, phase, minutes: entry(
            number, phase=phase, terminateAt=(T0 + minutes * MINUTE).isoformat()
        ),
        st.integers(1, 4),
        st.sampled_from(["Recorded", "Notified", "Notified", "Replacing"]),
        st.sampled_from([5, 5, 10]),
    ),
    max_size=3,
    unique_by=lambda one: one["uid"],
)


@given(st.lists(st.tuples(MOMENTS, ENTRIES), min_size=1, max_size=12))
def test_the_number_rises_when_the_document_changes_and_only_then(
    steps: list[tuple[datetime, list[dict[str, Any]]]],
) -> None:
    """V-30: through restarts and changes of the leader, for only the recorded status is looked at.

    Each write may be by another operator with a clock of its own.
    """
    before = status()
    for now, entries in steps:
        written = status(*entries)
        number = incarnation(before, written, now)
        # As it goes over the wire, for that is all that the next one has.
        after = ScaleSetStatus.model_validate(
            written.model_copy(update={"scheduled_events_incarnation": number}).model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
        )
        was, now_is = before.scheduled_events_incarnation, after.scheduled_events_incarnation
        if events_of(after) == events_of(before):
            assert now_is == was
        else:
            assert now_is is not None
            assert now_is > (was or 0)
        before = after


def test_the_number_is_recorded_with_the_notice_and_again_when_it_is_carried_out() -> None:
    """R-51, R-54: as `decide` does it; what only reports beside that moves nothing."""
    story: Story = noticed(1)
    first = story.seen.status.scheduled_events_incarnation
    assert first is not None
    assert first <= story.now.timestamp()
    assert [e.instances[0][0] for e in events_of(story.seen.status)] == ["web-1"]
    story.run(2 * MINUTE)
    assert story.seen.status.scheduled_events_incarnation == first
    story.run(4 * MINUTE)
    last = story.seen.status.scheduled_events_incarnation
    assert last is not None
    assert last > first
    assert events_of(story.seen.status) == ()
    assert datetime.fromtimestamp(last, UTC) > T0
