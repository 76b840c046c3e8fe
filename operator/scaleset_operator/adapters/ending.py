"""How what runs is ended: a task is cancelled and waited for, a program part by part."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task; returns once it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Program(ABC):
    """An async context: inside it, the program runs; its parts end in the opposite order."""

    def __init__(self) -> None:
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everything; returns when it works."""
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        await self._exits.aclose()

    @abstractmethod
    async def _start(self) -> None:
        """Start the parts, the first that is to end last."""
