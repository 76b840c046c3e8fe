"""What may go wrong between an operator and the API server, on purpose.

Faults are asked for by verb before each request; hooks run before and after it and may raise
`Crash`, let time pass, or wait for another task's turn. It must not know what a request does.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple


class Verb(StrEnum):
    """Every kind of request that the ports make."""

    READ = "read"
    LIST = "list"
    FOREIGN = "foreign"
    DRY_RUN = "dry_run"
    STATUS = "status"
    CREATE = "create"
    DELETE = "delete"
    RENEW = "renew"
    NOTICE = "notice"
    ANSWER = "answer"
    PUBLISH = "publish"
    ADOPT = "adopt"
    RELEASE = "release"
    EVENT = "event"
    READ_WINDOW = "read window"
    READ_SETS = "read sets"
    READ_PLACE = "read place"
    HOLD = "hold place"
    FREE = "release place"
    EVICT = "evict"
    MARK = "publish maintenance"
    READ_REPORT = "read report"
    PAUSE = "ask for pause"
    UNPAUSE = "clear pause"
    REVISIONS = "list revisions"
    REVISION = "write revision"


WRITES: Final = frozenset(
    {
        Verb.STATUS,
        Verb.CREATE,
        Verb.DELETE,
        Verb.RENEW,
        Verb.ANSWER,
        Verb.NOTICE,
        Verb.PUBLISH,
        Verb.ADOPT,
        Verb.RELEASE,
        Verb.HOLD,
        Verb.FREE,
        Verb.EVICT,
        Verb.MARK,
        Verb.PAUSE,
        Verb.UNPAUSE,
        Verb.REVISION,
    }
)


class Fault(StrEnum):
    """How a request fails.

    DROPPED is carried out, and the client sees Unavailable; all others are not carried out.
    """

    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"
    TOO_MANY = "too many requests"
    SERVER_ERROR = "server error"
    DROPPED = "dropped response"


class Request(NamedTuple):
    """One request, as faults and hooks see it: `name` is the pod's or the set's."""

    verb: Verb
    name: str


class Crash(BaseException):
    """kill -9 of the operator at this point; no handler of the operator may swallow it."""


Choose = Callable[[Request], Fault | None]


class Faults:
    """The faults of one client.

    Attributes:
        choose: asked for each request that has no scripted fault; for random faults.
        retry_after: seconds that a 429 tells.
    """

    def __init__(self, choose: Choose = lambda _: None, *, retry_after: float = 1.0) -> None:
        self.choose = choose
        self.retry_after = retry_after
        self._scripted: dict[Verb, deque[Fault]] = {}

    def script(self, verb: Verb, *faults: Fault) -> None:
        """Let the next requests of this verb fail so, one after the other."""
        self._scripted.setdefault(verb, deque()).extend(faults)

    def take(self, request: Request) -> Fault | None:
        """The fault of this request."""
        waiting = self._scripted.get(request.verb)
        return waiting.popleft() if waiting else self.choose(request)


class Hooks:
    """Called around every request; the base does nothing."""

    async def before(self, request: Request) -> None:
        """Just before it is sent, and before its deadline is checked."""

    async def after(self, request: Request) -> None:
        """When it was carried out, before the client knows."""
