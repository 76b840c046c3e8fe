"""How a task of ours is ended: cancelled, and waited for."""

import asyncio
import contextlib


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task; returns once it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
