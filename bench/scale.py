"""G3, G5, G7, G9 and G10 on large sets: growth, rest, restart and repair at scale.

The ReplicaSet and ours take turns on one cluster, each alone on it while it is measured.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import fleet, machine, repairs
from bench import plant as the_plant
from bench.api import NotReachedError
from bench.audit import writes
from bench.machine import Window
from bench.plant import MANAGER, Plant
from bench.sizes import SEED

if TYPE_CHECKING:
    from bench.api import PodWatch
    from bench.goals import Findings
    from bench.sizes import Size

NUMBERS = frozenset({"G5", "G7", "G9", "G10"})
"""Of the goals taken here; G3 is where instances are broken for it (see `Size.broken`)."""

_REST_SECONDS = 3.0
"""Without a write of the operator's for so long, it has come to rest."""
_SHARE = 0.6
"""Of the budget; rounds of growth after the first begin within it."""
_LAST_SHARE = 0.85
"""The same for repairs, which come last."""

_READS = frozenset({"list", "get"})


async def measure(size: Size, findings: Findings, wanted: frozenset[str]) -> None:
    """Take the rounds of the wanted ones."""
    async with (
        Plant("bench-scale") as plant,
        plant.watch(the_plant.OURS) as ours,
        plant.watch(the_plant.PEER) as peer,
    ):
        scale = _Scale(plant, ours, peer, size, findings)
        plant.start_operator()
        await asyncio.sleep(size.settle)
        if wanted & {"G5", "G7", "G10"}:
            await scale.growth(wanted)
        if "G9" in wanted or scale.repairs(wanted):
            await scale.rest_and_repair(wanted)


