"""G3, G4 and G8: how fast an instance is replaced, and what that costs the API server.

When a verdict falls due is known from the recorder, when a DELETE was accepted from the audit log,
and when a pod was Ready from the harness's own watch.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench import plant as the_plant
from bench.audit import writes
from bench.machine import Reading, Window

if TYPE_CHECKING:
    import random

    from bench.api import PodWatch, SeenPod
    from bench.audit import Request
    from bench.goals import Findings
    from bench.plant import Plant
    from bench.sizes import Size

BATCH_SHARE = 0.05
"""Of a set, under repair at once: so many broken at once make one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What came of breaking some instances at once.

    Attributes:
        delays: from each verdict's due time to its DELETE accepted, in seconds.
        replaced: from each DELETE accepted to a replacement Ready, in seconds.
        requests: all of the operator's meanwhile.
    """

    delays: list[float]
    replaced: list[float]
    requests: list[Request]
    reading: Reading


async def break_some(
    plant: Plant, watch: PodWatch, count: int, chance: random.Random, size: Size
) -> Broken:
    """Break instances and wait until each is replaced and all are Ready.

    Raises:
        NotReachedError: that did not come to pass.
    """
    whole = watch.ready_count
    victims = chance.sample(sorted(watch.pods.values(), key=lambda pod: pod.name), count)
    known = len(watch.all)
    mark = plant.audit.mark()
    window = Window()
    plant.recorder.order("break", [pod.address for pod in victims])
    await watch.until(
        lambda: not any(v.uid in watch.pods for v in victims) and watch.ready_count == whole,
        f"{count} broken instances were replaced",
        size.patience,
    )
    reading = window.read()
    await asyncio.sleep(size.settle)
    requests = plant.audit.since(mark, the_plant.OPERATOR_USER)
    deleted = _accepted_deletes(requests)
    return Broken(
        delays=_delays(plant, victims, deleted),
        replaced=_replaced([deleted[v.name] for v in victims], newcomers(watch, known)),
        requests=requests,
        reading=reading,
    )


def newcomers(watch: PodWatch, known: int) -> list[SeenPod]:
    """Give the pods seen after the first `known`."""
    return list(itertools.islice(watch.all.values(), known, None))


def _accepted_deletes(requests: list[Request]) -> dict[str, float]:
    return {
        r.name: r.answered
        for r in requests
        if (r.verb, r.resource) == ("delete", "pods") and r.accepted
    }


def _delays(plant: Plant, victims: list[SeenPod], deleted: dict[str, float]) -> list[float]:
    """Give the time from due to deleted: due a timeout after the last success, once one failed."""
    times = plant.recorder.order("times", [v.address for v in victims])
    found = []
    for victim in victims:
        last_good, first_bad = times[victim.address]
        due = max(last_good + the_plant.PROBE_TIMEOUT, first_bad)
        found.append(deleted[victim.name] - due)
    return found


def _replaced(deleted: list[float], fresh: list[SeenPod]) -> list[float]:
    """Give the times from DELETE to Ready, first come, first served."""
    ready = sorted(pod.ready for pod in fresh if pod.ready is not None)
    return [end - begin for begin, end in zip(sorted(deleted), ready, strict=False)]


def percentile(values: list[float], share: float) -> float:
    """Give the smallest value that so great a share of all does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def note_delays(findings: Findings, broken: Broken, *, fleet: int) -> None:
    """Take one round of G3."""
    latencies = [r.answered - r.received for r in broken.requests if r.is_write]
    slowest = 1e3 * percentile(latencies, 0.99)
    for key, share in (("G3.p50", 0.5), ("G3.p99", 0.99)):
        value = 1e3 * percentile(broken.delays, share)
        findings.add(key, broken.reading, ours=value, peer=slowest)
    findings.note(
        "G3.p50",
        f"{len(broken.delays)} of {fleet} instances broken at once (500); due: "
        f"{the_plant.PROBE_TIMEOUT} s after the last good answer that the recorder gave",
    )
    print(
        f"G3 {fleet} instances: p50 {1e3 * median(broken.delays):.0f} ms, "
        f"p99 {1e3 * percentile(broken.delays, 0.99):.0f} ms, API write p99 {slowest:.1f} ms",
        flush=True,
    )


def note_writes(findings: Findings, broken: Broken) -> None:
    """Take one round of ours of G8; the broken ones made one batch."""
    count = len(broken.delays)
    found = writes(broken.requests)
    pods = _sum(found, "pods", "pods/status")
    status = _sum(found, "scalesets/status", "healthprobes/status")
    events = _sum(found, "events")
    findings.add("G8", broken.reading, ours=pods / count)
    findings.add("G8.status", broken.reading, ours=status)
    findings.add("G8.events", broken.reading, ours=events)
    if broken.replaced:
        findings.add("G4.repair", broken.reading, ours=1e3 * median(broken.replaced))
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(found.items()))
    findings.note("G8", f"one batch of {count}, until a while after the last was Ready: {kinds}")
    print(f"G8 {count} replaced: {kinds}", flush=True)


def _sum(found: dict[str, int], *resources: str) -> int:
    return sum(number for kind, number in found.items() if kind.split()[1] in resources)


async def delete_batch(
    plant: Plant, watch: PodWatch, findings: Findings, victims: list[SeenPod], size: Size
) -> None:
    """One round of the peer of G8: a client deletes as many pods of the ReplicaSet at once."""
    whole = watch.ready_count
    mark = plant.audit.mark()
    window = Window()
    await asyncio.gather(*(_delete(plant, watch, v) for v in victims))
    await watch.until(
        lambda: not any(v.uid in watch.pods for v in victims) and watch.ready_count == whole,
        "the ReplicaSet replaced its pods",
        size.patience,
    )
    reading = window.read()
    await asyncio.sleep(size.settle)
    found = writes(plant.audit.since(mark, the_plant.MANAGER_USER))
    made = _sum(found, "pods", "pods/status")
    # The client's DELETE counts here, as the operator's own does there.
    findings.add("G8", reading, peer=1 + made / len(victims))
    findings.add("G8.status", reading, peer=_sum(found, "replicasets/status"))


async def delete_some(
    plant: Plant, watch: PodWatch, count: int, chance: random.Random, patience: float
) -> tuple[list[float], Reading]:
    """Delete instances one after the other, as any client may, and time each replacement.

    Returns:
        Seconds from each DELETE accepted to a new pod Ready; and what the machine did meanwhile.
    """
    found = []
    window = Window()
    for _ in range(count):
        whole, known = watch.ready_count, len(watch.all)
        ready = sorted((p for p in watch.pods.values() if p.ready), key=lambda pod: pod.name)
        accepted = await _delete(plant, watch, chance.choice(ready))
        await watch.until(
            lambda known=known, whole=whole: (  # type: ignore[misc]
                watch.ready_count == whole and len(watch.all) > known
            ),
            "a deleted pod was replaced",
            patience,
        )
        moment = next(pod.ready for pod in newcomers(watch, known) if pod.ready)
        found.append(moment - accepted)
    return found, window.read()


async def _delete(plant: Plant, watch: PodWatch, pod: SeenPod) -> float:
    await plant.api.call("DELETE", f"{watch.path}/{pod.name}")
    return asyncio.get_running_loop().time()
