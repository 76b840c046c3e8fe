"""One attempt on one instance as a value, and how it ended in words.

Must not know: the verdict that attempts add up to; that is `health`'s.
"""

from dataclasses import dataclass
from datetime import timedelta

from scaleset_operator.core.observed import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What came back of one attempt.

    Attributes:
        outcome: None where it failed on this side (no descriptors, no permission...).
        http_status: 0 where no status came.
        connected: how long the handshake took; None where there was none.
        took: from its begin to its end.
        first_bytes: the beginning of the answer, as far as it was read.
    """

    outcome: Outcome | None
    http_status: int = 0
    connected: timedelta | None = None
    took: timedelta = timedelta(0)
    first_bytes: bytes = b""


def how_it_ended(outcome: Outcome, http_status: int) -> str:
    """An attempt's end in the words that stand on pods (R-04)."""
    match outcome:
        case Outcome.OK:
            return "answers as expected"
        case Outcome.WRONG_STATUS:
            return f"HTTP {http_status}, 200 is expected"
        case Outcome.REFUSED:
            return "connection refused or reset"
        case Outcome.MALFORMED:
            return "the answer is no HTTP"
        case Outcome.UNREACHABLE:
            return "no route to it"
        case Outcome.TIMED_OUT:
            return "no answer in time"
