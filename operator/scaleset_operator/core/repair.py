"""Which instance is repaired next, and why the others are not (R-11 to R-36, protocol rules 1-3).

Order: longest unhealthy first, ties by name (R-23). A closed gate never holds up those behind it
(R-20). An entry is opened only for a victim that was read live since the last record.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.api.ledger import Doubt, RepairEntry, RepairPhase
from scaleset_operator.api.scalesetstatus import RepairDecision
from scaleset_operator.core.budgets import budget_gate, reported, spent_by
from scaleset_operator.core.gates import first_closed
from scaleset_operator.core.inplace import beginning
from scaleset_operator.core.naming import Names
from scaleset_operator.core.notice import deadline
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Decision, Gate
from scaleset_operator.core.requests import action_asked, as_cause
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.suspension import attempts_before
from scaleset_operator.core.ways import way_of


@dataclass(slots=True)
class Opened:
    """The repairs that begin, and one decision for every instance that is not healthy.

    Attributes:
        again: moments at which time alone opens a gate.
    """

    entries: list[RepairEntry] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)


def open_repairs(scene: Scene, names: Names, scaling: Scaling, doubts: tuple[Doubt, ...]) -> Opened:
    """Open as many repairs as the allowance leaves room for.

    Args:
        scene: what this decision looks at.
        names: hands out the replacements' names.
        scaling: of this decision: entries that go on, each holding a slot, and who leaves anyway.
        doubts: as they stand; a healthy witness becomes the first replacement (rule 18).
    """
    opened = Opened()
    in_flight = scaling.entries
    taken = {entry.uid for entry in in_flight}
    successors = {entry.replacement: entry for entry in in_flight}
    leaving = {victim.uid for victim in scaling.removing}
    witness = _healthy_witness(scene, in_flight, doubts)
    used = len(in_flight)
    for instance in (*_not_healthy(scene), *_asked_for(scene)):
        if instance.uid in taken:
            continue
        closed = _closed(scene, instance, opened)
        if closed is not None:
            _leave(scene, opened, instance, closed.reason, (closed.detail, closed.until))
        elif instance.name in successors:
            # Repaired as well, both repairs would owe an instance for the same place.
            entry = successors[instance.name]
            detail = f"it replaces {entry.instance}, whose repair is not closed"
            until = entry.terminate_at if entry.uid in scene.noticed else None
            _leave(scene, opened, instance, Reason.WAITING_FOR_HEALTH, (detail, until))
        elif instance.uid in leaving:
            _leave(scene, opened, instance, Reason.SCALED_IN, ("chosen to be removed", None))
        elif not (room := slot(scene, used)).open:
            _leave(scene, opened, instance, room.reason, (room.detail, None))
        else:
            used += 1
            _take(scene, names, opened, instance, witness)
            taken_up = {entry.replacement for entry in opened.entries}
            witness = None if witness and witness.name in taken_up else witness
    opened.decisions.extend(_in_flight_decisions(scene, [*in_flight, *opened.entries]))
    return opened


def slot(scene: Scene, used: int) -> Gate:
    """Whether the batch has room for one more beside so many (protocol rule 2)."""
    return Gate(
        reason=Reason.HEALTH_STORM if scene.in_storm else Reason.BATCH_LIMIT_REACHED,
        open=used < scene.allowance,
        detail=f"{used} of {scene.allowance} in flight",
    )


def _closed(scene: Scene, instance: Instance, opened: Opened) -> Gate | None:
    """The first closed gate; a budget is spent by what this very decision opens as well."""
    closed = first_closed(scene, instance)
    if closed is None and opened.entries:
        gate = budget_gate(scene, instance, opened.entries)
        closed = None if gate.open else gate
    return closed


def _not_healthy(scene: Scene) -> list[Instance]:
    found = [i for i in scene.live if scene.has_source and _ails(scene, i)]
    return sorted(found, key=lambda i: (scene.verdicts[i.uid].since, i.name))


def _asked_for(scene: Scene) -> list[Instance]:
    """Those with nothing to explain whose repair a person asks for; they go after the sick."""
    found = [i for i in scene.live if action_asked(scene.policy, i) is not None]
    return sorted(
        (i for i in found if not (scene.has_source and _ails(scene, i))), key=lambda i: i.name
    )


def _ails(scene: Scene, instance: Instance) -> bool:
    """Whether there is anything to explain: Unhealthy, or in doubt and not Healthy as published."""
    verdict = scene.verdicts[instance.uid]
    if verdict.health is VMHealth.HEALTHY:
        return False
    return verdict.health is VMHealth.UNHEALTHY or verdict.doubt is not None


def _healthy_witness(
    scene: Scene, in_flight: list[RepairEntry], doubts: tuple[Doubt, ...]
) -> Instance | None:
    names = {d.witness for d in doubts if d.witness} - {e.replacement for e in in_flight}
    for name in names:
        pod = scene.by_name.get(name)
        if pod and pod.live and scene.verdicts[pod.uid].health is VMHealth.HEALTHY:
            return pod
    return None


def _leave(
    scene: Scene,
    opened: Opened,
    instance: Instance,
    reason: Reason,
    detail: tuple[str, datetime | None],
) -> None:
    verdict = scene.verdicts[instance.uid]
    message, until = detail
    never = reason in (
        Reason.DISABLED,
        Reason.INSTANCE_PROTECTED,
        Reason.NEVER_STARTED,
        Reason.OBSERVE_MODE,
    )
    if until is not None:
        opened.again.append(until)
    opened.decisions.append(
        Decision(
            instance=instance.name,
            health=verdict.health,
            since=verdict.since,
            decision=RepairDecision.SKIPPED if never else RepairDecision.DEFERRED,
            reason=reason,
            message=message,
            until=until,
        )
    )


def _take(
    scene: Scene, names: Names, opened: Opened, instance: Instance, witness: Instance | None
) -> None:
    """Give the instance a slot: at once if it was read live, else ask for that first (rule 3)."""
    way = way_of(scene, instance)
    if way is None or instance.name not in scene.observed.live_reads:
        opened.reads.add(instance.name)
        return
    cause = _cause(scene, instance) + reported(scene, instance, opened.entries)
    heir: dict[str, Any] = beginning(instance, way)
    if not way.images:
        heir["replacement"] = witness.name if witness else names.take()
        heir["replacement_uid"] = witness.uid if witness else None
    opened.entries.append(
        RepairEntry(
            instance=instance.name,
            uid=instance.uid,
            action=way.action,
            cause=f"{cause}; {way.note}" if way.note else cause,
            budgets=spent_by(scene, instance),
            cause_reason=scene.verdicts[instance.uid].reason,
            phase=RepairPhase.RECORDED,
            terminate_at=None if way.images else deadline(scene),
            start_time=scene.now,
            update_domain=instance.update_domain,
            attempt=attempts_before(scene, instance) + 1,
            model=scene.observed.template.model,
            **heir,
        )
    )


def _cause(scene: Scene, instance: Instance) -> str:
    """What is wrong with it, and what a person asked for."""
    if action_asked(scene.policy, instance) is None:
        return scene.verdicts[instance.uid].message
    asked = as_cause(instance)
    sick = scene.has_source and _ails(scene, instance)
    return f"{scene.verdicts[instance.uid].message}; {asked}" if sick else asked


def _in_flight_decisions(scene: Scene, entries: list[RepairEntry]) -> list[Decision]:
    """The victims still there and the replacements not yet healthy: what each waits for."""
    found: list[Decision] = []
    for entry in entries:
        if entry.uid in scene.noticed:
            found.append(_under_notice(scene, entry))
            continue
        reason, instead = _how_far(scene, entry)
        verdict = scene.verdicts.get(entry.uid)
        found.append(
            Decision(
                instance=entry.instance,
                health=verdict.health if verdict else VMHealth.UNHEALTHY,
                since=verdict.since if verdict else entry.start_time,
                decision=RepairDecision.REPAIRING,
                reason=reason,
                message=f"{entry.cause}; {instead}",
            )
        )
    return found


def _under_notice(scene: Scene, entry: RepairEntry) -> Decision:
    """A victim that was told: it goes when it approves, or at its deadline (R-54, X-11)."""
    verdict = scene.verdicts[entry.uid]
    until = entry.terminate_at or scene.now
    instead = f"replaced by {entry.replacement}" if entry.replacement else "not replaced"
    return Decision(
        instance=entry.instance,
        health=verdict.health,
        since=verdict.since,
        decision=RepairDecision.REPAIRING,
        reason=Reason.TERMINATION_DELAYED,
        message=f"{entry.cause}; {instead}; deleted at {format_time(until)} or on approval",
        until=entry.terminate_at,
    )


def _how_far(scene: Scene, entry: RepairEntry) -> tuple[Reason, str]:
    """What a repair waits for, and what takes the place of the instance as it was."""
    successor = scene.by_uid.get(entry.uid) if entry.in_place else scene.replacement(entry)
    started = successor is not None and successor.live and successor.started is not None
    instead = "renewed in place" if entry.in_place else f"replaced by {entry.replacement}"
    if started and not (entry.in_place and entry.phase is RepairPhase.RECORDED):
        return Reason.WAITING_FOR_HEALTH, instead
    return Reason.RESTARTING if entry.in_place else Reason.REPLACEMENT_STARTING, instead
