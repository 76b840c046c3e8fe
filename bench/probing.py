"""G1 and G2: what probing costs, and how many instances one core can probe in time.

Probes are counted by the responder that answers them, CPU by the kernel.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import probers
from bench.machine import Reading, Window

if TYPE_CHECKING:
    from bench.goals import Findings
    from bench.sizes import Size
    from localcluster.responder.client import Responder

_START_SECONDS = 1.5
"""For an interpreter to import what it needs and to file its targets."""
_SHARE = 0.25
"""Of the budget; G1's rounds after the first stay within it."""
_PER_LATE = 2.04
"""Intervals, with the jitter: who is not probed once in so many is late by one or more."""


def measure(size: Size, findings: Findings, wanted: frozenset[str]) -> None:
    """Take the rounds of the wanted ones among G1 and G2."""
    probers.allow_many_files()
    probers.go_prober()
    together = size.crowd == size.targets
    with probers.responder() as responder:
        for number in range(size.rounds if together or "G1" in wanted else 0):
            if number and findings.past(_SHARE * (number + 1) / size.rounds):
                break
            _compare(size, findings, responder, number)
        if "G2" in wanted and not together:
            _crowd(size, findings, responder)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one span showed of a prober."""

    probes: int
    late: int
    reading: Reading

    @property
    def cost(self) -> float:
        """CPU per probe, in microseconds."""
        return 1e6 * self.reading.tree_cpu["prober"] / max(1, self.probes)

    @property
    def share(self) -> float:
        """Of one core, in percent."""
        return 100 * self.reading.tree_cpu["prober"] / self.reading.seconds


def _watch(responder: Responder, pid: int, targets: int, seconds: float) -> _Seen:
    """Count the probes answered, who was not asked at all, and the CPU used over a span."""
    responder.reset_hits()
    window = Window(prober=pid)
    time.sleep(seconds)
    reading = window.read()
    hits = responder.hits()
    return _Seen(sum(one.requests for one in hits.values()), targets - len(hits), reading)


def _compare(size: Size, findings: Findings, responder: Responder, number: int) -> None:
    """One round of G1: each prober in its turn, over the same addresses at the same pace."""
    seen: dict[str, _Seen] = {}
    together = size.crowd == size.targets
    seconds = _PER_LATE * size.interval if together else size.interval
    for kind in (probers.OURS, probers.GO, probers.AIOHTTP):
        command = probers.prober(
            kind, count=size.targets, port=responder.port, interval=size.interval
        )
        with probers.running(command) as process:
            time.sleep(_START_SECONDS + size.interval)
            one = seen[kind] = _watch(responder, process.pid, size.targets, seconds)
        print(
            f"G1 round {number + 1}/{size.rounds} {kind:8} {one.cost:6.1f} us a probe, "
            f"{one.probes / one.reading.seconds:.0f} probes/s",
            flush=True,
        )
        if together and kind != probers.AIOHTTP:
            _note_crowd(findings, kind, one)
    for key, kind in (("G1", probers.GO), ("G1.aiohttp", probers.AIOHTTP)):
        findings.add(key, seen[probers.OURS].reading, ours=seen[probers.OURS].cost)
        findings.add(key, seen[kind].reading, peer=seen[kind].cost)
    findings.note(
        "G1",
        f"{size.targets} targets every {size.interval:g} s, all answering; ours is the prober "
        "process and the operator's side of its link, which takes in every outcome",
    )
    if together:
        _note_size(size, findings)


def _crowd(size: Size, findings: Findings, responder: Responder) -> None:
    """G2: as many as there should be, watched for the share of a core and for late ones."""
    for kind in (probers.OURS, probers.GO):
        command = probers.prober(
            kind, count=size.crowd, port=responder.port, interval=size.interval
        )
        with probers.running(command) as process:
            time.sleep(_START_SECONDS + 1.5 * size.interval)
            for _ in range(size.crowd_rounds):
                seconds = _PER_LATE * size.interval
                seen = _watch(responder, process.pid, size.crowd, seconds)
                _note_crowd(findings, kind, seen)
    _note_size(size, findings)


def _note_crowd(findings: Findings, kind: str, seen: _Seen) -> None:
    print(f"G2 {kind:8} {seen.share:5.1f} % of a core, {seen.late} late", flush=True)
    if kind == probers.OURS:
        findings.add("G2", seen.reading, ours=seen.share)
        findings.add("G2.late", seen.reading, ours=seen.late)
    else:
        findings.add("G2", seen.reading, peer=seen.share)
        findings.add("G2.late", seen.reading, peer=seen.late)


def _note_size(size: Size, findings: Findings) -> None:
    findings.note(
        "G2",
        f"{size.crowd} targets every {size.interval:g} s; the target is for 50,000 every 5 s; "
        f"late: not asked once in {_PER_LATE} intervals, seen by the responder",
    )
