"""One event through apprise, the library that knows the ways to reach people.

Loaded on use alone: it is an extra. Must not know: whom the addresses are of, or when it is tried
again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scaleset_operator.adapters.notifications.addressees import ALLOWED_APPRISE, Unreachable
from scaleset_operator.reconciler.ports import Unavailable

WITHIN_S: Final = 60.0
"""It asks several services, one after the other; its own time-outs are below."""
MISSING: Final = (
    "apprise is not installed here: install scaleset-operator[apprise], or take the file away"
)


async def notify(
    addresses: Sequence[tuple[str, str]], event: Mapping[str, Any], within_s: float = WITHIN_S
) -> None:
    """Tell all of them.

    Args:
        addresses: each with where it stands.
        event: a CloudEvent; people are told its kind, its subject and its data.
        within_s: how long it may take.

    Raises:
        Unavailable: one was not told, or apprise is not installed; which address is not said.
    """
    try:
        async with asyncio.timeout(within_s):
            told = await asyncio.to_thread(_notify, addresses, title_of(event), body_of(event))
    except TimeoutError:
        message = f"apprise has not told everybody of {_file(addresses)} within {within_s:g} s"
        raise Unavailable(message) from None
    except Unavailable:
        raise
    except Exception as fault:  # noqa: BLE001 - of any of its hundred ways; its words hold addresses
        message = f"apprise failed on {_file(addresses)}: {type(fault).__name__}"
        raise Unavailable(message) from None
    if not told:
        message = f"apprise could not tell everybody of {_file(addresses)}"
        raise Unavailable(message)


def title_of(event: Mapping[str, Any]) -> str:
    """Such as `ScheduledOpened: host-patch-nov`."""
    return f"{str(event['type']).rpartition('.')[2]}: {event.get('subject', '')}"


def body_of(event: Mapping[str, Any]) -> str:
    """The data, each on a line of its own."""
    data = event.get("data") or {}
    return "\n".join(f"{name}: {value}" for name, value in data.items() if value is not None)


def _notify(addresses: Sequence[tuple[str, str]], title: str, body: str) -> bool:
    try:
        from apprise import Apprise  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as fault:
        raise Unavailable(MISSING) from fault
    told = Apprise()
    for address, where in addresses:
        if not told.add(address):
            message = f"{where} cannot be used: {ALLOWED_APPRISE}"
            raise Unreachable(message)
    return bool(told.notify(title=title, body=body, body_format="text"))


def _file(addresses: Sequence[tuple[str, str]]) -> str:
    return addresses[0][1].rpartition(", line")[0]
