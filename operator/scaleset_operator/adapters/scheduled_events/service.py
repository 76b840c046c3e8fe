"""The parts of the scheduled events, wired to each other, for the whole operator.

Requests are answered on the server's thread, and what is asked of the API server is asked on the
operator's loop. Must not know: what is answered.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from scaleset_operator.adapters.scheduled_events.answers import Code, Outcome, later
from scaleset_operator.adapters.scheduled_events.approval import Approvals, Sets
from scaleset_operator.adapters.scheduled_events.asker import Asker, View
from scaleset_operator.adapters.scheduled_events.desk import Approve, Desk
from scaleset_operator.adapters.scheduled_events.server import EventServer

APPROVED_WITHIN_S: Final = 10.0


def event_server(
    port: int, view: View, sets: Sets, approvals: Approvals, counted: Callable[[Outcome], None]
) -> EventServer:
    """The server, not yet started; called on the operator's loop.

    Args:
        port: 0 for any free one.
        view: the cache of the pods.
        sets: the ScaleSets as last heard.
        approvals: asked on this loop.
        counted: told how each connection ended, on the server's thread.
    """
    approve = on_loop(approvals.approve, asyncio.get_running_loop())
    return EventServer("", port, Desk(view, sets, approve).answer, counted)


def on_loop(
    approve: Approve, loop: asyncio.AbstractEventLoop, within_s: float = APPROVED_WITHIN_S
) -> Approve:
    """The same, to be called on another thread's loop; it waits no longer than it may."""

    async def crossed(asker: Asker, ids: frozenset[str]) -> None:
        async def there() -> None:
            await approve(asker, ids)

        asked = asyncio.run_coroutine_threadsafe(there(), loop)
        try:
            async with asyncio.timeout(within_s):
                await asyncio.wrap_future(asked)
        except TimeoutError:
            message = f"it is not known within {within_s:g} s whether it was approved; ask again"
            raise later(Code.SLOW, message) from None

    return crossed
