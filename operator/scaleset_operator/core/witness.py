"""One extra instance, to learn whether a silent set is dead or unseen (protocol rule 18).

Keeps the ledger of doubt: since when the set has been silent, the witness, and when the next may
be sent. Deletes nothing itself and never touches an instance that is no witness.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import Doubt
from scaleset_operator.api.scalesetstatus import RemovalPurpose, ScaleInVictim
from scaleset_operator.core.doubt import Doubtfulness, hold_time
from scaleset_operator.core.gates import closed_to_all, first_closed
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance, ProbeView
from scaleset_operator.core.plan import CreateInstance, Note
from scaleset_operator.core.scene import Scene

LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(slots=True)
class Doubts:
    """What becomes of the recorded doubts.

    Attributes:
        stand: doubts to be recorded; at most one, for the set as a whole.
        removals: witnesses that stayed silent, or that nobody needs any more.
    """

    stand: tuple[Doubt, ...] = ()
    acts: list[CreateInstance] = field(default_factory=list)
    removals: list[ScaleInVictim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    again: list[datetime] = field(default_factory=list)


def look_into(scene: Scene, names: Names, domain: int) -> Doubts:
    """Open, carry on or end the doubt about a silent set.

    Args:
        scene: what this decision looks at.
        names: hands out the witness's name.
        domain: update domain for a witness.
    """
    found = Doubts()
    recorded = next(iter(scene.observed.status.repairs.doubts), None)
    kinds = {v.doubt for v in scene.verdicts.values()}
    silent = Doubtfulness.SET_SILENT in kinds or Doubtfulness.BLIND in kinds
    probe = scene.observed.probe
    if not scene.observed.view_is_fresh or probe is None:
        found.stand = scene.observed.status.repairs.doubts
    elif recorded is None:
        if silent:
            _begin(scene, probe, found)
    elif silent:
        found.stand = (_carry_on(scene, names, domain, recorded, found),)
    elif kinds - {None} or _is_awaited(scene, recorded):
        found.stand = (recorded,)
    else:
        _dismiss(scene, recorded, found)
    return found


def witnesses(scene: Scene, doubts: Doubts) -> frozenset[str]:
    """Names of the instances that do not count: a witness, and those on their way out."""
    leaving = [v for v in scene.observed.status.scale_in if v.purpose is RemovalPurpose.WITNESS]
    pods = (scene.by_uid.get(v.uid) for v in (*leaving, *doubts.removals))
    names = {pod.name for pod in pods if pod is not None and not pod.protected}
    return frozenset(names | {d.witness for d in doubts.stand if d.witness})


def _begin(scene: Scene, probe: ProbeView, found: Doubts) -> None:
    doubt = Doubt(
        group=f"ScaleSet/{scene.observed.name}",
        since=scene.now,
        next_time=scene.now + hold_time(probe),
    )
    found.stand = (doubt,)
    found.again.append(scene.now + hold_time(probe))
    found.notes.append(
        Note(
            reason=scene.silence[0],
            message="no instance of the set answers, and none says why: nothing is repaired on "
            "silence until it is known that the prober can see",
            warning=True,
        )
    )


def _surplus_witness(scene: Scene, doubt: Doubt) -> Instance | None:
    """The witness while it is an extra instance; None once it has taken another one's place."""
    pod = scene.by_name.get(doubt.witness or "")
    if pod is None or not pod.live or any(e.replacement == pod.name for e in scene.entries):
        return None
    owed = sum(scene.owes(e) for e in scene.entries)
    return pod if len(scene.staying) + owed > scene.spec.replicas else None


def _is_awaited(scene: Scene, doubt: Doubt) -> bool:
    """Whether a repair is due, or about to be, whose replacement the witness shall be."""
    pod = _surplus_witness(scene, doubt)
    bad = [i for i in scene.live if scene.verdicts[i.uid].health is VMHealth.UNHEALTHY]
    gates = (first_closed(scene, i) for i in bad if pod is not None and i.uid != pod.uid)
    return any(gate is None or gate.reason is Reason.HEALTH_UNKNOWN for gate in gates)


