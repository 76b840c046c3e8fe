"""Whether gracePeriod leaves instances the time they need, learned from those that came up.

How long an instance took from its containers' start to its first Healthy stands in the message of
its Healthy condition, written with the verdict itself: no write more, and a restart forgets
nothing. An instance that fell ill since has no such message and is no sample.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.durations import format_duration
from scaleset_operator.core.observed import Instance, ProbeView
from scaleset_operator.core.revisions import called
from scaleset_operator.core.scene import Scene

MIN_SAMPLES: Final = 10
"""Fewer instances of the latest model than this say nothing."""
LATE_SHARE: Final = 20
"""One in so many may take longer: the 95th percentile."""
RELIEF: Final = 0.9
"""A warning that stands goes only when the 95th percentile is below this share of the grace."""
LATE: Final = timedelta(seconds=10)
"""A verdict may be published so long after it was due."""
MARK: Final = "; first Healthy after "
_STEPS: Final = (
    (timedelta(minutes=10), timedelta(minutes=5)),
    (timedelta(minutes=1), timedelta(seconds=30)),
    (timedelta(0), timedelta(seconds=5)),
)
"""From which length on times are rounded up to what, so that the words seldom change."""


def first_healthy(scene: Scene, instance: Instance) -> str:
    """What the message of a Healthy verdict adds where it is the instance's first; else nothing.

    Only where the prober watched from the start, and nothing on the pod speaks of a verdict before
    that was not the first possible one.
    """
    probe, started = scene.observed.probe, instance.started
    evidence = scene.observed.evidence.get(instance.uid)
    verdict = scene.verdicts[instance.uid]
    if probe is None or started is None or evidence is None:
        return ""
    watched = evidence.watched_since <= started + probe.interval
    healthy = verdict.fresh and verdict.health is VMHealth.HEALTHY
    first = evidence.answering_since
    if not (watched and healthy) or first is None or not _never_before(instance, probe, started):
        return ""
    seconds = max(0, -((started - first) // timedelta(seconds=1)))
    return f"{MARK}{seconds}s"


def _never_before(instance: Instance, probe: ProbeView, started: datetime) -> bool:
    """Whether the pod was never Healthy: nothing stands on it, or Unhealthy since it could be."""
    shown = instance.published
    if shown is None:
        return True
    due = started + probe.timeout + probe.interval + LATE
    return shown.health is VMHealth.UNHEALTHY and shown.since <= due


def advice(scene: Scene) -> str:
    """The warning that gracePeriod is too short; empty while it is not, or too little is known."""
    if not scene.policy.enabled:
        return ""
    samples = _samples(scene)
    late_ones = len(samples) // LATE_SHARE
    limit = _limit(scene)
    bound = limit * RELIEF if _stands(scene) else limit
    if len(samples) < MIN_SAMPLES or sum(s > bound for s in samples) <= late_ones:
        return ""
    usual = sorted(samples)[-1 - late_ones]
    name = called(scene.observed.template.model, scene.observed.revisions)
    grace = format_duration(scene.policy.grace_period)
    return (
        f"gracePeriod {grace} is too short: 95 % of the instances of {name} were Healthy within "
        f"{format_duration(_rounded(usual))} of their start, not sooner"
    )


def _samples(scene: Scene) -> list[timedelta]:
    """The times of the latest model's instances."""
    model = scene.observed.template.model
    shown = (i.published for i in scene.live if i.model == model)
    found = (_time_in(one.message) for one in shown if one is not None)
    return [time for time in found if time is not None]


@lru_cache(maxsize=4096)
def _time_in(message: str) -> timedelta | None:
    """The time in a message of ours; None where there is none."""
    text = message.partition(MARK)[2].removesuffix("s")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() else None


def _limit(scene: Scene) -> timedelta:
    """Until when after its start nobody is repaired: no verdict comes before a full timeout."""
    probe = scene.observed.probe
    return max(scene.policy.grace_period, probe.timeout if probe is not None else timedelta(0))


def _stands(scene: Scene) -> bool:
    return any(c.reason == Reason.GRACE_TOO_SHORT for c in scene.observed.status.conditions)


def _rounded(time: timedelta) -> timedelta:
    step = next(step for least, step in _STEPS if time >= least)
    return -(-time // step) * step
