"""Spans of time as people type them: 30m, 2h, 1h30m, 2d, or ISO 8601.

Must not know: which option they are of.
"""

import re
from datetime import timedelta
from typing import Final

from scaleset_operator.api.durations import parse_duration
from scaleset_operator.cli.failures import Failure

_SPAN: Final = re.compile(
    r"(?:([0-9]{1,4})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?", re.ASCII
)


def read_span(text: str, option: str) -> timedelta:
    """The span that an option was given.

    Args:
        text: as typed.
        option: its name, for the error.

    Raises:
        Failure: it cannot be read.
    """
    found = _SPAN.fullmatch(text)
    if text and found is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    try:
        return parse_duration(text)
    except ValueError:
        line = f"{option} is {text!r}: allowed is a span such as 30m, 2h, 1h30m or 2d"
        raise Failure(line) from None