def _dismiss(scene: Scene, doubt: Doubt, found: Doubts) -> None:
    """Doubt ended otherwise: a witness that nobody needs goes first (rule 18)."""
    pod = _surplus_witness(scene, doubt)
    if pod is not None and not pod.protected:
        found.removals.append(_removal(pod))


def _removal(pod: Instance) -> ScaleInVictim:
    return ScaleInVictim(name=pod.name, uid=pod.uid, purpose=RemovalPurpose.WITNESS)


def _carry_on(scene: Scene, names: Names, domain: int, doubt: Doubt, found: Doubts) -> Doubt:
    if doubt.witness is None:
        return _send(scene, names, doubt, found)
    pod = scene.by_name.get(doubt.witness)
    if pod is None:
        return _create(scene, names, domain, doubt, found)
    if not pod.live:
        return _silent_witness(scene, doubt, found)
    doubt = doubt.model_copy(update={"witness_uid": pod.uid})
    if scene.verdicts[pod.uid].health is VMHealth.HEALTHY:
        return doubt
    return _await_word(scene, doubt, pod, found)


def _send(scene: Scene, names: Names, doubt: Doubt, found: Doubts) -> Doubt:
    """Name a witness once the wait is over, the prober sees, and repairs may act at all."""
    due = doubt.next_time or scene.now
    if scene.now < due:
        found.again.append(due)
        return doubt
    blind = any(v.doubt is Doubtfulness.BLIND for v in scene.verdicts.values())
    if blind or closed_to_all(scene) is not None or _others_ask_already(scene):
        return doubt
    name = names.take()
    found.notes.append(
        Note(reason=Reason.WITNESS_CREATED, message=f"{name} shows whether the prober can see")
    )
    return doubt.model_copy(update={"witness": name, "witness_uid": None})


def _others_ask_already(scene: Scene) -> bool:
    """One witness in all while more than half of the sets are silent together (rule 18)."""
    fleet = scene.observed.fleet
    return 2 * fleet.silent_sets > fleet.watched_sets > 1 and fleet.witnesses > 0


def _create(scene: Scene, names: Names, domain: int, doubt: Doubt, found: Doubts) -> Doubt:
    name = doubt.witness or ""
    if doubt.witness_uid is not None or name in scene.observed.unusable:
        return doubt.model_copy(update={"witness": names.take(), "witness_uid": None})
    refused = scene.observed.create_refused
    if refused is None or scene.now >= refused[2]:
        found.acts.append(
            CreateInstance(
                name=name,
                instance_id=Names.id_of(name),
                update_domain=domain,
                model=scene.observed.template.model,
            )
        )
    return doubt


def _await_word(scene: Scene, doubt: Doubt, pod: Instance, found: Doubts) -> Doubt:
    """A witness has the grace of a slot to answer; then it goes, and the wait doubles."""
    ends = (pod.started or pod.created) + scene.slot_grace
    blind = any(v.doubt is Doubtfulness.BLIND for v in scene.verdicts.values())
    if scene.now < ends or pod.protected or blind:
        found.again.append(ends)
        return doubt
    found.removals.append(_removal(pod))
    return _silent_witness(scene, doubt, found)


def _silent_witness(scene: Scene, doubt: Doubt, found: Doubts) -> Doubt:
    attempts = doubt.attempts + 1
    probe = scene.observed.probe
    hold = hold_time(probe) if probe else LONGEST_WAIT
    wait = min(hold * 2 ** min(attempts, 12), LONGEST_WAIT)
    found.again.append(scene.now + wait)
    found.notes.append(
        Note(
            reason=Reason.WITNESS_SILENT,
            message=f"{doubt.witness} did not answer either",
            warning=True,
        )
    )
    return doubt.model_copy(
        update={
            "witness": None,
            "witness_uid": None,
            "attempts": attempts,
            "next_time": scene.now + wait,
        }
    )
