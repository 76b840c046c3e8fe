"""The words on the wire: what a request must say, the document, and the list of approvals.

The shape, the names and the required header are those of Azure's scheduled events, so that what
was written for them works here. Must not know: who asks, or whether an approval can be met.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final

import orjson

from scaleset_operator.adapters.scheduled_events.answers import Code, Declined, Outcome, malformed
from scaleset_operator.core.scheduled_events import EventStatus, ScheduledEvent

PATH: Final = "/metadata/scheduledevents"
VERSIONS: Final = ("2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01")
"""Of Azure's, those that know Terminate. All are answered alike: the newer ones added fields."""
LARGEST_BODY: Final = 2**14
MOST_APPROVALS: Final = 100
"""In one request; an id takes 60 bytes."""
RESOURCE_TYPE: Final = "VirtualMachine"
"""What programs written for Azure look for; here it is a pod."""
UNKNOWN_DURATION: Final = -1
LONGEST_SHOWN: Final = 60

_FORWARDED: Final = ("X-Forwarded-For", "Forwarded")


def check_request(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> None:
    """Whether this is a request that is meant for us, by somebody who knows what they ask.

    A browser or a proxy that is talked into sending one sets no `Metadata` header, or a forwarding
    one: so a server that fetches what others name cannot be used to ask in its name.

    Args:
        method: in capitals.
        path: without the query.
        query: the first value of each.
        headers: by name, in any case.

    Raises:
        Declined: it is not.
    """
    if path != PATH:
        message = f"there is only {PATH}, not {_shown(path)}"
        raise Declined(Outcome.NOT_FOUND, HTTPStatus.NOT_FOUND, Code.NOT_FOUND, message)
    if method not in ("GET", "POST"):
        message = f"method {_shown(method)}: allowed are GET and POST"
        refused = HTTPStatus.METHOD_NOT_ALLOWED
        allow = {"Allow": "GET, POST"}
        raise Declined(Outcome.NOT_FOUND, refused, Code.METHOD_NOT_ALLOWED, message, headers=allow)
    for name in _FORWARDED:
        if name in headers:
            message = f"header {name}: a request that was forwarded is not answered; ask directly"
            raise malformed(Code.FORWARDED, message)
    if headers.get("Metadata", "").lower() != "true":
        message = "header Metadata: must be true, and is " + _given(headers.get("Metadata"))
        raise malformed(Code.METADATA_HEADER, message)
    version = query.get("api-version")
    if version not in VERSIONS:
        message = f"api-version: must be one of {', '.join(VERSIONS)}, and is {_given(version)}"
        raise malformed(Code.API_VERSION, message)


def document(number: int | None, events: Iterable[ScheduledEvent]) -> bytes:
    """The document of a set.

    Args:
        number: its incarnation; None before the first event.
        events: those that are coming.
    """
    rows = [_row(event) for event in events]
    return orjson.dumps({"DocumentIncarnation": number or 0, "Events": rows}) + b"\n"


def _row(event: ScheduledEvent) -> dict[str, Any]:
    begun = event.status is EventStatus.STARTED
    duration = event.duration
    return {
        "EventId": event.event_id,
        "EventType": str(event.event_type),
        "ResourceType": RESOURCE_TYPE,
        "Resources": [name for name, _ in event.instances],
        "EventStatus": str(event.status),
        # RFC 1123, as there; nothing once it has begun.
        "NotBefore": ""
        if begun
        else format_datetime(event.not_before.astimezone(UTC), usegmt=True),
        "Description": event.description,
        "EventSource": str(event.source),
        "DurationInSeconds": UNKNOWN_DURATION
        if duration is None
        else int(duration.total_seconds()),
    }


def read_approvals(body: bytes) -> frozenset[str]:
    """The ids of the events that are approved, in small letters.

    Raises:
        Declined: it is not {"StartRequests": [{"EventId": "..."}]}.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        message = f"the body is not JSON: {fault}"
        raise malformed(Code.BODY, message) from None
    rows = found.get("StartRequests") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_APPROVALS:
        message = f"StartRequests: must be a list of 1 to {MOST_APPROVALS} entries"
        raise malformed(Code.START_REQUESTS, message)
    return frozenset(_event_id(number, row) for number, row in enumerate(rows))


def _event_id(number: int, row: object) -> str:
    found = row.get("EventId") if isinstance(row, dict) else None
    if not isinstance(found, str) or not found:
        message = f"StartRequests[{number}].EventId: must be the id of an event, as text"
        raise malformed(Code.EVENT_ID, message)
    return found.lower()


def _given(text: str | None) -> str:
    return "not given" if text is None else _shown(text)


def _shown(text: str) -> str:
    """What somebody sent, short and on one line."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
