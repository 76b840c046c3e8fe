"""One CloudEvent to one webhook, in the structured mode of the HTTP binding.

No redirect is followed and no answer is read: what matters is the status. Neither address nor token
is ever in a message. Must not know: whom the address is of, or when it is tried again.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from scaleset_operator.adapters.notifications.addressees import Webhook
from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Refused, Unavailable

WITHIN_S: Final = 10.0
LONGEST_RETRY_S: Final = 3_600.0
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
AGENT: Final = "scaleset-operator"
_LATER: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


async def post(
    webhook: Webhook, event: Mapping[str, Any], now: datetime, within_s: float = WITHIN_S
) -> None:
    """Send an event.

    Args:
        webhook: where to.
        event: a CloudEvent.
        now: for a Retry-After that names a time.
        within_s: how long it may take.

    Raises:
        Unavailable: not now: no connection, no answer in time, or 408, 425, 429 or 5xx.
        Refused: it does not want it: any other status that is not 2xx.
    """
    try:
        async with asyncio.timeout(within_s):
            status, retry_after = await _status(webhook, event)
    except TimeoutError:
        message = f"the webhook of {webhook.file} has not answered within {within_s:g} s"
        raise Unavailable(message) from None
    except (aiohttp.ClientError, OSError) as fault:
        # Not chained: some of the library's words hold the address.
        message = f"the webhook of {webhook.file} cannot be asked: {type(fault).__name__}"
        raise Unavailable(message) from None
    _check(webhook, status, seconds(retry_after, now))


async def _status(webhook: Webhook, event: Mapping[str, Any]) -> tuple[int, str]:
    headers = {"Content-Type": CONTENT_TYPE, "User-Agent": AGENT}
    if webhook.token is not None:
        headers["Authorization"] = f"Bearer {webhook.token}"
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(
            webhook.url, data=orjson.dumps(event), headers=headers, allow_redirects=False
        ) as response,
    ):
        return response.status, response.headers.get("Retry-After", "")


def _check(webhook: Webhook, status: int, retry_after: float) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    said = f"the webhook of {webhook.file} answers {status}"
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(said, retry_after=retry_after)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        said += ", and no redirect is followed: the file must hold the final address"
    raise Refused(Reason.NOTIFICATION_FAILED, said)


def seconds(retry_after: str, now: datetime) -> float:
    """What a Retry-After asks for, up to an hour; 0 where it asks for nothing that can be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), LONGEST_RETRY_S)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        return 0.0
    return min(max((at - now).total_seconds(), 0.0), LONGEST_RETRY_S)
