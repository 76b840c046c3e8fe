"""Observe: everything one decision needs, gathered from the ports into one value.

Chooses nothing; it only asks. Which pods are watched by which probe is in `watching`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Condition
from scaleset_operator.api.scalesetstatus import OutboundSummary
from scaleset_operator.core.observed import Evidence, Instance, Neighbour, Observed, TemplateView
from scaleset_operator.core.outboundwords import SUFFICIENT, summary
from scaleset_operator.core.revisions import labels_given
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.disruption import disruption_over
from scaleset_operator.reconciler.memory import FleetBook, Memory
from scaleset_operator.reconciler.outlook import NoVantage, Vantage
from scaleset_operator.reconciler.ports import Cluster, Probes, for_rotation
from scaleset_operator.reconciler.relocations import NoRelocations, Relocations
from scaleset_operator.reconciler.resources import KnownSet, Resources
from scaleset_operator.reconciler.surroundings import surroundings
from scaleset_operator.reconciler.watching import Watcher
from scaleset_operator.reconciler.windows_seen import windows_seen


@dataclass(frozen=True, slots=True)
class LiveReads:
    """What was read live since the last record, beside pods.

    Attributes:
        windows: names of windows.
        places: placeholder name -> what was found.
    """

    windows: frozenset[str] = frozenset()
    places: Mapping[str, Place | None] = field(default_factory=dict)


NOTHING_READ: Final = LiveReads()
SHORT_LIFE: Final = timedelta(minutes=1)
"""An instance that ends by itself sooner is a sign of a loop; an eviction later is none."""


class Observer:
    """Looks at one set at a time."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        probes: Probes,
        fleet: FleetBook,
        vantage: Vantage | None = None,
        relocations: Relocations | None = None,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._probes = probes
        self._watcher = Watcher(resources, probes)
        self._fleet = fleet
        self._vantage = vantage or NoVantage()
        self._relocations = relocations or NoRelocations()

    def observe(
        self,
        known: KnownSet,
        memory: Memory,
        live_reads: frozenset[str],
        *,
        listed: bool,
        now: datetime,
        live: LiveReads = NOTHING_READ,
    ) -> Observed:
        """What there is to decide on now.

        Args:
            known: the set.
            memory: what its turns remember.
            live_reads: names read live since the last record.
            listed: whether the pods were listed live since then.
            now: time of the observation.
            live: windows and places that were read live since the last record.
        """
        seen = self._with_windows(self._seen(known, memory), known, memory, live)
        owed, present = _owed(known), {i.name for i in seen.instances}
        memory.note_names(owed, present)
        memory.lapse_refusal(now, owed=bool(owed - present))
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
            template_labels=_labels_given(known, memory),
        )

    def _with_windows(
        self, seen: Observed, known: KnownSet, memory: Memory, live: LiveReads
    ) -> Observed:
        """With what planned maintenance is decided on."""
        maintenance = known.resource.status.maintenance
        moving = maintenance.in_flight if maintenance is not None else ()
        memory.note_moves({entry.instance for entry in moving})
        labels = self._relocations.node_labels()
        return replace(
            seen,
            windows=windows_seen(known, self._resources, labels, live.windows),
            windows_unheard=not self._resources.windows_heard,
            places=live.places,
            outbound=_outbound(known, self._resources),
            not_evicted=dict(memory.not_evicted),
            agents=dict(memory.agents),
        )

    def _seen(self, known: KnownSet, memory: Memory) -> Observed:
        """What the cluster, the prober and the owner say."""
        pods = self._cluster.pods(known.owner)
        meta = known.resource.metadata
        health, rotation = self._watcher.watch(known, memory, pods.instances)
        live = [i for i in pods.instances if i.live]
        evidence = self._evidence(live)
        second = self._evidence(live, for_rotation) if rotation else {}
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
            probe=health,
            prober=self._probes.view(),
            evidence=evidence,
            surroundings=surroundings(known, live, memory),
            votes=self._votes(evidence),
            rotation_probe=rotation,
            rotation_evidence=second,
            neighbours=self._neighbours(live, evidence, second),
            nodes=self._cluster.node_ready(),
            fleet=self._fleet.seen_by(known.key),
            overlaps_with=self._resources.overlaps_with(known.key),
            deleting=meta.deletion_timestamp is not None,
            view_is_fresh=pods.fresh,
            annotations=meta.annotations,
            disruption=disruption_over(known, pods.instances, self._cluster, self._resources),
        )

    def _evidence(
        self, live: list[Instance], watch: Callable[[str], str] = str
    ) -> Mapping[str, Evidence]:
        """Pod UID -> what one of its watches found."""
        found = ((i.uid, self._probes.evidence(watch(i.uid))) for i in live)
        return {uid: evidence for uid, evidence in found if evidence is not None}

    def _votes(self, evidence: Mapping[str, Evidence]) -> Mapping[str, datetime]:
        """What another prober heard of those that are silent to this one."""
        silent = (uid for uid, one in evidence.items() if one.silent)
        found = ((uid, self._vantage.votes(uid)) for uid in silent)
        return {uid: at for uid, at in found if at is not None}

    def _neighbours(
        self, live: list[Instance], *evidence: Mapping[str, Evidence]
    ) -> Mapping[str, tuple[Neighbour, ...]]:
        """The watched pods on every node that carries a silent instance (rules 16, 17)."""
        silent = {uid for found in evidence for uid, one in found.items() if one.silent}
        nodes = {i.node for i in live if i.node and i.uid in silent}
        found: dict[str, tuple[Neighbour, ...]] = {}
        for node in nodes:
            on_it = (self._probes.neighbour(p.uid) for p in self._cluster.pods_on(node) if p.live)
            found[node] = tuple(n for n in on_it if n is not None)
        return found


def _labels_given(known: KnownSet, memory: Memory) -> Mapping[str, frozenset[str]]:
    older = {r.model: labels_given(r.template) for r in memory.revisions if r.template is not None}
    return {**older, known.model: labels_given(known.resource.spec.template)}


def _outbound(known: KnownSet, resources: Resources) -> tuple[OutboundSummary, Condition] | None:
    """What the set's OutboundRule says, once it has said anything; of several the oldest counts."""
    rule = next(resources.rules.selecting(known.resource), None)
    if rule is None:
        return None
    said = next((c for c in rule.status.conditions if c.type == SUFFICIENT), None)
    return None if said is None else (summary(rule.metadata.name, rule.status), said)


def _owed(known: KnownSet) -> set[str]:
    """Names that the ledger has given to instances which may not exist yet."""
    status = known.resource.status
    owed = {c.name for c in status.creating}
    owed |= {e.replacement for e in status.repairs.in_flight if e.replacement}
    if status.rollout is not None:
        owed |= {step.replacement for step in status.rollout.surge}
    return owed | {d.witness for d in status.repairs.doubts if d.witness}
