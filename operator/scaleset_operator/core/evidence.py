"""What a prober found, as values: how an attempt ended, and what the attempts on one pod add up to.

Must not know what follows from any of it. All times are those of the observation they are part of.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How one attempt of the prober ended (R-03, R-04, protocol rule 15)."""

    OK = "OK"
    WRONG_STATUS = "WrongStatus"
    MALFORMED = "Malformed"
    REFUSED = "Refused"
    TIMED_OUT = "TimedOut"
    UNREACHABLE = "Unreachable"

    @property
    def silent(self) -> bool:
        """Whether nothing at all came back: no evidence against the instance by itself."""
        return self in (Outcome.TIMED_OUT, Outcome.UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one prober process knows of one pod under one probe.

    The adapter drops it when the pod's UID, its address or the probe's rules change (P-25, P-30).

    Attributes:
        watched_since: when this prober began to watch this pod under these rules.
        last_ended: end of the last attempt; None before the first.
        last_begun: begin of that attempt.
        outcome: how it ended.
        http_status: status code it answered with, 0 where there was none.
        last_success: end of the last successful attempt.
        answering_since: end of the first success of the current or last unbroken run of them.
        failing_since: end of the first failure after the last success.
        silent_since: end of the first attempt of the current unbroken run of silent ones.
    """

    watched_since: datetime
    last_ended: datetime | None = None
    last_begun: datetime | None = None
    outcome: Outcome | None = None
    http_status: int = 0
    last_success: datetime | None = None
    answering_since: datetime | None = None
    failing_since: datetime | None = None
    silent_since: datetime | None = None

    @property
    def answers_ok(self) -> bool:
        """Whether the last attempt that ended was a success."""
        return self.outcome is Outcome.OK

    @property
    def silent(self) -> bool:
        """Whether the last attempt that ended brought nothing back."""
        return self.outcome is not None and self.outcome.silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another watched pod on a node, of any set: what rules 16 and 17 need of it.

    Attributes:
        watched_since: while it has ended no attempt; None from then on.
    """

    uid: str
    silent: bool
    last_ended: datetime | None
    watched_since: datetime | None = None
