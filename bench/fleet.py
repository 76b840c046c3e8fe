"""G4, G6, G7, G8 and kopf's part of G10, on sets of middle size.

Ours, the ReplicaSet and kopf's index stand on one cluster; what is compared sees the same events
or takes turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench import machine, repairs
from bench import plant as the_plant
from bench.machine import Window
from bench.plant import Plant
from bench.sizes import SEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.api import PodWatch
    from bench.goals import Findings
    from bench.sizes import Size

NUMBERS = frozenset({"G4", "G6", "G7", "G8", "G10"})
"""Of the goals taken here; G3 is where instances are broken for it (see `Size.broken`)."""

_SHARE = 0.45
"""Of the budget; rounds after the first begin within it."""

_FIRST_SHARE = 0.1
"""Of a fleet: what memory per instance is counted from, once all code has run."""


async def measure(size: Size, findings: Findings, wanted: frozenset[str]) -> None:
    """Take the rounds of the wanted ones."""
    async with (
        Plant("bench-fleet") as plant,
        plant.watch(the_plant.OURS) as ours,
        plant.watch(the_plant.PEER) as peer,
    ):
        fleet = _Fleet(plant, ours, peer, size, findings)
        await fleet.grow(wanted)
        if wanted & {"G3", "G4", "G8"}:
            await fleet.replace(wanted)
        if "G10" in wanted:
            await fleet.restart()


@contextlib.contextmanager
def kopf_index(plant: Plant) -> Iterator[subprocess.Popen[bytes]]:
    """Run kopf's index as the user `peer`."""
    program = Path(__file__).with_name("peers") / "kopf_index.py"
    with (plant.folder / "kopf.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, "KUBECONFIG": str(plant.cluster.user_kubeconfig("peer"))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@dataclass(frozen=True, slots=True)
class _Fleet:
    plant: Plant
    ours: PodWatch
    peer: PodWatch
    size: Size
    findings: Findings

    async def grow(self, wanted: frozenset[str]) -> None:
        """Bring the sets up, beside kopf's index where its figures are wanted (G6, G7)."""
        self.plant.start_operator()
        first = int(_FIRST_SHARE * self.size.fleet)
        if wanted & {"G6", "G7"}:
            with kopf_index(self.plant) as index:
                await self._bring_up(self.ours, first)
                await self._grow_beside(index.pid, first)
                for number in range(self.size.rounds if "G6" in wanted else 0):
                    await self._events(index.pid, number)
        else:
            await self._bring_up(self.ours, self.size.fleet)
        if self._breaks(wanted):
            await self._bring_up(self.peer, self.size.fleet)

    async def _bring_up(self, watch: PodWatch, count: int) -> None:
        await self.plant.create_set(watch.namespace, count)
        await self._all_ready(watch, count)

    async def _all_ready(self, watch: PodWatch, count: int) -> None:
        await watch.until(
            lambda: watch.ready_count == count,
            f"{count} pods of {watch.namespace} were Ready",
            self.size.patience,
        )
        await asyncio.sleep(self.size.settle)

    async def _grow_beside(self, index_pid: int, first: int) -> None:
        """G7: the same growth as our operator and kopf's index see it."""
        operator, count = self.plant.operator, self.size.fleet
        ours_before, peer_before = operator.memory_bytes(), machine.memory_bytes([index_pid])
        await self.plant.scale_set(the_plant.OURS, count)
        await self._all_ready(self.ours, count)
        kib = 1024 * (count - first)
        ours = (operator.memory_bytes() - ours_before) / kib
        peer = (machine.memory_bytes([index_pid]) - peer_before) / kib
        self.findings.add("G7", machine.UNDISTURBED, ours=ours, peer=peer)
        self.findings.note(
            "G7",
            f"growth of the resident memory from {first} to {count} instances, divided; what the "
            "growth itself left behind is in it, on both sides",
        )
        print(f"G7 {ours:.1f} KiB, kopf.index {peer:.1f} KiB an instance", flush=True)

    async def _events(self, index_pid: int, number: int) -> None:
        """One round of G6: both sides see the same changes, which mean nothing to either."""
        operator = self.plant.operator.pid
        pids = {"ours": operator, "peer": index_pid}
        paths = [f"{self.ours.path}/{pod.name}" for pod in self.ours.pods.values()]
        chosen = [paths[i % len(paths)] for i in range(self.size.events)]
        busy = Window(**pids)
        await self.plant.api.annotate(chosen, "bench/round", str(number))
        await asyncio.sleep(0.5)
        loud = busy.read()
        rest = Window(**pids)
        await asyncio.sleep(loud.seconds)
        quiet = rest.read()
        cost = {n: 1e6 * (loud.cpu[n] - quiet.cpu[n]) / len(chosen) for n in pids}
        self.findings.add("G6", loud, ours=cost["ours"], peer=cost["peer"])
        self.findings.note(
            "G6",
            f"{len(chosen)} annotation changes a round, seen by both at once; less the CPU of as "
            "long a span without; the prober is a process of its own and left out",
        )
        print(
            f"G6 round {number + 1}/{self.size.rounds} ours {cost['ours']:.0f} us, "
            f"kopf.index {cost['peer']:.0f} us an event",
            flush=True,
        )

    async def replace(self, wanted: frozenset[str]) -> None:
        """G4 and G8, in turns."""
        chance = random.Random(SEED)  # noqa: S311 - no secret
        for number in range(self.size.rounds):
            if number and self.findings.past(_SHARE):
                break
            if "G4" in wanted:
                await self._deletions(chance, number)
            if self._breaks(wanted) and number < 2:
                await self._batch(chance)

    def _breaks(self, wanted: frozenset[str]) -> bool:
        return bool(wanted & {"G4", "G8"}) or ("G3" in wanted and not self.size.broken)

    async def _deletions(self, chance: random.Random, number: int) -> None:
        for watch in (self.ours, self.peer):
            times, reading = await repairs.delete_some(
                self.plant, watch, self.size.deletions, chance, self.size.patience
            )
            value = 1e3 * median(times)
            if watch is self.ours:
                self.findings.add("G4", reading, ours=value)
            else:
                self.findings.add("G4", reading, peer=value)
                self.findings.add("G4.repair", reading, peer=value)
            print(
                f"G4 round {number + 1}/{self.size.rounds} {watch.namespace:5} p50 {value:.0f} ms, "
                f"max {1e3 * max(times):.0f} ms",
                flush=True,
            )
        self.findings.note(
            "G4",
            f"sets of {self.size.fleet}; ours is Ready only once its own gate is open, which takes "
            "a first probe answered well; a ReplicaSet's pod has no gate",
        )

    async def _batch(self, chance: random.Random) -> None:
        count = max(1, int(repairs.BATCH_SHARE * self.size.fleet))
        broken = await repairs.break_some(self.plant, self.ours, count, chance, self.size)
        repairs.note_writes(self.findings, broken)
        if not self.size.broken:
            repairs.note_delays(self.findings, broken, fleet=self.size.fleet)
        ready = sorted(self.peer.pods.values(), key=lambda pod: pod.name)
        victims = chance.sample(ready, count)
        await repairs.delete_batch(self.plant, self.peer, self.findings, victims, self.size)

    async def restart(self) -> None:
        """G10 beside kopf's index, which takes quadratic time and so only does for few pods."""
        for _ in range(min(2, self.size.rounds)):
            window = Window()
            seconds = await restart_operator(self.plant, self.ours, self.size.patience)
            self.findings.add("G10.kopf", window.read(), ours=seconds)
            window = Window()
            peer = await asyncio.to_thread(self._start_kopf)
            self.findings.add("G10.kopf", window.read(), peer=peer)
            print(f"G10 {self.size.fleet} pods: {seconds:.2f} s, kopf {peer:.2f} s", flush=True)
        self.findings.note(
            "G10.kopf",
            f"{self.size.fleet} pods; kopf's is the time to the first call of a handler beside "
            "its whole index, and grows with the square of the number",
        )

    def _start_kopf(self) -> float:
        begun = time.monotonic()
        with kopf_index(self.plant) as process:
            assert process.stdout is not None
            if not process.stdout.readline():
                message = f"kopf's index ended with {process.wait()}"
                raise RuntimeError(message)
            return time.monotonic() - begun


async def restart_operator(plant: Plant, watch: PodWatch, patience: float) -> float:
    """Let a pod go while no operator runs; give the time from its start to the right CREATE.

    Returns:
        Seconds from the start of the process to the new pod, as the watch shows it.
    """
    plant.stop_operator()
    victim = next(iter(watch.pods.values()))
    await plant.api.call("DELETE", f"{watch.path}/{victim.name}")
    await watch.until(lambda: victim.uid not in watch.pods, "a deleted pod was gone", patience)
    whole, known = watch.ready_count + 1, len(watch.all)
    operator = plant.start_operator()
    await watch.until(lambda: len(watch.all) > known, "a missing instance was made", patience)
    seconds = repairs.newcomers(watch, known)[0].added - operator.started
    await watch.until(lambda: watch.ready_count == whole, "the new instance was Ready", patience)
    return seconds
