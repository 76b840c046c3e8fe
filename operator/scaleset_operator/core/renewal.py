"""What is held of an instance whose containers we have told to restart, until it has shown itself.

What was known of it was said by containers that are gone: an instance that was Healthy is not known
again, and out of rotation, until evidence of the new ones. One that was Unhealthy stays so.
Must not know why it was renewed.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.health import Verdict
from scaleset_operator.core.observed import Instance, Observed

SECOND = timedelta(seconds=1)
"""Kubelet tells starts in whole seconds; a success within the same second may be an old one's."""


def after_renewal(
    observed: Observed, verdicts: Mapping[str, Verdict], now: datetime
) -> Mapping[str, Verdict]:
    """The verdicts with those on instances in renewal set right (R-24, R-26, rule 10).

    Args:
        observed: everything that was seen.
        verdicts: pod UID -> verdict, as the evidence alone gives it.
        now: of the decision.
    """
    renewing = [i for i in observed.instances if i.renewing and i.uid in verdicts]
    if not renewing:
        return verdicts
    return {**verdicts, **{i.uid: _verdict(observed, i, verdicts[i.uid], now) for i in renewing}}


def _verdict(observed: Observed, instance: Instance, found: Verdict, now: datetime) -> Verdict:
    if found.reason is Reason.NO_PROBE or _is_new(observed, instance, found):
        return found
    published = instance.published
    was_bad = published is not None and published.health is VMHealth.UNHEALTHY
    same = published is not None and published.health in (VMHealth.UNHEALTHY, VMHealth.UNKNOWN)
    runs = instance.started is not None
    again = now + observed.probe.interval if runs and observed.probe is not None else None
    return replace(
        found,
        health=VMHealth.UNHEALTHY if was_bad else VMHealth.UNKNOWN,
        reason=Reason.WAITING_FOR_HEALTH if runs else Reason.RESTARTING,
        message="renewed in place; not heard since" if runs else "its containers are restarting",
        since=published.since if published and same else now.replace(microsecond=0),
        fresh=False,
        in_rotation=False,
        rotation=None,
        changes_at=min((at for at in (found.changes_at, again) if at is not None), default=None),
    )


def _is_new(observed: Observed, instance: Instance, found: Verdict) -> bool:
    """Whether the verdict rests on what the new containers did."""
    if not found.fresh:
        return False
    if found.health is not VMHealth.HEALTHY:
        return True
    evidence = observed.evidence.get(instance.uid)
    if instance.started is None:
        return False
    if evidence is None:
        return True  # Its own report, which only its containers can give.
    return evidence.last_success is not None and evidence.last_success >= instance.started + SECOND
