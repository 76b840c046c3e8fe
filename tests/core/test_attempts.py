"""How one attempt ended, in the words that stand on pods and in the probe's own answers."""

import pytest

from scaleset_operator.core.attempts import how_it_ended
from scaleset_operator.core.observed import Outcome


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.OK, "answers as expected"),
        (Outcome.WRONG_STATUS, "HTTP 503, 200 is expected"),
        (Outcome.REFUSED, "connection refused or reset"),
        (Outcome.MALFORMED, "the answer is no HTTP"),
        (Outcome.UNREACHABLE, "no route to it"),
        (Outcome.TIMED_OUT, "no answer in time"),
    ],
)
def test_every_end_has_its_words(outcome: Outcome, words: str) -> None:
    """R-04."""
    assert how_it_ended(outcome, 503) == words
