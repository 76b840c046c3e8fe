"""The port `Probes` over virtual time: a prober's attempts, made up exactly and without a socket.

Attempts begin each interval on a phase of their own and end at once or after min(interval,
timeout). The prober may be blind, frozen or restarted. Nothing here sleeps or judges.
It must not know a verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final
from zlib import crc32

from scaleset_operator.core.observed import Evidence, Neighbour, Outcome, ProberView
from scaleset_operator.reconciler.ports import Key, ProbeTarget, for_rotation
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.endpoints import HANG, Answer, FakeEndpoints

LATENCY: Final = timedelta(milliseconds=2)
"""How long an attempt takes that is answered or refused."""
HEART: Final = timedelta(seconds=2)
"""A heart silent for longer has stopped (design.md section 2)."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The intervals of all targets are laid from here."""
FIRST_WITHIN: Final = timedelta(seconds=1)
"""A new target is asked for the first time within so long, or within its interval."""


class Blindness(Enum):
    """What the prober cannot reach."""

    NONE = auto()
    PODS = auto()
    """The path to the pods is cut; the reference targets still answer."""
    ALL = auto()
    """Its own network is gone, the reference targets with it."""


@dataclass(slots=True)
class Watched:
    """One target: its evidence, the attempt in the air, and when the next begins."""

    target: ProbeTarget
    evidence: Evidence
    next_begin: datetime
    answer: Answer
    in_air: tuple[datetime, datetime, Answer] | None = None

    @property
    def interval(self) -> timedelta:
        """From one begin to the next."""
        return timedelta(seconds=self.target.spec.interval_in_seconds)

    @property
    def patience(self) -> timedelta:
        """After so long one attempt fails: the smaller of interval and timeout."""
        return min(self.interval, timedelta(seconds=self.target.spec.timeout_in_seconds))

    def phase(self) -> timedelta:
        """Where in the interval this target's attempts begin; by its UID (P-27)."""
        return self.interval * (crc32(self.target.pod_uid.encode()) % 1_000) / 1_000

    def on_grid(self, not_before: datetime) -> datetime:
        """The first begin of its phase that is not before a moment."""
        missing = (EPOCH + self.phase() - not_before) % self.interval
        return not_before + missing


