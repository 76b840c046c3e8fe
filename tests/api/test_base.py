"""What every kind shares: times, conditions, free text, and how a newer resource is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from scaleset_operator.api import base
from scaleset_operator.api.base import (
    Condition,
    ConditionStatus,
    Duration,
    Resource,
    Time,
    format_time,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TIMES: TypeAdapter[datetime] = TypeAdapter(Time)
SPANS: TypeAdapter[timedelta] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-11-20T12:00:00Z"),
        (NOON.replace(microsecond=7), "2026-11-20T12:00:00.000007Z"),
        (NOON.astimezone(timezone(timedelta(hours=1))), "2026-11-20T12:00:00Z"),
    ],
)
def test_a_time_is_written_in_utc_with_fractions_only_where_there_are_any(
    moment: datetime, text: str
) -> None:
    assert format_time(moment) == text
    assert TIMES.dump_python(moment, mode="json") == text


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00+01:00", "2026-11-20T12:00:00.000000Z"],
)
def test_a_time_is_read_with_any_zone_and_kept_in_utc(text: str) -> None:
    """M-23: an absolute instant, whatever the offset it was written with."""
    read = TIMES.validate_python(text)
    assert read == NOON
    assert read.tzinfo is UTC


@pytest.mark.parametrize("value", ["2026-11-20T12:00:00", "tonight", 1_800_000_000, 1.5])
def test_a_time_without_zone_or_as_a_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        TIMES.validate_python(value)


def test_a_span_is_read_from_text_or_taken_as_it_is() -> None:
    """R-31."""
    assert SPANS.validate_python("PT1H30M") == timedelta(minutes=90)
    assert SPANS.validate_python(timedelta(minutes=90)) == timedelta(minutes=90)
    assert SPANS.dump_python(timedelta(minutes=90), mode="json") == "PT1H30M"
    with pytest.raises(ValidationError, match="'30m' is not a span of time"):
        SPANS.validate_python("30m")


def test_a_long_message_is_cut_and_never_refused() -> None:
    told = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason="Scaling",
        message="x" * 5000,
        last_transition_time=NOON,
    )
    assert len(told.message) == base.MAX_MESSAGE_LENGTH
    assert told.message.endswith("x…")


def test_a_condition_has_the_shape_of_metav1() -> None:
    told = Condition(
        type="Ready",
        status=ConditionStatus.TRUE,
        reason=base.Reason.ALL_HEALTHY,
        message="40 of 40",
        last_transition_time=NOON,
        observed_generation=7,
    )
    assert told.model_dump(mode="json", by_alias=True, exclude_none=True) == {
        "type": "Ready",
        "status": "True",
        "reason": "AllHealthy",
        "message": "40 of 40",
        "lastTransitionTime": "2026-11-20T12:00:00Z",
        "observedGeneration": 7,
    }


def test_a_condition_of_a_newer_operator_is_read_whatever_its_reason() -> None:
    read = Condition.model_validate(
        {
            "type": "Ready",
            "status": "False",
            "reason": "NotInventedYet",
            "lastTransitionTime": "2026-11-20T12:00:00Z",
            "unheardOf": 1,
        }
    )
    assert read.reason == "NotInventedYet"
    assert not hasattr(read, "unheardOf")


def test_metadata_is_read_leniently() -> None:
    read = Resource.model_validate(
        {
            "metadata": {
                "name": "web",
                "resourceVersion": "17",
                "managedFields": [{"manager": "kubectl"}],
                "creationTimestamp": "2026-11-20T12:00:00Z",
            }
        }
    ).metadata
    assert (read.name, read.namespace, read.resource_version) == ("web", "", "17")
    assert (read.labels, read.annotations, read.deletion_timestamp) == ({}, {}, None)


def test_every_key_of_ours_begins_with_the_one_prefix() -> None:
    keys = [
        value
        for name, value in vars(base).items()
        if name.startswith(("LABEL_", "ANNOTATION_", "CONDITION_", "GATE_")) and "/" in str(value)
    ]
    assert len(keys) == len(set(keys)) == 25
    assert all(key.startswith(f"{base.LABEL_PREFIX}/") for key in keys)
