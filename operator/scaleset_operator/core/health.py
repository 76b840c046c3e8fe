"""From evidence to a verdict on each instance: Healthy, Unhealthy or Unknown, and why.

A success is a verdict at once. A failure becomes one when a full timeout without success has been
watched (P-11 to P-13, X-08). Silence goes through `doubt` first. Knows nothing of repairs.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.causes import CAUSE, down_nodes, say
from scaleset_operator.core.doubt import Doubtfulness, Found, SetWatch, weigh
from scaleset_operator.core.observed import Evidence, Instance, Observed, Outcome, ProbeView
from scaleset_operator.core.policies import shut_by

LISTEN_AGAIN: Final = timedelta(seconds=5)
"""So often a verdict of silence is looked at again, for a repair may wait for hours. Another prober
is asked only about those that turns ask about, and its word wakes nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationWord:
    """Why the gate is what it is, where another probe than that of health decides over it."""

    reason: Reason
    message: str
    doubt: Doubtfulness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is held of one instance now.

    Attributes:
        since: when this health began, as published, or now.
        fresh: evidence of this very process spans a full timeout: repair may build on it.
        doubt: what its silence is, while it is silent and not (yet) convicted of anything.
        in_rotation: what the gate should be; None leaves it as it is (rule 20).
        rotation: the gate's own words, where it does not follow the health.
        changes_at: when time alone changes this verdict.
    """

    health: VMHealth
    reason: Reason
    message: str
    since: datetime
    fresh: bool = False
    doubt: Doubtfulness | None = None
    in_rotation: bool | None = None
    rotation: RotationWord | None = None
    changes_at: datetime | None = None


def judge(spec: ScaleSetSpec, observed: Observed, now: datetime) -> dict[str, Verdict]:
    """Give a verdict on every live instance.

    Returns:
        Pod UID -> Verdict.
    """
    live = [i for i in observed.instances if i.live]
    if spec.application_health is not None:
        kind = spec.application_health.pod_condition_type
        return {i.uid: _by_own_report(i, kind, now) for i in live}
    if spec.health_probe_ref is None or observed.probe is None:
        return {i.uid: _by_readiness(i, now) for i in live}
    bench = Bench(observed, observed.probe, live, now)
    return {i.uid: bench.verdict(i) for i in live}


def _standing(instance: Instance, now: datetime, reason: Reason, message: str) -> Verdict:
    """The published condition stands; nobody may repair on it (X-08)."""
    published = instance.published
    if published is None:
        return Verdict(health=VMHealth.UNKNOWN, reason=reason, message=message, since=now)
    return Verdict(health=published.health, reason=reason, message=message, since=published.since)


def _since(instance: Instance, health: VMHealth, now: datetime) -> datetime:
    """As published, else from now, in whole seconds as it will stand on the pod."""
    published = instance.published
    if published is not None and published.health is health:
        return published.since
    return now.replace(microsecond=0)


def _by_readiness(instance: Instance, now: datetime) -> Verdict:
    """No source is named: health is left out, rotation follows the containers (P-19)."""
    return Verdict(
        health=VMHealth.UNKNOWN,
        reason=Reason.NO_PROBE,
        message="no health source is named",
        since=instance.created if instance.published is None else now,
        in_rotation=instance.containers_ready,
    )


def _by_own_report(instance: Instance, kind: str, now: datetime) -> Verdict:
    """The instance's own report is the source; it is fresh as long as the view is."""
    health = next((h for k, h, _ in instance.reports if k == kind), VMHealth.UNKNOWN)
    words = {
        VMHealth.HEALTHY: (Reason.REPORTED_HEALTHY, True),
        VMHealth.UNHEALTHY: (Reason.REPORTED_UNHEALTHY, False),
        VMHealth.UNKNOWN: (Reason.HEALTH_UNKNOWN, None),
    }
    reason, rotation = words[health]
    return Verdict(
        health=health,
        reason=reason,
        message=f"pod condition {kind} reports {health}",
        since=_since(instance, health, now),
        fresh=health is not VMHealth.UNKNOWN,
        in_rotation=rotation,
    )


