"""Spans of time as ISO 8601 text: the small part of the standard that cannot be misread.

The API server's own parser reads P1M as one minute and P1DT0S as nothing, so only whole days,
or hours, minutes and seconds, are spoken here (protocol rule 27).
Must not know: which field holds a span, or what its bounds are.
"""

import re
from datetime import timedelta
from typing import Final

DURATION_PATTERN: Final = (
    "^P([0-9]{1,4}D|T([0-9]{1,6}H([0-9]{1,6}M)?([0-9]{1,6}S)?"
    "|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S))$"
)
"""What the CRDs accept and what `parse_duration` reads: the same text in both places."""

DURATION_MAX_LENGTH: Final = 23
"""The longest text the pattern lets through: PT999999H999999M999999S."""

_MAX_DAYS: Final = 9_999
_MAX_HOURS: Final = 999_999

_SHAPE: Final = re.compile(DURATION_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_PART: Final = re.compile(r"([0-9]+)([DHMS])", re.ASCII)
_SECONDS_OF: Final = {"D": 86_400, "H": 3_600, "M": 60, "S": 1}
_ALLOWED: Final = (
    "allowed are whole days (P30D) or hours, minutes and seconds (PT1H30M, PT1800S), "
    "without sign, fraction, week, month or year"
)


def parse_duration(text: str) -> timedelta:
    """Read ISO 8601 text such as PT30M, PT1H30M, PT1800S or P1D (R-31, protocol rule 27).

    Returns:
        A span of whole seconds, never negative.

    Raises:
        ValueError: The text is anything else; the message names it and what is allowed.
    """
    if not _SHAPE.match(text):
        message = f"{text!r} is not a span of time: {_ALLOWED}"
        raise ValueError(message)
    return timedelta(
        seconds=sum(int(count) * _SECONDS_OF[unit] for count, unit in _PART.findall(text))
    )


def format_duration(span: timedelta) -> str:
    """Write a span as the shortest text that `parse_duration` reads back as the same span.

    Raises:
        ValueError: The span is negative, holds a fraction of a second, or is too long to write.
    """
    seconds, fraction = divmod(span, timedelta(seconds=1))
    if seconds < 0 or fraction:
        message = f"{span!r} cannot be written: allowed are whole seconds from 0"
        raise ValueError(message)
    days, rest = divmod(seconds, _SECONDS_OF["D"])
    if not rest and 0 < days <= _MAX_DAYS:
        return f"P{days}D"
    hours, rest = divmod(seconds, _SECONDS_OF["H"])
    if hours > _MAX_HOURS:
        message = f"{span!r} cannot be written: allowed are at most {_MAX_HOURS} hours"
        raise ValueError(message)
    parts = zip((hours, *divmod(rest, _SECONDS_OF["M"])), "HMS", strict=True)
    return "PT" + ("".join(f"{count}{unit}" for count, unit in parts if count) or "0S")
