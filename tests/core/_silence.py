"""A set that falls silent as a whole; for the tests of doubt."""

from datetime import timedelta
from typing import Any

from scaleset_operator.core.observed import Outcome
from tests.core._stories import Story
from tests.support.builders import scale_set_spec

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec(replicas=10, grace="PT60S")


def fallen(**spec: Any) -> Story:
    """Ten instances that answered for an hour have all fallen silent just now."""
    values: dict[str, Any] = {"replicas": 10, "grace": "PT60S"}
    story = Story.of(scale_set_spec(**(values | spec)))
    story.turn()
    story.now += 5 * SECOND
    story.tell(Outcome.TIMED_OUT)
    return story
