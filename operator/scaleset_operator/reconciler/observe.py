"""Observe: everything one decision needs, gathered from the ports into one value.

Chooses nothing; it only asks, resolves names, and tells the prober which pods to watch.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.core.observed import (
    Evidence,
    Instance,
    Neighbour,
    Observed,
    ProbeView,
    TemplateView,
)
from scaleset_operator.reconciler.memory import FleetBook, Memory
from scaleset_operator.reconciler.ports import (
    Cluster,
    Key,
    ProbeKey,
    Probes,
    ProbeTarget,
)
from scaleset_operator.reconciler.resources import KnownSet, Resources

SHORT_LIFE: Final = timedelta(minutes=1)
"""An instance that ends by itself sooner is a sign of a loop; an eviction later is none."""


class Observer:
    """Looks at one set at a time."""

    def __init__(
        self, resources: Resources, cluster: Cluster, probes: Probes, fleet: FleetBook
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._probes = probes
        self._fleet = fleet

    def observe(
        self,
        known: KnownSet,
        memory: Memory,
        live_reads: frozenset[str],
        *,
        listed: bool,
        now: datetime,
    ) -> Observed:
        """What there is to decide on now.

        Args:
            known: the set.
            memory: what its turns remember.
            live_reads: names read live since the last record.
            listed: whether the pods were listed live since then.
            now: time of the observation.
        """
        seen = self._seen(known, memory)
        memory.note_names(_owed(known), {i.name for i in seen.instances})
        over = {i.uid for i in seen.instances if i.over and now - i.created < SHORT_LIFE}
        return replace(
            seen,
            foreign=memory.foreign,
            live_reads=live_reads,
            listed=listed,
            recently_over=memory.note_over(over, now),
            refused_until=dict(memory.refused_until),
            create_refused=memory.create_refused,
            unusable=frozenset(memory.unusable),
            revisions={r.model: r.number for r in memory.revisions},
        )

    def _seen(self, known: KnownSet, memory: Memory) -> Observed:
        """What the cluster, the prober and the owner say."""
        pods = self._cluster.pods(known.owner)
        meta = known.resource.metadata
        probe = self._probe(known)
        self._watch(known, memory, pods.instances, probe)
        live = [i for i in pods.instances if i.live]
        evidence = self._evidence(live)
        return Observed(
            namespace=known.key.namespace,
            name=known.key.name,
            uid=meta.uid,
            generation=meta.generation,
            status=known.resource.status,
            template=memory.template or TemplateView(model=known.model, checked=False),
            instances=pods.instances,
            adoptable=pods.adoptable,
            released=pods.released,
            probe=None if probe is None else probe[0],
            prober=self._probes.view(),
            evidence=evidence,
            neighbours=self._neighbours(live, evidence),
            nodes=self._cluster.node_ready(),
            fleet=self._fleet.seen_by(known.key),
            overlaps_with=self._resources.overlaps_with(known.key),
            deleting=meta.deletion_timestamp is not None,
            view_is_fresh=pods.fresh,
            annotations=meta.annotations,
        )

    def _probe(self, known: KnownSet) -> tuple[ProbeView, HealthProbe | None, int] | None:
        """The probe in force with its port, or its fault; None when the set names none."""
        ref = known.resource.spec.health_probe_ref
        if ref is None:
            return None
        key = Key(known.key.namespace, ref.name)
        probe = self._resources.probe(key)
        if probe is None or probe.metadata.deletion_timestamp is not None:
            problem = self._resources.unreadable.get(("HealthProbe", key), "")
            message = f"spec.healthProbeRef.name: no HealthProbe {ref.name} here {problem}".rstrip()
            fault = ProbeView(name=ref.name, fault=Reason.PROBE_NOT_FOUND, fault_message=message)
            return fault, None, 0
        ports = [probe.spec.port] if probe.spec.port else declared_ports(known)
        if len(ports) != 1:
            message = (
                f"HealthProbe {ref.name} names no port and the template declares {len(ports)}: "
                "set spec.port of the probe, or declare exactly one containerPort"
            )
            fault = ProbeView(name=ref.name, fault=Reason.AMBIGUOUS_PORT, fault_message=message)
            return fault, None, 0
        meta = probe.metadata
        view = ProbeView(
            name=ref.name,
            identity=f"{meta.uid}/{meta.generation}/{ports[0]}",
            interval=timedelta(seconds=probe.spec.interval_in_seconds),
            timeout=timedelta(seconds=probe.spec.timeout_in_seconds),
        )
        return view, probe, ports[0]

    def _watch(
        self,
        known: KnownSet,
        memory: Memory,
        instances: tuple[Instance, ...],
        resolved: tuple[ProbeView, HealthProbe | None, int] | None,
    ) -> None:
        """Tell the prober which pods to watch; said again only when something differs."""
        probe = None if resolved is None else resolved[1]
        key: ProbeKey | None = None
        if resolved is not None and probe is not None:
            meta = probe.metadata
            key = ProbeKey(probe_uid=meta.uid, generation=meta.generation, port=resolved[2])
        before = memory.watching
        if before is not None and before[0] is instances and before[1] == key:
            return  # The very same pods under the same rules: thousands, not compared again.
        memory.watching = (instances, key)
        wanted: dict[str, ProbeTarget] = {}
        if probe is not None and key is not None:
            for instance in instances:
                if instance.live and instance.ip:
                    wanted[instance.uid] = _target(memory, instance, instance.ip, key, probe)
        if wanted != memory.targets:
            memory.targets = wanted
            self._probes.watch(known.key, wanted)

    def _evidence(self, live: list[Instance]) -> Mapping[str, Evidence]:
        found = ((i.uid, self._probes.evidence(i.uid)) for i in live)
        return {uid: evidence for uid, evidence in found if evidence is not None}

    def _neighbours(
        self, live: list[Instance], evidence: Mapping[str, Evidence]
    ) -> Mapping[str, tuple[Neighbour, ...]]:
        """The watched pods on every node that carries a silent instance (rules 16, 17)."""
        nodes = {i.node for i in live if i.node and i.uid in evidence and evidence[i.uid].silent}
        found: dict[str, tuple[Neighbour, ...]] = {}
        for node in nodes:
            on_it = (self._probes.neighbour(p.uid) for p in self._cluster.pods_on(node) if p.live)
            found[node] = tuple(n for n in on_it if n is not None)
        return found


def _owed(known: KnownSet) -> set[str]:
    """Names that the ledger has given to instances which may not exist yet."""
    status = known.resource.status
    owed = {c.name for c in status.creating}
    owed |= {e.replacement for e in status.repairs.in_flight if e.replacement}
    return owed | {d.witness for d in status.repairs.doubts if d.witness}


def _target(
    memory: Memory, instance: Instance, ip: str, key: ProbeKey, probe: HealthProbe
) -> ProbeTarget:
    """The target as it was, where nothing differs: thousands are compared in every turn."""
    before = memory.targets.get(instance.uid)
    if before is not None and before.ip == ip and before.key == key:
        return before
    return ProbeTarget(pod_uid=instance.uid, ip=ip, key=key, spec=probe.spec)


def declared_ports(known: KnownSet) -> list[int]:
    """Container ports that the template declares, each once (P-05)."""
    spec = known.resource.spec.template.get("spec") or {}
    found: list[int] = []
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            number = port.get("containerPort")
            if isinstance(number, int) and number not in found:
                found.append(number)
    return found
