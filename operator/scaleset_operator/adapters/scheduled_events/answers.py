"""What a request comes to: an answer, or why there is none, and the word it is counted by.

Must not know: sockets, pods, or what an event is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import orjson

RETRY_AFTER: Final = "Retry-After"


class Outcome(StrEnum):
    """How a request ended; the label of the metric."""

    ANSWERED = "answered"
    APPROVED = "approved"
    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    UNKNOWN_ASKER = "unknown_asker"
    UNKNOWN_EVENT = "unknown_event"
    NOT_OPEN = "not_open"
    TOO_OFTEN = "too_often"
    STANDING_BY = "standing_by"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    UNREAD = "unread"


class Code(StrEnum):
    """Why a request is not met, for programs; the set is finite and documented (X-11)."""

    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    FORWARDED = "Forwarded"
    METADATA_HEADER = "MetadataHeader"
    API_VERSION = "ApiVersion"
    URL = "Url"
    BODY = "Body"
    BODY_TOO_LARGE = "BodyTooLarge"
    START_REQUESTS = "StartRequests"
    EVENT_ID = "EventId"
    UNKNOWN_EVENT = "UnknownEvent"
    NOT_IN_SELF_SERVICE = "NotInSelfService"
    UNKNOWN_ASKER = "UnknownAsker"
    HOST_NETWORK = "HostNetwork"
    NOT_LIVE = "NotLive"
    AMBIGUOUS_ADDRESS = "AmbiguousAddress"
    ADDRESS_MOVED = "AddressMoved"
    NO_SCALE_SET = "NoScaleSet"
    SET_NOT_KNOWN = "SetNotKnown"
    NOT_LISTED = "NotListed"
    OUT_OF_SIGHT = "OutOfSight"
    TOO_OFTEN = "TooOften"
    BUSY = "Busy"
    SLOW = "Slow"
    STANDING_BY = "StandingBy"
    API_UNAVAILABLE = "ApiUnavailable"
    API_REFUSED = "ApiRefused"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, whose body is JSON."""

    status: int
    body: bytes
    outcome: Outcome
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(code: Code, message: str) -> bytes:
    """The body of an answer that says no."""
    return orjson.dumps({"error": {"code": code, "message": message}}) + b"\n"


class Declined(Exception):  # noqa: N818 - an expected outcome, not a fault
    """A request that is not met."""

    def __init__(
        self,
        outcome: Outcome,
        status: HTTPStatus,
        code: Code,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Describes it.

        Args:
            outcome: as it is counted.
            status: of the answer.
            code: for programs.
            message: for people: what is wrong, and what would do.
            headers: more of the answer.
        """
        super().__init__(message)
        self.answer = Answer(
            status=status,
            body=refusal(code, message),
            outcome=outcome,
            headers=headers or {},
        )


def malformed(code: Code, message: str) -> Declined:
    """400: what was sent is not understood."""
    return Declined(Outcome.MALFORMED, HTTPStatus.BAD_REQUEST, code, message)


def stranger(code: Code, message: str) -> Declined:
    """403: it is not known whose events the asker might see."""
    return Declined(Outcome.UNKNOWN_ASKER, HTTPStatus.FORBIDDEN, code, message)


def later(
    code: Code, message: str, *, seconds: int = 1, outcome: Outcome = Outcome.UNAVAILABLE
) -> Declined:
    """503: the same request may be met soon."""
    headers = {RETRY_AFTER: str(seconds)}
    return Declined(outcome, HTTPStatus.SERVICE_UNAVAILABLE, code, message, headers=headers)
