"""The status of a HealthProbe: who uses it, on which port, and what it finds, summed up.

Written on change only, and at most every few seconds; it decides nothing and nothing reads it back.
"""

from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import ConditionStatus, Reason
from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeStatus
from scaleset_operator.api.scalesetstatus import RotationStatus
from scaleset_operator.core.conditions import Word, timed
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.ports import Clock, Cluster, Conflict, Gone, Key
from scaleset_operator.reconciler.resources import KnownSet, Resources
from scaleset_operator.reconciler.watching import declared_ports

PAUSE: Final = timedelta(seconds=5)
RETRY: Final = timedelta(seconds=1)


class ProbeReporter:
    """Writes the probes' statuses."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        leadership: Leadership | None = None,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._clock = clock
        self._leadership = leadership or Alone()
        self._written: dict[Key, datetime] = {}

    async def turn(self, key: Key) -> datetime | None:
        """Write one probe's status if it is not what it should be; returns when to look again."""
        probe = self._resources.probe(key)
        if probe is None:
            self._written.pop(key, None)
            return None
        if not self._leadership.leads():
            return None  # Everybody is woken when that changes.
        users = list(self._resources.users_of(key))
        status = _status(probe, users, self._clock.now())
        if status == probe.status:
            return None
        now = self._clock.now()
        due = self._written.get(key, now - PAUSE) + PAUSE
        if now < due:
            return due
        try:
            version = probe.metadata.resource_version
            said = status.model_dump(mode="json", by_alias=True, exclude_none=True)
            await self._cluster.record_report("HealthProbe", key, version, said)
        except Conflict:
            return now + RETRY
        except Gone:
            return None
        self._written[key] = now
        self._resources.put_probe_status(key, status)
        return None


def _status(probe: HealthProbe, users: list[KnownSet], now: datetime) -> HealthProbeStatus:
    ports = {probe.spec.port} if probe.spec.port else set()
    if not ports:
        ports = {port for user in users for port in declared_ports(user)}
    found = [_found(probe.metadata.name, user) for user in users]
    status = HealthProbeStatus(
        observed_generation=probe.metadata.generation,
        scale_sets=len(users),
        resolved_port=ports.pop() if len(ports) == 1 else None,
        healthy_instances=sum(healthy for healthy, _, _ in found),
        unhealthy_instances=sum(unhealthy for _, unhealthy, _ in found),
        unknown_instances=sum(unknown for _, _, unknown in found),
    )
    words, shown = (_ready(probe, status),), probe.status.conditions
    conditions = timed(words, shown, probe.metadata.generation, now)
    return status.model_copy(update={"conditions": conditions})


def _found(probe: str, user: KnownSet) -> tuple[int, int, int]:
    """What this probe says of one set's instances: answering, not answering, not known."""
    ref, status = user.resource.spec.health_probe_ref, user.resource.status
    if ref is not None and ref.name == probe:
        return status.healthy_replicas, status.unhealthy_replicas, status.unknown_replicas
    said = status.rotation or RotationStatus(unknown=status.replicas)
    return said.in_rotation, said.out_of_rotation, said.unknown


def _ready(probe: HealthProbe, status: HealthProbeStatus) -> Word:
    """Ready: used, and its port is known; a tight timeout is said, not refused (P-10)."""
    state, reason, message = ConditionStatus.TRUE, Reason.PROBING, f"{status.scale_sets} sets"
    if not status.scale_sets:
        state, reason, message = ConditionStatus.FALSE, Reason.NOT_IN_USE, "no set names it"
    elif status.resolved_port is None:
        state, reason = ConditionStatus.FALSE, Reason.AMBIGUOUS_PORT
        message = "spec.port is not set, and the templates do not declare exactly one port"
    elif 2 * probe.spec.interval_in_seconds >= probe.spec.timeout_in_seconds:
        reason = Reason.INTERVAL_TOO_LONG
        message += "; interval is not below half of timeout: one lost probe may be decisive"
    return Word("Ready", state, reason, message)
