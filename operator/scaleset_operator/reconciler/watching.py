"""Which probes a set names, and which pods the prober is to watch by them.

Resolves names and ports, and tells the prober what is new. Forms no verdict and sends nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from scaleset_operator.api.base import Reason
from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeSpec
from scaleset_operator.api.scaleset import ProbeRef
from scaleset_operator.core.model import container_ports
from scaleset_operator.core.observed import Instance, ProbeView
from scaleset_operator.core.probe_view import in_force
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import Key, ProbeKey, Probes, ProbeTarget, for_rotation
from scaleset_operator.reconciler.resources import KnownSet, Resources


@dataclass(frozen=True, slots=True)
class _Named:
    """A probe that a set names: as the core sees it, and as the prober needs it if it is usable."""

    view: ProbeView
    spec: HealthProbeSpec | None = None
    key: ProbeKey | None = None


class Watcher:
    """Tells the prober of one set at a time."""

    def __init__(self, resources: Resources, probes: Probes) -> None:
        self._resources = resources
        self._probes = probes

    def watch(
        self, known: KnownSet, memory: Memory, instances: tuple[Instance, ...]
    ) -> tuple[ProbeView | None, ProbeView | None]:
        """Have the prober watch these pods; said again only when something differs.

        Returns:
            The probe of health and, where it is another, that of rotation; None where not named.
        """
        spec = known.resource.spec
        health = self._named(known, "healthProbeRef", spec.health_probe_ref)
        rotation = self._named(known, "rotationProbeRef", spec.second_probe_ref)
        keys = (_key(health), _key(rotation))
        before = memory.watching
        # The very same pods under the same rules: thousands, not compared again.
        if before is None or before[0] is not instances or before[1:] != keys:
            memory.watching = (instances, *keys)
            found = [i for i in instances if i.live]
            wanted = dict(_targets(memory, found, health, rotation))
            if wanted != memory.targets:
                memory.targets = wanted
                self._probes.watch(known.key, wanted)
        return _view(health), _view(rotation)

    def _named(self, known: KnownSet, field: str, ref: ProbeRef | None) -> _Named | None:
        """The probe under one field of the spec with its port, or its fault."""
        if ref is None:
            return None
        key = Key(known.key.namespace, ref.name)
        probe = self._resources.probe(key)
        if probe is None or probe.metadata.deletion_timestamp is not None:
            problem = self._resources.unreadable.get(("HealthProbe", key), "")
            message = f"spec.{field}.name: no HealthProbe {ref.name} here {problem}".rstrip()
            return _faulty(ref, Reason.PROBE_NOT_FOUND, message)
        ports = [probe.spec.port] if probe.spec.port else declared_ports(known)
        if len(ports) != 1:
            message = (
                f"spec.{field}: HealthProbe {ref.name} names no port and the template declares "
                f"{len(ports)}: set spec.port of the probe, or declare exactly one containerPort"
            )
            return _faulty(ref, Reason.AMBIGUOUS_PORT, message)
        return _usable(probe, ports[0])


def _faulty(ref: ProbeRef, reason: Reason, message: str) -> _Named:
    return _Named(ProbeView(name=ref.name, fault=reason, fault_message=message))


def _usable(probe: HealthProbe, port: int) -> _Named:
    meta = probe.metadata
    key = ProbeKey(probe_uid=meta.uid, generation=meta.generation, port=port)
    return _Named(in_force(probe, port), probe.spec, key)


def _view(named: _Named | None) -> ProbeView | None:
    return None if named is None else named.view


def _key(named: _Named | None) -> ProbeKey | None:
    return None if named is None else named.key


def _targets(
    memory: Memory, instances: list[Instance], health: _Named | None, rotation: _Named | None
) -> Iterator[tuple[str, ProbeTarget]]:
    """Every watch by its name; a pod of two probes has two."""
    for named, name in ((health, str), (rotation, for_rotation)):
        if named is None or named.spec is None or named.key is None:
            continue
        for instance in instances:
            if instance.ip:
                watch = name(instance.uid)
                yield watch, _target(memory, watch, instance, named.key, named.spec)


def _target(
    memory: Memory, watch: str, instance: Instance, key: ProbeKey, spec: HealthProbeSpec
) -> ProbeTarget:
    """The target as it was, where nothing differs: thousands are compared in every turn."""
    before = memory.targets.get(watch)
    ip = instance.ip or ""
    if before is not None and before.ip == ip and before.key == key:
        return before
    return ProbeTarget(pod_uid=instance.uid, ip=ip, key=key, spec=spec)


def declared_ports(known: KnownSet) -> list[int]:
    """Container ports that the template declares, each once (P-05)."""
    numbers = [row.get("containerPort") for row in container_ports(known.resource.spec.template)]
    return list(dict.fromkeys(n for n in numbers if isinstance(n, int)))
