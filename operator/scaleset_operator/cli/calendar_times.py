"""The times of a calendar for people: by the clocks of a zone, with UTC beside them.

Must not know: of which window they are.
"""

from datetime import UTC, datetime, tzinfo


def calendar_time(at: datetime, zone: tzinfo | None) -> str:
    """Such as `Tue 2026-12-08 02:00 (01:00Z)`, with the day of UTC where it is another.

    Args:
        at: the moment.
        zone: whose clocks; None for the reader's.
    """
    local = at.astimezone(zone)
    text = local.strftime("%a %Y-%m-%d %H:%M")
    if not local.utcoffset():
        return f"{text}Z"
    there = at.astimezone(UTC)
    form = "%H:%MZ" if there.date() == local.date() else "%a %H:%MZ"
    return f"{text} ({there.strftime(form)})"
