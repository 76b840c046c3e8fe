"""The loop of the prober: begins attempts when due, ends them, and knows when it is itself late.

One thread, one epoll, no coroutine: at ten thousand targets the loop is the cost. It hands each
outcome to `report` and forms no verdict. Must not know the link to the operator.
"""

import select
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from scaleset_operator.adapters.prober.attempt import Attempt, Target
from scaleset_operator.adapters.prober.schedule import NEWCOMER_GAP_NS, Wheel, first_due, next_due
from scaleset_operator.adapters.prober.wire import Code

STALL_NS: Final = 1_000_000_000
"""A loop later than this has itself to blame: what was in the air is void."""

STARTS_PER_TURN: Final = 256
"""Attempts begun before the loop looks at its sockets again, so that a burst is no stall."""

_EVENTS_PER_TURN: Final = 512

Report = Callable[[Attempt, Code, int], None]
"""Called with (attempt, code, ended in ns) for each outcome that counts."""


boottime_ns: Final = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""The clock of all evidence: it goes on while a process is stopped or a machine sleeps."""


class Counters:
    """What the heartbeat tells of the loop; its maker sets `lag_ns` and `stall_ns` back to 0."""

    __slots__ = ("ended", "lag_ns", "stall_ns", "started", "voided")

    def __init__(self) -> None:
        self.started = 0
        self.ended = 0
        self.voided = 0
        self.lag_ns = 0
        self.stall_ns = 0


class Engine:
    """Targets, what is due, what is in the air. Drive it by calling `turn` again and again.

    Args:
        report: is given each outcome.
        at_most: attempts in the air at once; the rest wait their turn, which shows as lag.
        clock: nanoseconds.
    """

    def __init__(
        self, report: Report, *, at_most: int, clock: Callable[[], int] = boottime_ns
    ) -> None:
        self.counters = Counters()
        self._report = report
        self._at_most = at_most
        self._clock = clock
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._attempts: dict[int, Attempt] = {}
        self._starts: Wheel[Target] = Wheel()
        self._deadlines: Wheel[Attempt] = Wheel()
        self._waiting: deque[Target] = deque()
        self._polled_ns = clock()
        self._next_newcomer_ns = 0

    @property
    def in_the_air(self) -> int:
        """How many attempts have begun and not ended."""
        return len(self._attempts)

    def add(self, target: Target) -> None:
        """Probes a target from now on: a lone one at once, many one shortly after the other."""
        due_ns = max(self._clock(), self._next_newcomer_ns)
        self._next_newcomer_ns = due_ns + NEWCOMER_GAP_NS
        self._file(target, due_ns)

    def drop(self, target: Target) -> None:
        """Forgets a target; an attempt in the air ends unseen."""
        target.dropped = True
        if target.attempt is not None:
            self._let_go(target.attempt)

    def watch(self, fd: int, handler: Callable[[int], None]) -> None:
        """Calls a handler with the events of a descriptor that becomes readable."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def want_write(self, fd: int, *, wanted: bool) -> None:
        """Also calls the handler of a watched descriptor once it can be written to."""
        self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Ends what `watch` began."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def turn(self, until_ns: int) -> None:
        """Waits for something to do, until a time at most, and does it.

        Order matters: a descriptor closed while events are dealt with must not be opened again
        before all of them are, so attempts begin last.
        """
        events = self._wait(until_ns)
        attempts, handlers = self._attempts, self._handlers
        for fd, mask in events:
            attempt = attempts.get(fd)
            if attempt is not None:
                self._advance(attempt, mask)
            elif fd in handlers:
                handlers[fd](mask)
        self._expire()
        self._begin_due()

    def close(self) -> None:
        """Lets go of every attempt, and of the epoll."""
        for attempt in list(self._attempts.values()):
            self._let_go(attempt)
        self._epoll.close()

    def _wait(self, until_ns: int) -> list[tuple[int, int]]:
        """Polls; voids what was in the air if the loop came back much later than it meant to."""
        wake_ns = until_ns
        for due_ns in (self._starts.next_ns(), self._deadlines.next_ns()):
            if due_ns is not None and due_ns < wake_ns:
                wake_ns = due_ns
        before_ns = self._clock()
        sleep_ns = max(0, wake_ns - before_ns)
        if self._waiting and len(self._attempts) < self._at_most:
            sleep_ns = 0
        events = self._epoll.poll(sleep_ns / 1e9, _EVENTS_PER_TURN)
        now_ns = self._clock()
        late_ns = now_ns - self._polled_ns - sleep_ns
        self._polled_ns = now_ns
        self.counters.stall_ns = max(self.counters.stall_ns, late_ns)
        if late_ns > STALL_NS:
            self._void_all(now_ns)
        return events

    def _void_all(self, now_ns: int) -> None:
        """Ends what was in the air without an outcome: what is late is this process."""
        for attempt in list(self._attempts.values()):
            self._let_go(attempt)
            self.counters.voided += 1
            target = attempt.target
            self._file(target, first_due(now_ns, target.interval_ns, target.seed))

    def _begin_due(self) -> None:
        """Begins what is due, as far as there is room."""
        now_ns = self._clock()
        waiting = self._waiting
        waiting.extend(self._starts.due(now_ns))
        room = min(STARTS_PER_TURN, self._at_most - len(self._attempts))
        while waiting and room > 0:
            target = waiting.popleft()
            if not target.dropped:
                room -= 1
                self._begin(target)
        if waiting:
            self._note_lag(now_ns - waiting[0].due_ns)

    def _begin(self, target: Target) -> None:
        now_ns = self._clock()
        self._note_lag(now_ns - target.due_ns)
        self.counters.started += 1
        target.due_ns = next_due(now_ns, target.interval_ns, target.seed)
        attempt = Attempt(target, now_ns)
        target.attempt = attempt
        code = attempt.open(self._epoll)
        if code is not None:
            self._end(attempt, code)
            return
        self._attempts[attempt.fd] = attempt
        self._deadlines.add(attempt.deadline_ns, attempt)

    def _note_lag(self, lag_ns: int) -> None:
        self.counters.lag_ns = max(self.counters.lag_ns, lag_ns)

    def _advance(self, attempt: Attempt, mask: int) -> None:
        code = attempt.advance(mask)
        if code is not None:
            self._end(attempt, code)

    def _expire(self) -> None:
        """Ends the attempts whose time is up; one that has ended already is just forgotten."""
        for attempt in self._deadlines.due(self._clock()):
            if attempt.target.attempt is attempt:
                self._end(attempt, Code.TIMED_OUT)

    def _end(self, attempt: Attempt, code: Code) -> None:
        """Closes an attempt, reports it, and files the next one (P-16: always)."""
        now_ns = self._clock()
        self._let_go(attempt)
        target = attempt.target
        if code is Code.VOIDED:
            self.counters.voided += 1
        else:
            self._report_outcome(attempt, code, now_ns)
        self._file(target, max(target.due_ns, now_ns))

    def _report_outcome(self, attempt: Attempt, code: Code, now_ns: int) -> None:
        """Reports; an answer that came after the attempt's time is a time-out (P-31)."""
        if now_ns > attempt.deadline_ns:
            code = Code.TIMED_OUT
            attempt.status = 0
        attempt.target.sequence += 1
        self._report(attempt, code, now_ns)
        attempt.target.last_code = code

    def _let_go(self, attempt: Attempt) -> None:
        self.counters.ended += 1
        self._attempts.pop(attempt.fd, None)
        attempt.close()
        attempt.target.attempt = None

    def _file(self, target: Target, due_ns: int) -> None:
        target.due_ns = due_ns
        self._starts.add(due_ns, target)
