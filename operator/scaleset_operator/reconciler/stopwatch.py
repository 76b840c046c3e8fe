"""How long an awaitable computes: its steps are timed, its waits are not.

A turn mostly waits for the API server; only what it takes of the processor is of interest to the
others. Tasks that it starts run on their own and are not counted.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Stopwatch(Generic[T]):
    """Awaits something, once, and sums up the seconds of its steps.

    Attributes:
        seconds: computed so far.
    """

    def __init__(self, inner: Awaitable[T], monotonic: Callable[[], float]) -> None:
        self._inner = inner
        self._monotonic = monotonic
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        """Its steps, one after the other, each timed."""
        steps = self._inner.__await__()
        thrown: BaseException | None = None
        while True:
            began = self._monotonic()
            try:
                awaited = next(steps) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                ended: T = end.value
                return ended
            finally:
                self.seconds += self._monotonic() - began
            thrown = None
            try:
                yield awaited
            except BaseException as fault:  # noqa: BLE001 - a cancellation is the inner one's to take
                thrown = fault
