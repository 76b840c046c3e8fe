"""The wire between one client and the fake API server: where requests fail, get lost, or end.

It must not know what a request does: it is handed a function that carries it out.
"""

from collections.abc import Callable
from typing import TypeVar

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Conflict, Gone, Refused, TooOld, Unavailable
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.errors import (
    CONFLICT,
    EXISTS,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    ServerError,
)
from scaleset_operator.rehearsal.requests import Crash, Fault, Faults, Hooks, Request

T = TypeVar("T")


class Wire:
    """One client's connection; after a Crash nothing may use it any more.

    Attributes:
        requests: every request made, oldest first, those that failed included.
    """

    def __init__(self, clock: VirtualClock, faults: Faults, hooks: Hooks) -> None:
        self.clock = clock
        self.faults = faults
        self.hooks = hooks
        self.requests: list[Request] = []
        self.dead = False

    def check_alive(self) -> None:
        """Raises Crash where this client's process was killed: its other tasks end with it."""
        if self.dead:
            raise Crash

    async def call(
        self, request: Request, send: Callable[[], T], not_after: int | None = None
    ) -> T:
        """Make one request.

        Raises:
            Crash: a hook killed the process.
            TooOld: it is past `not_after`, in nanoseconds of CLOCK_BOOTTIME; nothing was sent.
            Conflict, Gone, Refused, Unavailable: as the port says, by fault or by the server.
        """
        self.check_alive()
        self.requests.append(request)
        try:
            await self.hooks.before(request)
            if not_after is not None and self.clock.boottime_ns() > not_after:
                message = f"{request.verb} {request.name} is past its deadline"
                raise TooOld(message)
            answer = self._send(request, send)
            await self.hooks.after(request)
        except Crash:
            self.dead = True
            raise
        return answer

    def _send(self, request: Request, send: Callable[[], T]) -> T:
        fault = self.faults.take(request)
        if fault is not None and fault is not Fault.DROPPED:
            raise self._failure(fault)
        try:
            answer = send()
        except ServerError as error:
            raise _translated(error) from error
        if fault is Fault.DROPPED:
            message = "the connection broke before the answer"
            raise Unavailable(message)
        return answer

    def _failure(self, fault: Fault) -> Exception:
        text = f"by a fault: {fault}"
        failures = {
            Fault.CONFLICT: Conflict(text),
            Fault.FORBIDDEN: Refused(Reason.CREATE_FORBIDDEN, text),
            Fault.INVALID: Refused(Reason.INVALID_TEMPLATE, text),
            Fault.TOO_MANY: Unavailable(text, self.faults.retry_after),
            Fault.SERVER_ERROR: Unavailable(text),
        }
        return failures[fault]


def _translated(error: ServerError) -> Exception:
    """The port's word for what the server said."""
    words: dict[int, Exception] = {
        NOT_FOUND: Gone(error.message),
        CONFLICT: Conflict(error.message),
        EXISTS: Conflict(error.message),
        FORBIDDEN: Refused(Reason.CREATE_FORBIDDEN, error.message),
        INVALID: Refused(Reason.INVALID_TEMPLATE, error.message),
    }
    return words[error.code]
