"""What a person asks of a set's repairs by annotation: suspended until when and why, or resumed.

Reads the words only; what follows from them is decided in `gates` and `suspension`. What cannot be
read asks for nothing, and is answered.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from scaleset_operator.api.base import (
    ANNOTATION_RESUME_REQUESTED_AT,
    ANNOTATION_SUSPENDED_REASON,
    ANNOTATION_SUSPENDED_UNTIL,
)
from scaleset_operator.core.scene import Scene

LONGEST_QUOTE: Final = 40
"""Characters of a value that are repeated in an answer."""


def suspended_until(scene: Scene) -> datetime | None:
    """Until when a person's annotation suspends repairs; None when it does not, or has lapsed."""
    until = moment_in(scene.observed.annotations, ANNOTATION_SUSPENDED_UNTIL)
    return until if until is not None and until > scene.now else None


def suspended_because(scene: Scene) -> str:
    """A person's words on why repairs are suspended; empty without any."""
    return scene.observed.annotations.get(ANNOTATION_SUSPENDED_REASON, "")


def resume_requested_at(scene: Scene) -> datetime | None:
    """The time in the request to resume; None without one that can be read."""
    return moment_in(scene.observed.annotations, ANNOTATION_RESUME_REQUESTED_AT)


def unreadable(scene: Scene) -> str:
    """What is said of requests that cannot be read, naming each and its value; empty for none."""
    return "; ".join(_faults(scene))


def _faults(scene: Scene) -> Iterator[str]:
    for name in (ANNOTATION_SUSPENDED_UNTIL, ANNOTATION_RESUME_REQUESTED_AT):
        text = scene.observed.annotations.get(name, "")
        if text and moment_in(scene.observed.annotations, name) is None:
            short = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"
            yield (
                f"{name}: {short!r} is no RFC 3339 time with a zone, such as "
                "2026-11-20T18:00:00Z; it asks for nothing"
            )


def moment_in(annotations: Mapping[str, str], name: str) -> datetime | None:
    """The time in an annotation, in UTC; None where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(annotations.get(name, ""))
        # The first and last day there are have no UTC in every zone.
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
