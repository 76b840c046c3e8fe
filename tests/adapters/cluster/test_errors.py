"""The error table: each answer of the API server as one of the ports' errors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from scaleset_operator.adapters.cluster.errors import (
    LONGEST_MESSAGE,
    AlreadyExists,
    Expired,
    Unauthorized,
    failure,
)
from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Conflict, Gone, Refused, Unavailable


def fault(status: int, retry_after: str | None = None, **answer: Any) -> Exception:
    return failure(status, retry_after, orjson.dumps({"kind": "Status"} | answer))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, Unauthorized),
        (402, Unavailable),
        (403, Refused),
        (404, Gone),
        (405, Unavailable),
        (409, Conflict),
        (410, Expired),
        (413, Refused),
        (415, Unavailable),
        (422, Refused),
        (429, Unavailable),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (302, Unavailable),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[Exception]) -> None:
    assert type(fault(status, message="no")) is kind
    assert str(fault(status, message="no")) == "no"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, Reason.INVALID_TEMPLATE),
        (403, Reason.CREATE_FORBIDDEN),
        (413, Reason.INVALID_TEMPLATE),
        (422, Reason.INVALID_TEMPLATE),
    ],
)
def test_a_refusal_says_which(status: int, reason: Reason) -> None:
    refused = fault(status)
    assert isinstance(refused, Refused)
    assert refused.reason is reason


def test_a_taken_name_is_told_from_a_stale_version() -> None:
    assert type(fault(409, reason="AlreadyExists")) is AlreadyExists
    assert type(fault(409, reason="Conflict")) is Conflict


def test_a_patch_meant_for_another_uid_found_it_gone() -> None:
    cause = {"reason": "FieldValueInvalid", "field": "metadata.uid"}
    assert type(fault(422, details={"causes": [cause]})) is Gone
    other = {"reason": "FieldValueInvalid", "field": "spec.containers"}
    assert type(fault(422, details={"causes": [other]})) is Refused


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", {}, 7.0),
        ("7", {"retryAfterSeconds": 3}, 7.0),
        (None, {"retryAfterSeconds": 3}, 3.0),
        (None, None, 0.0),
        ("Sat, 21 Nov 2026 08:00:00 GMT", {}, 0.0),
        ("-1", {}, 0.0),
        ("nan", {}, 0.0),
        ("86400", {}, 300.0),
    ],
)
def test_the_wait_that_the_server_asks_for_is_passed_on(
    header: str | None, details: dict[str, int] | None, seconds: float
) -> None:
    unavailable = fault(429, header, details=details)
    assert isinstance(unavailable, Unavailable)
    assert unavailable.retry_after == seconds


@pytest.mark.parametrize("payload", [b"", b"<html>", b"[]", b"\xff\xfe"])
def test_a_body_that_is_no_status_is_no_trouble(payload: bytes) -> None:
    assert isinstance(failure(503, None, payload), Unavailable)


def test_a_long_message_is_cut() -> None:
    assert len(str(fault(422, message="x" * 10_000))) == LONGEST_MESSAGE
    assert len(str(failure(500, None, b"x" * 10_000))) <= LONGEST_MESSAGE
