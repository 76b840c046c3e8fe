"""Spans of time: what is read, what is refused, and that writing undoes reading."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.durations import DURATION_MAX_LENGTH, format_duration, parse_duration
from tests.api.refused_scalesets import BAD_SPANS

pytestmark = pytest.mark.timeout(300)  # Hypothesis, on a machine with much else to do.

SPELLINGS = [
    ("PT30M", timedelta(minutes=30)),
    ("PT1800S", timedelta(minutes=30)),
    ("PT0H30M0S", timedelta(minutes=30)),
    ("PT1H", timedelta(hours=1)),
    ("PT1H30M", timedelta(minutes=90)),
    ("PT90M", timedelta(minutes=90)),
    ("PT1H15S", timedelta(seconds=3615)),
    ("PT0S", timedelta(0)),
    ("P0D", timedelta(0)),
    ("P1D", timedelta(days=1)),
    ("PT24H", timedelta(days=1)),
    ("P9999D", timedelta(days=9999)),
    ("PT999999H999999M999999S", timedelta(hours=999_999, minutes=999_999, seconds=999_999)),
]
WRITTEN = [
    (timedelta(0), "PT0S"),
    (timedelta(seconds=31), "PT31S"),
    (timedelta(minutes=30), "PT30M"),
    (timedelta(minutes=90), "PT1H30M"),
    (timedelta(hours=1, seconds=1), "PT1H1S"),
    (timedelta(days=1), "P1D"),
    (timedelta(days=1, hours=1), "PT25H"),
    (timedelta(days=9_999), "P9999D"),
    (timedelta(days=10_000), "PT240000H"),
]
OTHER_DIGITS = "PT\N{ARABIC-INDIC DIGIT THREE}0M"  # A digit to Python, none to the API server.


@pytest.mark.parametrize(("text", "span"), SPELLINGS)
def test_equal_spans_in_other_spellings_are_read_alike(text: str, span: timedelta) -> None:
    """R-31."""
    assert parse_duration(text) == span
    assert len(text) <= DURATION_MAX_LENGTH


@pytest.mark.parametrize("text", [*BAD_SPANS, "PT1000000S", "P10000D", "PT30M\n", OTHER_DIGITS])
def test_any_other_text_is_refused_by_name(text: str) -> None:
    """R-31: the message holds the text and what is allowed instead."""
    with pytest.raises(ValueError, match="allowed are whole days") as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(("span", "text"), WRITTEN)
def test_a_span_is_written_in_its_shortest_spelling(span: timedelta, text: str) -> None:
    assert format_duration(span) == text


@pytest.mark.parametrize(
    "span", [timedelta(seconds=-1), timedelta(milliseconds=1), timedelta(hours=1_000_001)]
)
def test_a_span_that_no_text_could_hold_is_refused(span: timedelta) -> None:
    with pytest.raises(ValueError, match="cannot be written: allowed are"):
        format_duration(span)


@given(st.integers(min_value=0, max_value=999_999 * 3600))
def test_reading_undoes_writing(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_duration(format_duration(span)) == span


@given(st.from_regex(r"\AP([0-9]{1,4}D|T[0-9]{1,6}H[0-9]{1,6}M[0-9]{1,6}S)\Z"))
def test_writing_keeps_what_was_read(text: str) -> None:
    """R-31: another spelling, perhaps, but never another span."""
    try:
        span = parse_duration(text)
    except ValueError:
        assert not text.isascii()
        return
    if span <= timedelta(hours=999_999):
        assert parse_duration(format_duration(span)) == span