@dataclass(frozen=True, slots=True)
class _Scale:
    plant: Plant
    ours: PodWatch
    peer: PodWatch
    size: Size
    findings: Findings

    async def growth(self, wanted: frozenset[str]) -> None:
        """G5, and what is known of the grown sets: G7 and G10."""
        for number in range(self.size.scale_rounds):
            last = number == self.size.scale_rounds - 1 or self.findings.past(_SHARE)
            for watch in (self.peer, self.ours):
                await self._grow(watch)
                if last and "G7" in wanted:
                    self._memory(watch)
                if last and "G10" in wanted:
                    await self._restart(watch)
                if not last or watch is self.peer:
                    await self._clear(watch)
            if last:
                break

    async def _grow(self, watch: PodWatch) -> None:
        """One side's round of G5."""
        count, ours = self.size.large, watch is self.ours
        pid = self.plant.operator.pid if ours else self.plant.manager_pid()
        window = Window(controller=pid)
        begun = time.monotonic()
        await self.plant.create_set(watch.namespace, count)
        ready = await watch.until(
            lambda: watch.ready_count == count,
            f"{count} pods of {watch.namespace} were Ready",
            self.size.patience,
        )
        reading = window.read()
        seconds, cpu = ready - begun, 1e3 * reading.cpu["controller"] / count
        if ours:
            self.findings.add("G5", reading, ours=seconds)
            self.findings.add("G5.cpu", reading, ours=cpu)
        else:
            self.findings.add("G5", reading, peer=seconds)
            self.findings.add("G5.cpu", reading, peer=cpu)
        print(f"G5 {watch.namespace:5} {count} in {seconds:.1f} s, {cpu:.2f} ms a pod", flush=True)
        self.findings.note(
            "G5",
            f"0 to {count}; the ReplicaSet's client is let at 1,000 requests/s, burst 2,000, ours "
            "bounds itself at 64 at once; ours needs a first probe for Ready; pods name their node",
        )
        prober = 1e3 * (reading.tree_cpu["controller"] - reading.cpu["controller"]) / count
        if ours:
            self.findings.note("G5.cpu", f"prober apart, which took {prober:.2f} ms a pod more")

    def _memory(self, watch: PodWatch) -> None:
        mebi = 1024 * 1024
        if watch is self.ours:
            ours = self.plant.operator.memory_bytes() / mebi
            self.findings.add("G7.all", machine.UNDISTURBED, ours=ours)
        else:
            peer = machine.memory_bytes([self.plant.manager_pid()]) / mebi
            self.findings.add("G7.all", machine.UNDISTURBED, peer=peer)
        self.findings.note("G7.all", f"at {self.size.large} instances, right after the growth")

    async def _restart(self, watch: PodWatch) -> None:
        """G10: a pod is missing when the controller starts."""
        window = Window()
        if watch is self.ours:
            seconds = await fleet.restart_operator(self.plant, watch, self.size.patience)
            self.findings.add("G10", window.read(), ours=seconds)
        else:
            seconds = await self._restart_manager(watch)
            self.findings.add("G10", window.read(), peer=seconds)
        print(f"G10 {watch.namespace:5} {self.size.large} pods: {seconds:.2f} s", flush=True)
        self.findings.note(
            "G10", f"{self.size.large} pods, one of them missing: from the start to its CREATE"
        )

    async def _restart_manager(self, watch: PodWatch) -> float:
        self.plant.cluster.stop_component(MANAGER)
        victim = next(iter(watch.pods.values()))
        await self.plant.api.call("DELETE", f"{watch.path}/{victim.name}")
        patience = self.size.patience
        await watch.until(lambda: victim.uid not in watch.pods, "a deleted pod was gone", patience)
        known, begun = len(watch.all), time.monotonic()
        self.plant.cluster.start_component(MANAGER)
        await watch.until(lambda: len(watch.all) > known, "a missing pod was made", patience)
        return repairs.newcomers(watch, known)[0].added - begun

    async def _clear(self, watch: PodWatch) -> None:
        await self.plant.delete_set(watch.namespace)
        await watch.until(
            lambda: not watch.pods, f"the pods of {watch.namespace} were gone", self.size.patience
        )

    def repairs(self, wanted: frozenset[str]) -> bool:
        """Tell whether G3 is taken here."""
        return "G3" in wanted and self.size.broken > 0

    async def rest_and_repair(self, wanted: frozenset[str]) -> None:
        """G9 and G3, on as many instances as there should be."""
        if self.ours.pods:
            await self.plant.scale_set(the_plant.OURS, self.size.largest)
        else:
            await self.plant.create_set(the_plant.OURS, self.size.largest)
        await self.ours.until(
            lambda: self.ours.ready_count == self.size.largest,
            f"{self.size.largest} instances were Ready",
            2 * self.size.patience,
        )
        await self._come_to_rest()
        if "G9" in wanted:
            await self._steady()
        chance = random.Random(SEED)  # noqa: S311 - no secret
        for number in range(min(2, self.size.rounds) if self.repairs(wanted) else 0):
            if number and self.findings.past(_LAST_SHARE):
                break
            broken = await repairs.break_some(
                self.plant, self.ours, self.size.broken, chance, self.size
            )
            repairs.note_delays(self.findings, broken, fleet=self.size.largest)

    async def _come_to_rest(self) -> None:
        deadline = time.monotonic() + self.size.patience
        while time.monotonic() < deadline:
            mark = self.plant.audit.mark()
            await asyncio.sleep(_REST_SECONDS)
            if not writes(self.plant.audit.since(mark, the_plant.OPERATOR_USER)):
                return
        message = f"the operator went on writing for {self.size.patience:.0f} s"
        raise NotReachedError(message)

    async def _steady(self) -> None:
        """G9: what happens while nothing happens."""
        mark = self.plant.audit.mark()
        window = Window(ours=self.plant.operator.pid, peer=self.plant.manager_pid())
        await asyncio.sleep(self.size.steady)
        reading = window.read()
        requests = self.plant.audit.since(mark, the_plant.OPERATOR_USER)
        found = [r for r in requests if r.is_write or r.verb in _READS]
        theirs = writes(self.plant.audit.since(mark, the_plant.MANAGER_USER))
        self.findings.add("G9", reading, ours=len(found), peer=theirs.total())
        share = {name: 100 * cpu / reading.seconds for name, cpu in reading.cpu.items()}
        self.findings.add("G9.cpu", reading, ours=share["ours"], peer=share["peer"])
        kinds = ", ".join(f"{r.verb} {r.resource}" for r in found) or "none"
        self.findings.note(
            "G9",
            f"{self.size.largest} instances probed every {the_plant.PROBE_INTERVAL} s, watched for "
            f"{self.size.steady:g} s where the goal says 10 minutes: {kinds}; the manager's reads "
            "are not in the log",
        )
        prober = 100 * reading.tree_cpu["ours"] / reading.seconds - share["ours"]
        self.findings.note(
            "G9.cpu",
            f"taking in the outcomes of {self.size.largest / the_plant.PROBE_INTERVAL:g} probes/s "
            f"is part of it; the prober took {prober:.1f} % of a core more",
        )
        print(f"G9 {len(found)} requests, {share['ours']:.2f} % of a core", flush=True)