class FakeProbes:
    """One operator's prober; a restarted operator has a new one, which knows nothing.

    Attributes:
        on_change: called with a pod's UID when its outcome differs from the one before.
        frequent_restarts: what `view` says of that.
        reference_lag: how long after its sight was lost or came back the reference targets say so.
    """

    def __init__(self, clock: VirtualClock, endpoints: FakeEndpoints) -> None:
        self.clock = clock
        self.endpoints = endpoints
        self.on_change: Callable[[str], None] = lambda _: None
        self.frequent_restarts = False
        self.reference_lag = timedelta(seconds=2)
        self._blindness = Blindness.NONE
        self._cut_nodes: set[str] = set()
        self._sees_from: tuple[datetime, bool] = (clock.now(), True)
        self._saw = True
        self._frozen_since: datetime | None = None
        self._beating_since = clock.now()
        self._wanted: dict[Key, frozenset[str]] = {}
        self._watched: dict[str, Watched] = {}
        endpoints.watch(self.sync)

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """See the port."""
        assert owner.name, "watch without an owner"
        self.sync()
        for watch, target in targets.items():
            names = (target.pod_uid, for_rotation(target.pod_uid))
            assert watch in names, f"{watch} names the target of {target.pod_uid}"
            assert target.ip, f"{watch} has no address yet: nothing to probe"
            assert target.key.port > 0, f"{watch} has no port"
            known = self._watched.get(watch)
            if known is None or (known.target.ip, known.target.key) != (target.ip, target.key):
                self._watched[watch] = self._new(target)
        self._wanted[owner] = frozenset(targets)
        wanted = frozenset[str]().union(*self._wanted.values())
        for uid in self._watched.keys() - wanted:
            del self._watched[uid]

    def evidence(self, watch: str) -> Evidence | None:
        """See the port."""
        watched = self._watched.get(watch)
        if watched is None:
            return None
        self._catch_up(watched)
        return watched.evidence

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """See the port."""
        evidence = self.evidence(pod_uid) or self.evidence(for_rotation(pod_uid))
        if evidence is None:
            return None
        waiting = evidence.watched_since if evidence.last_ended is None else None
        return Neighbour(
            uid=pod_uid,
            silent=evidence.silent,
            last_ended=evidence.last_ended,
            watched_since=waiting,
        )

    def view(self) -> ProberView:
        """See the port."""
        now = self.clock.now()
        stopped = self._frozen_since is not None and now - self._frozen_since > HEART
        since, sees = self._sees_from
        return ProberView(
            beating_since=None if stopped else self._beating_since,
            sees=sees if now >= since else self._saw,
            frequent_restarts=self.frequent_restarts,
        )

    def blind(self, blindness: Blindness) -> None:
        """From now on the prober reaches so little."""
        self.sync()
        saw, sees = self.view().sees, blindness is not Blindness.ALL
        if sees is not self._sees_from[1]:
            self._saw = saw
            self._sees_from = (self.clock.now() + self.reference_lag, sees)
        self._blindness = blindness
        self._refresh()

    def cut_nodes(self, *names: str) -> None:
        """From now on these nodes' pods, and no others, are out of the prober's reach."""
        self.sync()
        self._cut_nodes = set(names)
        self._refresh()

    def freeze(self) -> None:
        """SIGSTOP of the prober: its heart stops, what is in the air never ends."""
        self.sync()
        self._frozen_since = self.clock.now()
        for watched in self._watched.values():
            watched.in_air = None

    def thaw(self) -> None:
        """The frozen prober goes on."""
        assert self._frozen_since is not None, "the prober was not frozen"
        now = self.clock.now()
        if now - self._frozen_since > HEART:
            self._beating_since = now
        self._frozen_since = None
        for watched in self._watched.values():
            watched.next_begin = watched.on_grid(now)
        self._refresh()

    def restart(self) -> None:
        """The prober died and another took over its targets: all evidence starts anew."""
        self._frozen_since = None
        self._beating_since = self.clock.now()
        self._watched = {uid: self._new(old.target) for uid, old in self._watched.items()}

    def next_end(self) -> datetime | None:
        """When the next attempt ends, if nothing changes before; None when nothing is watched."""
        if self._frozen_since is not None:
            return None
        self.sync()
        return min((self._end_of_next(watched) for watched in self._watched.values()), default=None)

    def next_change(self) -> datetime | None:
        """When an outcome of another kind is in, or sight or heart turns; None if nothing does."""
        now, moments = self.clock.now(), [self._sees_from[0]]
        if self._frozen_since is not None:
            moments.append(self._frozen_since + HEART + timedelta(microseconds=1))
        else:
            self.sync()
            moments += filter(None, map(self._next_news, self._watched.values()))
        return min((moment for moment in moments if moment > now), default=None)

    def sync(self) -> None:
        """Make up every attempt until now; then look at what answers from here on."""
        for watched in self._watched.values():
            self._catch_up(watched)
        self._refresh()

    def _new(self, target: ProbeTarget) -> Watched:
        now = self.clock.now()
        watched = Watched(
            target=target,
            evidence=Evidence(watched_since=now),
            next_begin=now,
            answer=self._answer(target),
        )
        spread = min(watched.interval, FIRST_WITHIN)
        watched.next_begin = now + watched.phase() * (spread / watched.interval)
        return watched

    def _answer(self, target: ProbeTarget) -> Answer:
        if self._blindness is not Blindness.NONE:
            return HANG
        holder = self.endpoints.holder(target.ip)
        if holder is not None and holder.node in self._cut_nodes:
            return HANG
        return self.endpoints.answer(target.ip, target.spec.path)

    def _refresh(self) -> None:
        for watched in self._watched.values():
            watched.answer = self._answer(watched.target)

    def _takes(self, watched: Watched) -> timedelta:
        return watched.patience if watched.answer.outcome is Outcome.TIMED_OUT else LATENCY

    def _end_of_next(self, watched: Watched) -> datetime:
        if watched.in_air is not None:
            return watched.in_air[1]
        return watched.next_begin + self._takes(watched)

    def _next_news(self, watched: Watched) -> datetime | None:
        """The end of the next attempt of another outcome than the last; None if none is due."""
        known = watched.evidence.outcome
        if watched.in_air is not None and watched.in_air[2].outcome is not known:
            return watched.in_air[1]
        if watched.answer.outcome is known:
            return None
        return watched.next_begin + self._takes(watched)

    def _catch_up(self, watched: Watched) -> None:
        """All attempts that ended by now; what answers has not changed since the last time."""
        if self._frozen_since is not None:
            return
        now, before = self.clock.now(), watched.evidence.outcome
        if watched.in_air is not None and watched.in_air[1] <= now:
            _finish(watched, *watched.in_air)
            watched.in_air = None
        if watched.in_air is None:
            self._make_up(watched, now)
        if watched.evidence.outcome is not before:
            self.on_change(watched.target.pod_uid)

    def _make_up(self, watched: Watched, now: datetime) -> None:
        """The first and the last of equal attempts say all that evidence keeps."""
        takes = self._takes(watched)
        if watched.next_begin + takes <= now:
            self._attempt(watched, watched.next_begin, takes)
            between = (now - takes - watched.next_begin) // watched.interval
            if between >= 0:
                self._attempt(watched, watched.next_begin + between * watched.interval, takes)
        if watched.next_begin < now:
            begin = watched.next_begin
            watched.in_air = (begin, begin + takes, watched.answer)
            watched.next_begin = watched.on_grid(max(begin + takes, begin + LATENCY))

    def _attempt(self, watched: Watched, begin: datetime, takes: timedelta) -> None:
        _finish(watched, begin, begin + takes, watched.answer)
        watched.next_begin = watched.on_grid(begin + takes)


def _finish(watched: Watched, begin: datetime, end: datetime, answer: Answer) -> None:
    """One attempt has ended: what that leaves in the evidence (see core.observed.Evidence)."""
    old, failed = watched.evidence, answer.outcome is not Outcome.OK
    silent = answer.outcome.silent
    watched.evidence = Evidence(
        watched_since=old.watched_since,
        last_ended=end,
        last_begun=begin,
        outcome=answer.outcome,
        http_status=answer.status,
        last_success=old.last_success if failed else end,
        answering_since=old.answering_since if failed or old.answers_ok else end,
        failing_since=(old.failing_since or end) if failed else None,
        silent_since=(old.silent_since if old.silent else end) if silent else None,
    )
