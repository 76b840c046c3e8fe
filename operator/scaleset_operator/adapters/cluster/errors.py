"""The API server's refusals as the errors of the ports: one table, in one place.

Must not know: which request was made, or what its maker does about it.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Conflict, Gone, Refused, Unavailable
from scaleset_operator.reconciler.relocations import Disallowed

LONGEST_MESSAGE: Final = 256
"""Characters of a server's message that are kept: it may quote a whole object."""
LONGEST_RETRY_AFTER_S: Final = 300.0
_BUDGET: Final = "DisruptionBudget"
_SEVERAL: Final = "more than one PodDisruptionBudget"
"""In an eviction's answer, whose code is 500: the API server is well, and will never do it."""


class Expired(Exception):  # noqa: N818 - a state of a watch or of a list, not a fault
    """The history asked for is compacted (410): list anew. Never leaves this package."""


class AlreadyExists(Conflict):
    """The name is taken (409 on create). Leaves this package as Conflict, if at all."""


class Unauthorized(Unavailable):
    """The credentials were not accepted (401): load them anew. Leaves as Unavailable."""


def failure(status: int, retry_after: str | None, payload: bytes) -> Exception:
    """The error for one answer that is not a success.

    Args:
        status: the HTTP status code.
        retry_after: the Retry-After header, or None.
        payload: the body, a metav1.Status where the server got that far.
    """
    return failure_of(_parsed(payload), status, retry_after)


def failure_of(answer: Mapping[str, Any], status: int, retry_after: str | None = None) -> Exception:
    """The error for a metav1.Status, as an answer or as an ERROR event of a watch."""
    message = cut(str(answer.get("message") or f"HTTP {status}"))
    match status:
        case 404:
            return Gone(message)
        case 409 if answer.get("reason") == "AlreadyExists":
            return AlreadyExists(message)
        case 409:
            return Conflict(message)
        case 410:
            return Expired(message)
        case 401:
            return Unauthorized(message)
        case 403:
            return Refused(Reason.CREATE_FORBIDDEN, message)
        case 400 | 413 | 422:
            return _invalid(answer, message)
        case _:
            return _unavailable(answer, message, retry_after)


def cut(text: str) -> str:
    """Text of a bounded length."""
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _unavailable(answer: Mapping[str, Any], message: str, retry_after: str | None) -> Unavailable:
    if _is_of_a_budget(answer):
        return Disallowed(_budget_in_words(answer, message))
    return Unavailable(message, _seconds(retry_after, answer))


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((answer.get("details") or {}).get("causes") or ())


def _is_of_a_budget(answer: Mapping[str, Any]) -> bool:
    """Whether a PodDisruptionBudget says no; any other 429 is a server that wants to be left."""
    several = _SEVERAL in str(answer.get("message") or "")
    return several or any(cause.get("reason") == _BUDGET for cause in _causes(answer))


def _budget_in_words(answer: Mapping[str, Any], message: str) -> str:
    said = (cause.get("message") for cause in _causes(answer) if cause.get("reason") == _BUDGET)
    return cut(next((str(text) for text in said if text), message))


def _invalid(answer: Mapping[str, Any], message: str) -> Exception:
    # A patch names the UID it means; on another object of the same name that reads as an attempt
    # to change the UID, which is immutable.
    if any(cause.get("field") == "metadata.uid" for cause in _causes(answer)):
        return Gone(message)
    return Refused(Reason.INVALID_TEMPLATE, message)


def _seconds(header: str | None, answer: Mapping[str, Any]) -> float:
    details = answer.get("details") or {}
    try:
        seconds = float(header or details.get("retryAfterSeconds") or 0)
    except (TypeError, ValueError):  # The header may also be a date; no API server sends one.
        return 0.0
    return min(seconds, LONGEST_RETRY_AFTER_S) if math.isfinite(seconds) and seconds > 0 else 0.0


def _parsed(payload: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {"message": payload[:LONGEST_MESSAGE].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}
