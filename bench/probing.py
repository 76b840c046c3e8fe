"""G1 and G2: what probing costs, and how many instances one core can probe in time.

Probes are counted by the responder that answers them, CPU by the kernel.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import probers
from bench.machine import Reading, Window

if TYPE_CHECKING:
    from bench.goals import Findings
    from bench.sizes import Size
    from localcluster.responder.client import Responder

_START_SECONDS = 1.5
"""For an interpreter to import what it needs and to file its targets."""
_SHORTEST_SECONDS = 2.0
_SHARE = 0.25
"""Of the budget; G1's rounds after the first stay within it."""
_PER_LATE = 2.04
"""Intervals, with the jitter: who is not probed once in so many is late by one or more."""


def measure(size: Size, findings: Findings, wanted: frozenset[str]) -> None:
    """Take the rounds of the wanted ones among G1 and G2."""
    probers.allow_many_files()
    probers.go_prober()
    with probers.responder() as responder:
        if "G1" in wanted:
            for number in range(size.rounds):
                if number and findings.past(_SHARE * (number + 1) / size.rounds):
                    break
                _compare(size, findings, responder, number)
        if "G2" in wanted:
            _crowd(size, findings, responder)


def _compare(size: Size, findings: Findings, responder: Responder, number: int) -> None:
    """One round of G1: each prober in its turn, over the same addresses at the same pace."""
    costs: dict[str, tuple[float, Reading]] = {}
    for kind in (probers.OURS, probers.GO, probers.AIOHTTP):
        command = probers.prober(
            kind, count=size.targets, port=responder.port, interval=size.interval
        )
        with probers.running(command) as process:
            time.sleep(_START_SECONDS + size.interval)
            probes, reading = _watch(responder, process.pid, max(size.interval, _SHORTEST_SECONDS))
        costs[kind] = (reading.tree_cpu["prober"] / max(1, probes) * 1e6, reading)
        print(
            f"G1 round {number + 1}/{size.rounds} {kind:8} {costs[kind][0]:6.1f} us a probe, "
            f"{probes / reading.seconds:.0f} probes/s",
            flush=True,
        )
    for key, kind in (("G1", probers.GO), ("G1.aiohttp", probers.AIOHTTP)):
        findings.add(key, costs[probers.OURS][1], ours=costs[probers.OURS][0])
        findings.add(key, costs[kind][1], peer=costs[kind][0])
    findings.note(
        "G1",
        f"{size.targets} targets every {size.interval:g} s, all answering; ours is the prober "
        "process and the operator's side of its link, which takes in every outcome",
    )


def _watch(responder: Responder, pid: int, seconds: float) -> tuple[int, Reading]:
    """Count the probes answered and the CPU used over a span."""
    responder.reset_hits()
    window = Window(prober=pid)
    time.sleep(seconds)
    reading = window.read()
    return sum(hits.requests for hits in responder.hits().values()), reading


def _crowd(size: Size, findings: Findings, responder: Responder) -> None:
    """G2: as many as there should be, watched for the share of a core and for late ones."""
    for kind in (probers.OURS, probers.GO):
        command = probers.prober(
            kind, count=size.crowd, port=responder.port, interval=size.interval
        )
        with probers.running(command) as process:
            time.sleep(_START_SECONDS + 1.5 * size.interval)
            for _ in range(size.crowd_rounds):
                _, reading = _watch(responder, process.pid, _PER_LATE * size.interval)
                late = size.crowd - len(responder.hits())
                share = 100 * reading.tree_cpu["prober"] / reading.seconds
                print(f"G2 {kind:8} {share:5.1f} % of a core, {late} late", flush=True)
                if kind == probers.OURS:
                    findings.add("G2", reading, ours=share)
                    findings.add("G2.late", reading, ours=late)
                else:
                    findings.add("G2", reading, peer=share)
                    findings.add("G2.late", reading, peer=late)
    findings.note(
        "G2",
        f"{size.crowd} targets every {size.interval:g} s; the target is for 50,000 every 5 s; "
        f"late: not asked once in {_PER_LATE} intervals, seen by the responder",
    )