class Bench:
    """One judging of one set under one probe: what is the same for all its instances."""

    def __init__(
        self, observed: Observed, probe: ProbeView, live: list[Instance], now: datetime
    ) -> None:
        self.observed = observed
        self.probe = probe
        self.now = now
        self._live = live
        self._beating_since = observed.prober.beating_since
        self._answering_since: dict[datetime, Verdict] = {}

    @cached_property
    def watch(self) -> SetWatch:
        """What the whole set says; only silence asks for it."""
        return SetWatch.of(self.observed.evidence.get(i.uid) for i in self._live)

    @cached_property
    def shut_by(self) -> str | None:
        """The NetworkPolicy that keeps the prober out for certain; only a silent set asks."""
        around = self.observed.surroundings
        return None if around is None else shut_by(around, self.probe.port)

    @cached_property
    def down_nodes(self) -> frozenset[str]:
        """NotReady nodes that are evidence."""
        return down_nodes(self.observed, self._live)

    def verdict(self, instance: Instance) -> Verdict:
        """The verdict on one instance."""
        if self.probe.fault is not None:
            return _standing(instance, self.now, self.probe.fault, self.probe.fault_message)
        evidence = self.observed.evidence.get(instance.uid)
        beating_since = self._beating_since
        if evidence is None or evidence.last_ended is None or beating_since is None:
            why = "the prober is silent" if beating_since is None else "not yet probed"
            return _standing(instance, self.now, Reason.HEALTH_UNKNOWN, why)
        if evidence.outcome is not Outcome.OK:
            return self._failing(instance, evidence, beating_since)
        # The next success is no news to the prober and wakes nobody: look again by time.
        if evidence.last_ended < beating_since:
            return self._later(instance, "the prober has just come back")
        if instance.started is None or evidence.last_ended < instance.started:
            return self._later(instance, "its containers do not run yet: somebody else answers")
        return self._answering(_since(instance, VMHealth.HEALTHY, self.now))

    def _answering(self, since: datetime) -> Verdict:
        """Healthy since then; one value for all that share the second, for they are many."""
        verdict = self._answering_since.get(since)
        if verdict is None:
            verdict = Verdict(
                health=VMHealth.HEALTHY,
                reason=Reason.ANSWERING,
                message="answers as expected",
                since=since,
                fresh=True,
                in_rotation=True,
            )
            self._answering_since[since] = verdict
        return verdict

    def _later(self, instance: Instance, message: str, at: datetime | None = None) -> Verdict:
        """Not known yet; looked at again then, or after an interval."""
        standing = _standing(instance, self.now, Reason.HEALTH_UNKNOWN, message)
        return replace(standing, changes_at=at or self.now + self.probe.interval)

    def _failing(self, instance: Instance, evidence: Evidence, beating_since: datetime) -> Verdict:
        """Unhealthy once a full timeout without success was watched, with a failure in it."""
        success = evidence.last_success
        if success is None or success < beating_since:
            success = max(evidence.watched_since, beating_since)
        if instance.started is not None:
            success = max(success, instance.started)
        out_at = success + self.probe.timeout
        ended = evidence.last_ended or self.now
        if self.now < out_at:
            return self._later(instance, "no full timeout has been watched", out_at)
        if ended <= success or not self._recent(ended):
            return self._later(instance, "no attempt has ended lately")
        if evidence.silent:
            seen_until = self._seen_elsewhere(instance)
            if seen_until is not None and self.now < seen_until:
                return self._vetoed(instance, seen_until)
        if not evidence.silent or self._down_otherwise(instance):
            return self._unhealthy(instance, evidence)
        return self._silent(instance, evidence)

    def _seen_elsewhere(self, instance: Instance) -> datetime | None:
        """Until when another prober's success speaks for a silent instance: a full timeout."""
        vote = self.observed.votes.get(instance.uid)
        if vote is None or instance.started is None or vote < instance.started:
            return None
        return vote + self.probe.timeout

    def _vetoed(self, instance: Instance, until: datetime) -> Verdict:
        """Silent to us alone: nothing is concluded, and what was concluded of it is taken back."""
        message = "silent to this prober; another one has heard it"
        standing = _standing(instance, self.now, Reason.PROBE_INCONCLUSIVE, message)
        seen = replace(standing, changes_at=until, doubt=Doubtfulness.SEEN_ELSEWHERE)
        if seen.health is not VMHealth.UNHEALTHY:
            return seen
        return replace(seen, health=VMHealth.UNKNOWN, since=self.now.replace(microsecond=0))

    def _recent(self, ended: datetime) -> bool:
        """Whether the attempt that ended then can still be the latest: two rounds and a bit."""
        attempt = min(self.probe.interval, self.probe.timeout)
        return self.now - ended <= self.probe.interval + 2 * attempt + timedelta(seconds=2)

    def _down_otherwise(self, instance: Instance) -> bool:
        """Whether something else speaks against a silent instance (protocol rule 15)."""
        if instance.started is not None and not instance.containers_ready:
            return True
        return instance.node in self.down_nodes

    def _unhealthy(self, instance: Instance, evidence: Evidence) -> Verdict:
        reason = CAUSE[evidence.outcome or Outcome.TIMED_OUT]
        message = say(evidence, self.probe)
        if evidence.silent and instance.started is not None and not instance.containers_ready:
            reason, message = (
                Reason.CONTAINERS_NOT_READY,
                "silent, and its containers are not ready",
            )
        elif evidence.silent and instance.node in self.down_nodes:
            reason, message = Reason.NODE_NOT_READY, "silent, and its node is NotReady"
        return Verdict(
            health=VMHealth.UNHEALTHY,
            reason=reason,
            message=message,
            since=_since(instance, VMHealth.UNHEALTHY, self.now),
            fresh=True,
            in_rotation=False,
            changes_at=self.now + LISTEN_AGAIN if evidence.silent else None,
        )

    def _silent(self, instance: Instance, evidence: Evidence) -> Verdict:
        """Silence alone: what it is worth depends on the others (rules 16 to 19)."""
        neighbours = self.observed.neighbours.get(instance.node or "", ())
        found = weigh(
            evidence, self.watch, neighbours, self.probe, self.observed.prober.sees, self.now
        )
        match found.kind:
            case Doubtfulness.CONVICTED:
                return self._unhealthy(instance, evidence)
            case Doubtfulness.UNDECIDED:
                standing = _standing(instance, self.now, Reason.PROBE_INCONCLUSIVE, found.message)
                return replace(standing, changes_at=found.until, doubt=found.kind)
            case _:
                keep = found.kind is not Doubtfulness.HELD
                reason, message = self._why_silent(found)
                return Verdict(
                    health=VMHealth.UNKNOWN,
                    reason=reason,
                    message=message,
                    since=self._silent_since(instance, evidence),
                    doubt=found.kind,
                    in_rotation=None if keep else False,
                    changes_at=found.until,
                )

    def _why_silent(self, found: Found) -> tuple[Reason, str]:
        if found.kind is not Doubtfulness.SET_SILENT or self.shut_by is None:
            return Reason.PROBE_INCONCLUSIVE, found.message
        by, port = self.shut_by, self.probe.port
        message = f"NetworkPolicy {by} does not admit the prober on port {port}"
        return Reason.PROBE_BLOCKED, message

    def _silent_since(self, instance: Instance, evidence: Evidence) -> datetime:
        """As published; where nothing is, the first silent attempt: it does not move."""
        if instance.published is None:
            return evidence.silent_since or self.now
        return _since(instance, VMHealth.UNKNOWN, self.now)
