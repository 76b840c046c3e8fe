"""The acts: what happens on the stage, in order, and what is said about it.

Each returns when what it shows has happened, and raises DemoError when it has not.
Must not know: how the parts are started and ended.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from demo import parts
from demo.breaking import Breakage
from demo.endpoints import HANGING, OPEN
from demo.narrating import Narrator
from demo.screen import Style
from demo.stage import SET
from demo.telling import names

if TYPE_CHECKING:
    from demo.stage import Stage

REPLICAS: Final = 40
GRACE_S: Final = 20.0
"""Both as in the sample."""
SILENCE_S: Final = 25.0
_START_WITHIN_S: Final = 60.0
_REPAIR_WITHIN_S: Final = 120.0
_SIGHT_WITHIN_S: Final = 60.0
_SAY_EVERY_S: Final = 1.0


def create(stage: Stage) -> None:
    """Apply the sample and watch the set come up."""
    stage.screen.note(f"{parts.SAMPLE.relative_to(parts.ROOT)}, {stage.venue.fitted}:")
    for text in parts.apply(stage.cluster, stage.venue.sample).splitlines():
        stage.screen.line(text)
    said = [-_SAY_EVERY_S]

    def narrate() -> None:
        now = stage.screen.elapsed
        if now - said[0] >= _SAY_EVERY_S:
            said[0] = now
            count = {k: stage.status.get(f"{k}Replicas", 0) for k in ("ready", "healthy")}
            there = stage.status.get("replicas", 0)
            stage.screen.line(
                f"{there} instances, {count['healthy']} healthy, {count['ready']} ready"
            )

    stage.on_set = narrate
    stage.until(lambda: _is_whole(stage), within=_START_WITHIN_S, what="all 40 were Ready")
    stage.screen.line(f"all {REPLICAS} are Ready: each has answered its probe", Style.GOOD)
    stage.on_set = lambda: None
    stage.show("get", "sset", SET)


def break_five(stage: Stage) -> Breakage:
    """Break five instances at once."""
    stage.books.open()
    broken = Breakage(stage.books, stage.endpoints.faults)
    broken.begin(stage.endpoints, time.monotonic())
    by_fault: dict[str, list[str]] = {}
    for victim in broken.victims:
        by_fault.setdefault(victim.fault, []).append(victim.life.name)
    for fault, who in by_fault.items():
        stage.screen.line(f"broken: {names(who)} ({fault})", Style.BAD)
    stage.screen.note(
        "The probe asks each instance every 5 s; 11 s since its last 200 make it Unhealthy, so 6 to"
        f" 11 s from now. Then it is replaced, but not before its grace, {GRACE_S:.0f} s from its"
        " start, has ended, and never more than 5 % of 40 = 2 at once."
    )
    return broken


def watch_repairs(stage: Stage, broken: Breakage) -> None:
    """Tell each change until all five are replaced and the set is whole again."""
    narrator = Narrator(stage)
    stage.until(
        lambda: bool(stage.status.get("repairingReplicas")),
        within=_REPAIR_WITHIN_S,
        what="a repair began",
    )
    stage.show("get", "sset", SET)
    stage.until(
        lambda: broken.is_mended() and _is_whole(stage),
        within=_REPAIR_WITHIN_S,
        what="the five were replaced and all 40 Ready",
    )
    narrator.silence()
    stage.screen.line(f"all {REPLICAS} are Ready again", Style.GOOD)
    stage.show("get", "sset", SET)


def fall_silent(stage: Stage) -> bool:
    """Let all 40 hang, then answer again; gives whether nothing was deleted and all stayed Ready.

    The doubt has to be admitted: without the condition ProbeInconclusive this raises DemoError.
    """
    deleted = len(stage.books.deleted)
    stage.books.least_ready = stage.books.ready
    stage.endpoints.tell(stage.books.living(), HANGING)
    began = time.monotonic()
    stage.screen.line(f"all {REPLICAS} endpoints hang: not one answers", Style.BAD)
    stage.screen.note(
        "Whoever believed the probe would now empty every Service and delete 40 healthy pods. When"
        " everything falls silent at once, the operator doubts its own sight first."
    )
    stage.until(
        lambda: stage.condition("InstancesHealthy")[1] == "ProbeInconclusive",
        within=_SIGHT_WITHIN_S,
        what="the set said ProbeInconclusive",
    )
    for kind in ("InstancesHealthy", "RepairsAllowed"):
        status, reason, message = stage.condition(kind)
        stage.screen.line(f"condition {kind} is {status}, {reason}: {message}", Style.WAIT)
    stage.watch_for(began + SILENCE_S - time.monotonic())
    stage.show("get", "sset", SET)
    gone, ready = len(stage.books.deleted) - deleted, stage.books.least_ready
    style = Style.BAD if gone or ready < REPLICAS else Style.GOOD
    stage.screen.line(
        f"after {SILENCE_S:.0f} s of silence: {gone} deleted, {ready} of {REPLICAS} still in"
        " rotation for every Service",
        style,
    )
    stage.endpoints.tell(stage.books.living(), OPEN)
    stage.screen.line("the endpoints answer again")
    stage.until(lambda: _is_whole(stage), within=_SIGHT_WITHIN_S, what="sight came back")
    stage.screen.line(f"the doubt is over, all {REPLICAS} are Healthy", Style.GOOD)
    return len(stage.books.deleted) == deleted and stage.books.least_ready >= REPLICAS


def _is_whole(stage: Stage) -> bool:
    settled = stage.condition("Ready")[0] == "True" and not stage.status["repairs"]["inFlight"]
    sighted = stage.condition("InstancesHealthy")[0] == "True"
    return settled and sighted and stage.books.healthy == stage.books.ready == REPLICAS
