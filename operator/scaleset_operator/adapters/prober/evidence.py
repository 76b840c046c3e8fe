"""What the prober has reported of each target: the operator's side of the evidence.

An outcome counts only for the very target it was found on: another pod, address, probe or prober
process makes a new epoch, and what an old one still says is dropped (P-25, P-30, P-31).
Times are CLOCK_BOOTTIME in nanoseconds. Must not know sockets or processes, nor form a verdict.
"""

import string
import zlib
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

from scaleset_operator.adapters.prober.wire import (
    RECORD,
    Code,
    OutcomeRecord,
    ProbeProtocol,
    SetTarget,
)
from scaleset_operator.api.healthprobe import Protocol
from scaleset_operator.core.observed import Outcome

NS: Final = 1_000_000_000

OUTCOME_OF: Final = {
    int(Code.OK): Outcome.OK,
    int(Code.WRONG_STATUS): Outcome.WRONG_STATUS,
    int(Code.MALFORMED): Outcome.MALFORMED,
    int(Code.REFUSED): Outcome.REFUSED,
    int(Code.TIMED_OUT): Outcome.TIMED_OUT,
    int(Code.UNREACHABLE): Outcome.UNREACHABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """What to probe, and under which rules. Two that differ in anything are two epochs (P-25).

    Attributes:
        pod_uid: of the pod, or what tells its second watch from the first: places the target on
            its interval, the same after every restart (P-27).
        ip: an address literal, v4 or v6.
        probe_key: any hashable that changes with the probe's rules: (UID, generation, port).
        path: absolute, for http; empty for tcp.
        interval: seconds between attempts, above 0; fractions are allowed.
        timeout: seconds; an attempt fails after min(interval, timeout).

    Raises:
        ValueError: ip is no address, or a span is not above 0.
    """

    pod_uid: str
    ip: str
    probe_key: Hashable
    protocol: Protocol
    port: int
    path: str = ""
    interval: float
    timeout: float

    def __post_init__(self) -> None:
        """Refuses what the prober could not use: it never resolves a name."""
        ip_address(self.ip)
        if min(self.interval, self.timeout) <= 0:
            message = f"interval {self.interval} s and timeout {self.timeout} s must be above 0"
            raise ValueError(message)

    def command(self, number: int, epoch: int) -> SetTarget:
        """The frame that asks for it; the path's bytes outside printable ASCII are escaped."""
        return SetTarget(
            target=number,
            epoch=epoch,
            protocol=ProbeProtocol.HTTP if self.protocol is Protocol.HTTP else ProbeProtocol.TCP,
            ip=self.ip,
            port=self.port,
            path=quote(self.path, safe=string.punctuation),
            interval_ns=round(self.interval * NS),
            timeout_ns=round(self.timeout * NS),
            seed=zlib.crc32(self.pod_uid.encode()),
        )


@dataclass(slots=True, kw_only=True)
class TargetEvidence:
    """What is known of one target in its present epoch. Readers leave it unchanged.

    Attributes:
        ip: where it was found.
        probe_key: under which rules.
        watched_since: since when it has been watched in this epoch.
        last_begun: begin of the last attempt that ended; `last_ended` its end; None before the
            first.
        outcome: how that attempt ended; `status` what it answered with, 0 where nothing.
        last_success: end of the last success; `last_success_begun` its begin.
        answering_since: end of the first success of the current or last unbroken run of them.
        failing_since: end of the first failure after the last success; `failing_begun` its begin.
        failures: how many since the last success.
        silent_since: end of the first attempt of the current unbroken run of silent ones
            (protocol rule 15).
        sequence: of the last outcome taken; a step above 1 means that the prober let some go.
    """

    ip: str
    probe_key: Hashable
    watched_since: int
    last_begun: int | None = None
    last_ended: int | None = None
    outcome: Outcome | None = None
    status: int = 0
    last_success: int | None = None
    last_success_begun: int | None = None
    answering_since: int | None = None
    failing_since: int | None = None
    failing_begun: int | None = None
    failures: int = 0
    silent_since: int | None = None
    sequence: int = 0

    @property
    def silent(self) -> bool:
        """Whether the last attempt brought nothing back: no evidence by itself (rule 15)."""
        return self.silent_since is not None

    def take(self, record: OutcomeRecord) -> bool:
        """Adds an outcome of this epoch; tells whether it is the first or of another kind.

        Where the prober let outcomes go in between, an unbroken run is known only from here.
        """
        outcome = OUTCOME_OF[record.code]
        changed = outcome is not self.outcome
        unbroken = record.sequence == self.sequence + 1
        if outcome is Outcome.OK:
            self._succeed(record, unbroken=unbroken)
        else:
            self._fail(record, unbroken=unbroken and self.silent, silent=outcome.silent)
        self.outcome = outcome
        self.status = record.status
        self.last_begun = record.begun
        self.last_ended = record.ended
        self.sequence = record.sequence
        return changed

    def _succeed(self, record: OutcomeRecord, *, unbroken: bool) -> None:
        if not (unbroken and self.outcome is Outcome.OK):
            self.answering_since = record.ended
        self.last_success = record.ended
        self.last_success_begun = record.begun
        self.failing_since = None
        self.failing_begun = None
        self.failures = 0
        self.silent_since = None

    def _fail(self, record: OutcomeRecord, *, unbroken: bool, silent: bool) -> None:
        if self.failing_since is None:
            self.failing_since = record.ended
            self.failing_begun = record.begun
        self.failures += 1
        if not silent:
            self.silent_since = None
        elif not unbroken:
            self.silent_since = record.ended


@dataclass(slots=True)
class _Entry:
    key: Hashable
    number: int
    epoch: int
    spec: TargetSpec
    evidence: TargetEvidence


class EvidenceTable:
    """The targets by the caller's key, with what is known of each.

    A target's number is never used again, so an outcome of a dropped one finds nobody; its epoch
    grows with each change, so an outcome of older rules finds a stranger.
    """

    def __init__(self) -> None:
        self._by_key: dict[Hashable, _Entry] = {}
        self._by_number: dict[int, _Entry] = {}
        self._last_number = 0
        self._last_epoch = 0

    def __len__(self) -> int:
        """How many targets there are."""
        return len(self._by_key)

    def get(self, key: Hashable) -> TargetEvidence | None:
        """What is known of a target; None when it is not watched."""
        entry = self._by_key.get(key)
        return None if entry is None else entry.evidence

    def set(self, key: Hashable, spec: TargetSpec, now_ns: int) -> SetTarget | None:
        """Adds or changes a target; returns what to tell the prober, None when nothing changed."""
        entry = self._by_key.get(key)
        if entry is not None and entry.spec == spec:
            return None
        self._last_epoch += 1
        evidence = TargetEvidence(ip=spec.ip, probe_key=spec.probe_key, watched_since=now_ns)
        if entry is None:
            self._last_number += 1
            entry = _Entry(key, self._last_number, self._last_epoch, spec, evidence)
            self._by_key[key] = self._by_number[entry.number] = entry
        else:
            entry.epoch, entry.spec, entry.evidence = self._last_epoch, spec, evidence
        return spec.command(entry.number, entry.epoch)

    def drop(self, key: Hashable) -> int | None:
        """Forgets a target; returns its number, None when it was not watched."""
        entry = self._by_key.pop(key, None)
        if entry is None:
            return None
        del self._by_number[entry.number]
        return entry.number

    def renew(self, now_ns: int) -> Iterator[SetTarget]:
        """Begins a new epoch of every target, for a new prober process (protocol rule 21).

        Yields:
            What to tell it, one by one.
        """
        self._last_epoch += 1
        for entry in self._by_key.values():
            spec = entry.spec
            entry.epoch = self._last_epoch
            entry.evidence = TargetEvidence(
                ip=spec.ip, probe_key=spec.probe_key, watched_since=now_ns
            )
            yield spec.command(entry.number, entry.epoch)

    def take(self, body: bytes) -> list[Hashable]:
        """Adds a batch of outcomes; returns the keys whose kind of outcome is new."""
        return [entry.key for entry in self._changed(RECORD.iter_unpack(body))]

    def _changed(self, records: Iterable[tuple[int, ...]]) -> Iterator[_Entry]:
        by_number = self._by_number
        for fields in records:
            record = OutcomeRecord._make(fields)
            entry = by_number.get(record.target)
            if entry is None or entry.epoch != record.epoch:
                continue
            if entry.evidence.take(record):
                yield entry
