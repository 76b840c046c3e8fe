"""The prober's reports as the loop's evidence: whose pod it is, and in the operator's time.

Keeps which set asked for which pod, so that an outcome wakes the right one. Forms no verdict.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from scaleset_operator.adapters.prober.evidence import TargetEvidence, TargetSpec
from scaleset_operator.adapters.prober.link import ProberLink, ProberState
from scaleset_operator.adapters.prober.once import attempt_each
from scaleset_operator.adapters.prober.totals import Totals
from scaleset_operator.core.attempts import Attempted
from scaleset_operator.core.observed import Evidence, Neighbour, ProberView
from scaleset_operator.reconciler.ports import Key, ProbeKey, ProbeTarget, Wake, for_rotation


class Calendar(Protocol):
    """Turns CLOCK_BOOTTIME into the operator's time."""

    def at(self, boottime_ns: int) -> datetime:
        """Aware datetime of the steady clock at that moment."""
        ...


class ProberProbes:
    """The port `Probes`, over one prober process."""

    def __init__(self, calendar: Calendar, wake: Wake, *, frequent_restarts: bool = False) -> None:
        """Prepares it; nothing runs before `start`.

        Args:
            calendar: makes times of the prober's nanoseconds.
            wake: called with every set that a new outcome concerns.
            frequent_restarts: whether this operator began again too often to watch (rule 21).
        """
        self._calendar = calendar
        self._wake = wake
        self._frequent_restarts = frequent_restarts
        self._link = ProberLink(on_change=self._changed, on_state=self._wake_all)
        self._targets: dict[Key, Mapping[str, ProbeTarget]] = {}
        self._owners: dict[str, Key] = {}
        self._read: dict[str, tuple[int, int, Evidence]] = {}

    def start(self, references: Sequence[tuple[str, int]]) -> None:
        """Starts the prober.

        Args:
            references: (address, port) pairs that tell blindness from silence (rule 18).
        """
        self._link.set_references(references)
        self._link.start()

    async def close(self) -> None:
        """Ends the prober."""
        await self._link.close()

    def beating(self) -> bool:
        """Whether the prober's heart beats."""
        return self._link.state().beating_since is not None

    def state(self) -> ProberState:
        """The prober as it is now; may be asked from any thread."""
        return self._link.state()

    @property
    def totals(self) -> Totals:
        """What it has counted."""
        return self._link.totals

    def silent_for(self) -> float | None:
        """Seconds since the prober's last heartbeat, or since `start`; None before it."""
        return self._link.silent_for()

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """See the port."""
        before = self._targets.get(owner, {})
        for watch in before.keys() - targets.keys():
            if self._owners.get(watch) == owner:
                self._forget(watch)
        for watch, target in targets.items():
            self._owners[watch] = owner
            if before.get(watch) != target:
                self._link.set_target(watch, _spec(watch, target))
        if targets:
            self._targets[owner] = targets
        else:
            self._targets.pop(owner, None)

    def evidence(self, watch: str) -> Evidence | None:
        """See the port."""
        found = self._link.evidence(watch)
        if found is None:
            return None
        known = self._read.get(watch)
        if known is not None and known[:2] == (found.watched_since, found.sequence):
            return known[2]
        evidence = self._translate(found)
        self._read[watch] = (found.watched_since, found.sequence, evidence)
        return evidence

    def target(self, watch: str) -> ProbeTarget | None:
        """What is watched under this name."""
        owner = self._owners.get(watch)
        return None if owner is None else self._targets.get(owner, {}).get(watch)

    def last_success(self, watch: str, ip: str, key: ProbeKey) -> int | None:
        """When a watch last succeeded at this address and under these rules, by CLOCK_BOOTTIME.

        May be asked from any thread.
        """
        found = self._link.evidence(watch)
        if found is None or (found.ip, found.probe_key) != (ip, key):
            return None
        return found.last_success

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """See the port."""
        found = self._link.evidence(pod_uid) or self._link.evidence(for_rotation(pod_uid))
        if found is None:
            return None
        ended = self._moment(found.last_ended)
        return Neighbour(
            uid=pod_uid,
            silent=found.silent,
            last_ended=ended,
            watched_since=self._calendar.at(found.watched_since) if ended is None else None,
        )

    def view(self) -> ProberView:
        """See the port."""
        state = self._link.state()
        return ProberView(
            beating_since=self._moment(state.beating_since),
            sees=state.sees,
            frequent_restarts=self._frequent_restarts,
        )

    def _forget(self, watch: str) -> None:
        self._link.drop_target(watch)
        self._owners.pop(watch, None)
        self._read.pop(watch, None)

    def _changed(self, target: Hashable) -> None:
        owner = self._owners.get(str(target))
        if owner is not None:
            self._wake(owner)

    def _wake_all(self) -> None:
        for owner in self._targets:
            self._wake(owner)

    def _moment(self, boottime_ns: int | None) -> datetime | None:
        return None if boottime_ns is None else self._calendar.at(boottime_ns)

    def _translate(self, found: TargetEvidence) -> Evidence:
        return Evidence(
            watched_since=self._calendar.at(found.watched_since),
            last_ended=self._moment(found.last_ended),
            last_begun=self._moment(found.last_begun),
            outcome=found.outcome,
            http_status=found.status,
            last_success=self._moment(found.last_success),
            answering_since=self._moment(found.answering_since),
            failing_since=self._moment(found.failing_since),
            silent_since=self._moment(found.silent_since),
        )


def attempted(targets: Sequence[ProbeTarget]) -> tuple[Attempted, ...]:
    """Attempt each target once, from here; blocks until the last has ended.

    Raises:
        ValueError: an address that is none.
    """
    return attempt_each([_spec(target.pod_uid, target) for target in targets])


def _spec(watch: str, target: ProbeTarget) -> TargetSpec:
    """The two watches of one pod have places of their own on the interval."""
    return TargetSpec(
        pod_uid=watch,
        ip=target.ip,
        probe_key=target.key,
        protocol=target.spec.protocol,
        port=target.key.port,
        path=target.spec.path or "",
        interval=float(target.spec.interval_in_seconds),
        timeout=float(target.spec.timeout_in_seconds),
    )
