"""Whom `probe` asks, under which rules, and what it calls the answers.

The port and the rules are found as the operator finds them, and an attempt is the prober's own. One
attempt from here is no verdict: it shows what the operator would see if it stood here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from scaleset_operator.api.base import CONDITION_HEALTHY, GATE_IN_ROTATION, LABEL_NAME, Reason
from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.cli import standing
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure, NotThere
from scaleset_operator.cli.kinds import HEALTH_PROBES, PODS
from scaleset_operator.cli.ports import Entrance, Json
from scaleset_operator.core.attempts import Attempted, how_it_ended
from scaleset_operator.core.causes import CAUSE
from scaleset_operator.core.observed import Outcome
from scaleset_operator.reconciler.ports import ProbeKey, ProbeTarget
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.versions import key_of
from scaleset_operator.reconciler.watching import declared_ports


class Way(NamedTuple):
    """What a probe decides: where a set names it, and what the operator publishes of it.

    Attributes:
        field: of the spec.
        condition: on the pod.
        words: for the condition's True and False.
    """

    field: str
    condition: str
    words: tuple[str, str]


HEALTH: Final = Way("healthProbeRef", CONDITION_HEALTHY, ("Healthy", "Unhealthy"))
ROTATION: Final = Way("rotationProbeRef", GATE_IN_ROTATION, ("InRotation", "OutOfRotation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A set's probe, and the pods to ask.

    Attributes:
        pods: live ones, those without an address included.
    """

    way: Way
    scale_set: str
    probe: HealthProbe
    port: int
    pods: tuple[Json, ...]

    def rule(self) -> str:
        """The probe in words."""
        spec = self.probe.spec
        return (
            f"{spec.protocol} :{self.port}{spec.path or ''}, "
            f"{spec.timeout_in_seconds}s without success is Unhealthy"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What came back of one pod.

    Attributes:
        attempted: None where it has no address to ask.
        published: what the operator has published of it.
    """

    instance: str
    address: str
    attempted: Attempted | None
    published: str

    @property
    def fine(self) -> bool:
        """Whether it answered as the probe expects."""
        return self.attempted is not None and self.attempted.outcome is Outcome.OK

    def verdict(self) -> tuple[str, str]:
        """The code and the words that the operator has for such an answer."""
        if self.attempted is None:
            return Reason.NOT_YET_PROBED, "it has no address yet"
        outcome = self.attempted.outcome
        if outcome is None:
            return Reason.HEALTH_UNKNOWN, "the attempt failed on this side: it says nothing"
        code = CAUSE.get(outcome, Reason.ANSWERING)
        here = "; silence from here is no evidence" if outcome.silent else ""
        return code, f"{how_it_ended(outcome, self.attempted.http_status)}{here}"


async def aim(
    access: Access, where: tuple[str, str], instances: Sequence[str], way: Way = HEALTH
) -> Aim:
    """Find the probe of a set, its port, and the pods to ask.

    Args:
        access: the cluster.
        where: namespace and name of the set.
        instances: names of those to ask; all, where none is given.
        way: which of the set's probes.

    Raises:
        Failure: the set names no probe, the probe is missing or ambiguous, or a name that was given
            is no live instance of the set.
    """
    namespace, name = where
    raw = await access.scale_set(namespace, name)
    found = standing.read(raw).resource
    probe = await _probe(access, found, way)
    pods = [
        pod
        for pod in await access.items(PODS, namespace, labels=f"{LABEL_NAME}={name}")
        if _is_live(pod, found.metadata.uid)
    ]
    named = {pod["metadata"]["name"] for pod in pods}
    for wanted in instances:
        if wanted not in named:
            there = ", ".join(sorted(named)[:10]) or "none"
            line = f"--instance is {wanted!r}: live instances of {name} are {there}"
            raise Failure(line)
    chosen = [pod for pod in pods if not instances or pod["metadata"]["name"] in instances]
    chosen.sort(key=_number)
    return Aim(way=way, scale_set=name, probe=probe, port=_port(raw, probe), pods=tuple(chosen))


async def shoot(entrance: Entrance, found: Aim) -> list[Shot]:
    """Attempt each pod that has an address once; ends when the last attempt has."""
    asked = [pod for pod in found.pods if _address(pod)]
    targets = [_target(pod, found) for pod in asked]
    ended = await asyncio.to_thread(entrance.attempt, targets)
    by_uid = {target.pod_uid: each for target, each in zip(targets, ended, strict=True)}
    return [
        Shot(
            instance=pod["metadata"]["name"],
            address=_address(pod),
            attempted=by_uid.get(pod["metadata"]["uid"]),
            published=_published(pod, found.way),
        )
        for pod in found.pods
    ]


async def _probe(access: Access, found: ScaleSet, way: Way) -> HealthProbe:
    """The probe of rotation is that of health where the set names no other (P-29)."""
    spec = found.spec
    ref = (spec.rotation_probe_ref if way is ROTATION else None) or spec.health_probe_ref
    name = f"ScaleSet {found.metadata.namespace}/{found.metadata.name}"
    if ref is None:
        own = found.spec.application_health
        source = f"pod condition {own.pod_condition_type}" if own is not None else "readiness alone"
        line = f"{name} names no HealthProbe in spec.healthProbeRef: its source is {source}"
        raise Failure(line)
    try:
        raw = await access.get(HEALTH_PROBES, found.metadata.namespace, ref.name)
    except NotThere:
        field = way.field if ref is spec.rotation_probe_ref else HEALTH.field
        line = f"{name} names HealthProbe {ref.name} in spec.{field}, which does not exist"
        raise Failure(line) from None
    return HealthProbe.model_validate(raw)


def _port(raw: Json, probe: HealthProbe) -> int:
    """As the operator resolves it (P-05)."""
    if probe.spec.port is not None:
        return probe.spec.port
    resources = Resources()
    resources.put_scale_set(raw)
    known = resources.scale_set(key_of(raw))
    ports = declared_ports(known) if known is not None else []
    if len(ports) != 1:
        line = f"HealthProbe {probe.metadata.name} names no port and the template declares"
        message = f"{line} {len(ports)}: set spec.port, or declare exactly one containerPort"
        raise Failure(message)
    return ports[0]


def _target(pod: Json, found: Aim) -> ProbeTarget:
    meta = found.probe.metadata
    return ProbeTarget(
        pod_uid=pod["metadata"]["uid"],
        ip=_address(pod),
        key=ProbeKey(probe_uid=meta.uid, generation=meta.generation, port=found.port),
        spec=found.probe.spec,
    )


def _is_live(pod: Json, owner: str) -> bool:
    metadata = pod["metadata"]
    owned = any(o["uid"] == owner for o in metadata.get("ownerReferences") or ())
    over = (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    return owned and not over and not metadata.get("deletionTimestamp")


def _address(pod: Json) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _published(pod: Json, way: Way) -> str:
    """The operator's own condition on the pod."""
    words = dict(zip(("True", "False"), way.words, strict=True))
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == way.condition:
            return words.get(condition["status"], "Unknown")
    return "Unknown"


def _number(pod: Json) -> tuple[int, str]:
    tail = pod["metadata"]["name"].rpartition("-")[2]
    return (int(tail) if tail.isdecimal() else 0, pod["metadata"]["name"])
