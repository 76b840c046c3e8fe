"""How many instances there are to be, which are created and how many go.

Names are recorded before the create, victims before the DELETE (rule 24). Update domains stay
balanced to within one. Knows nothing of repairs but that an entry owes a replacement (rule 6).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry, RepairResult
from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.api.scalesetstatus import (
    MAX_CREATING,
    MAX_SCALE_IN,
    CreatingInstance,
    RemovalPurpose,
    ScaleInVictim,
)
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.naming import Names, is_behind
from scaleset_operator.core.notice import unreplaced
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Action, CreateInstance, DeleteInstance, Purpose
from scaleset_operator.core.returning import RETRY, resolved
from scaleset_operator.core.rollout_limits import affordable
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.victims import first_to_go

FREE_DEATHS: Final = 3
"""So many instances may end by themselves within ten minutes before creates slow down."""
FIRST_DELAY: Final = timedelta(seconds=10)
LONGEST_DELAY: Final = timedelta(minutes=2)

PURPOSE: Final = {
    RemovalPurpose.SCALE_IN: Purpose.SCALE_IN,
    RemovalPurpose.ROLLOUT: Purpose.ROLLOUT,
    RemovalPurpose.WITNESS: Purpose.WITNESS,
}


@dataclass(slots=True)
class Scaling:
    """What becomes of the number of instances.

    Attributes:
        creating: names owed, recorded before their create.
        removing: victims, recorded before their DELETE.
        entries: repairs that go on; those no longer wanted are in `closed`.
        moves: instances under maintenance that go on; those no longer wanted end.
        list_live: what goes or comes must be chosen on a live LIST that is not there yet.
        missing: instances that are wanted and neither live nor owed by a repair.
        held: recorded victims of a rollout that stay until the floor has room for them.
    """

    creating: list[CreatingInstance] = field(default_factory=list)
    removing: list[ScaleInVictim] = field(default_factory=list)
    entries: list[RepairEntry] = field(default_factory=list)
    moves: list[MaintenanceEntry] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    acts: list[Action] = field(default_factory=list)
    list_live: bool = False
    missing: int = 0
    held: int = 0
    again: list[datetime] = field(default_factory=list)


class Domains:
    """How many instances each update domain holds, those still owed included."""

    def __init__(
        self,
        scene: Scene,
        entries: list[RepairEntry],
        moves: Iterable[MaintenanceEntry] = (),
    ) -> None:
        counted = (i for i in scene.staying if i.name not in scene.surplus)
        self.sizes = Counter(i.update_domain for i in counted)
        for entry in entries:
            if scene.owes(entry):
                self.sizes[entry.update_domain] += 1
        self.sizes.update(move.update_domain for move in moves if scene.move_owes(move))
        self.count = scene.spec.update_domain_count

    def smallest(self) -> int:
        """The domain for the next instance: the least filled, the lowest of equals (M-11)."""
        return min(range(self.count), key=lambda d: (self.sizes[d], d))

    def take(self) -> int:
        """Put one more instance into the least filled domain."""
        domain = self.smallest()
        self.sizes[domain] += 1
        return domain


def scale(
    scene: Scene,
    names: Names,
    entries: list[RepairEntry],
    extra: frozenset[str],
    moves: Sequence[MaintenanceEntry] = (),
) -> Scaling:
    """Compare what is there with what is wanted, and say what follows.

    Args:
        scene: what this decision looks at.
        names: hands out the names that are recorded.
        entries: repairs in flight; each owes the set one instance.
        extra: names that do not count: witnesses while doubt lasts and on their way out (rule 18),
            and the successors of a rollout beside those that they follow.
        moves: instances under maintenance; one that is away comes again under its name.
    """
    result = Scaling(entries=list(entries), moves=list(moves))
    status = scene.observed.status
    if not scene.observed.view_is_fresh:
        result.creating, result.removing = list(status.creating), list(status.scale_in)
        return result
    result.creating = _still_owed(scene)
    early = {e.replacement for e in entries if not scene.has_made_way(e)}
    live = [i for i in scene.staying if i.name not in extra and i.name not in early]
    owed = sum(scene.owes(e) for e in entries) + len(result.creating)
    owed += sum(scene.move_owes(e) for e in moves)
    want = scene.spec.replicas - len(live) - owed
    if want > 0:
        want = max(0, want - sum(pod.live for pod in scene.observed.adoptable))
    if want > 0:
        result.missing = want + len(result.creating)
        result.removing = _still_leaving(scene, 0)
        _grow(scene, names, result, want)
    else:
        _shrink(scene, result, live, -want)
        result.missing = len(result.creating)
    _create(scene, result)
    _delete(scene, result)
    return result


def _still_owed(scene: Scene) -> list[CreatingInstance]:
    return [
        c
        for c in scene.observed.status.creating
        if c.name not in scene.by_name and c.name not in scene.observed.unusable
    ]


def _grow(scene: Scene, names: Names, result: Scaling, want: int) -> None:
    """Record names for what is missing; a set that is not accepted grows by nothing."""
    seen = scene.observed
    if not seen.template.checked or seen.template.fault or seen.overlaps_with or seen.deleting:
        return
    wait = _over_delay(seen.recently_over)
    if wait is not None and scene.now < wait:
        result.again.append(wait)
        return
    if is_behind(seen) and not seen.listed:
        result.list_live = True
        return
    domains = Domains(scene, result.entries, result.moves)
    domains.sizes.update(c.update_domain for c in result.creating)
    for _ in range(min(want, MAX_CREATING - len(result.creating))):
        result.creating.append(
            CreatingInstance(
                name=names.take(), update_domain=domains.take(), model=seen.template.model
            )
        )


def _over_delay(deaths: tuple[datetime, ...]) -> datetime | None:
    """Until when instances that end by themselves are not made up for: doubling, bounded."""
    excess = len(deaths) - FREE_DEATHS
    if excess <= 0:
        return None
    delay: timedelta = min(FIRST_DELAY * 2.0 ** (excess - 1), LONGEST_DELAY)
    return deaths[-1] + delay


def _create(scene: Scene, result: Scaling) -> None:
    """Create what was recorded before; never a name recorded only now."""
    refused = scene.observed.create_refused
    if refused is not None and scene.now < refused[2]:
        result.again.append(refused[2])
        return
    recorded = {c.name for c in scene.observed.status.creating}
    result.acts.extend(
        CreateInstance(
            name=owed.name,
            instance_id=Names.id_of(owed.name),
            update_domain=owed.update_domain,
            model=scene.observed.template.model,
        )
        for owed in result.creating
        if owed.name in recorded
    )


def _shrink(scene: Scene, result: Scaling, live: list[Instance], surplus: int) -> None:
    """Give up what is owed first, then choose victims among the living (rule 24)."""
    owing = [e for e in result.entries if scene.owes(e)]
    away = [e for e in result.moves if scene.move_owes(e)]
    if surplus > 0 and (result.creating or owing or away) and not scene.observed.listed:
        # What is owed may be there already, made by another operator and not in the cache yet.
        result.removing, result.list_live = _still_leaving(scene, surplus), True
        return
    surplus = _give_up_owed(scene, result, owing, away, surplus)
    result.removing = _still_leaving(scene, surplus)
    leaving = {v.uid for v in result.removing}
    # One that a rollout takes is not made up for while there are too many.
    surplus -= sum(v.purpose is not RemovalPurpose.WITNESS for v in result.removing)
    staying = [i for i in live if i.uid not in leaving and not i.protected]
    if surplus <= 0 or not staying:
        return
    if not scene.observed.listed:
        result.list_live = True
        return
    room = MAX_SCALE_IN - len(result.removing)
    for victim in first_to_go(scene, staying, min(surplus, room)):
        result.removing.append(ScaleInVictim(name=victim.name, uid=victim.uid))
        for entry in [
            e for e in result.entries if victim.uid == e.uid or victim.name == e.replacement
        ]:
            _give_up(scene, result, entry)


def _give_up_owed(
    scene: Scene,
    result: Scaling,
    owing: list[RepairEntry],
    away: list[MaintenanceEntry],
    surplus: int,
) -> int:
    """Do without what is still to come, new ones first; gives the surplus that is left."""
    while surplus > 0 and result.creating:
        result.creating.pop()
        surplus -= 1
    for entry in sorted(owing, key=lambda e: e.start_time, reverse=True)[: max(0, surplus)]:
        _give_up(scene, result, entry)
        surplus -= 1
    for move in away[: max(0, surplus)]:
        # Its place may still be held: the entry stays until that is given up.
        at = result.moves.index(move)
        result.moves[at] = resolved(scene, move, RETRY, "fewer instances are wanted")
        surplus -= 1
    return surplus


def _give_up(scene: Scene, result: Scaling, entry: RepairEntry) -> None:
    """Close the repair; a notice given is carried out all the same, without a replacement."""
    result.entries.remove(entry)
    if entry.uid in scene.noticed:
        result.entries.append(unreplaced(entry))
        return
    result.closed.append(
        Closed(
            entry=entry,
            result=RepairResult.CANCELLED,
            reason=Reason.SCALED_IN,
            message="fewer instances are wanted",
        )
    )


def _still_leaving(scene: Scene, surplus: int) -> list[ScaleInVictim]:
    """Recorded victims that are still there and still to go; protection takes one off the list."""
    leaving: list[ScaleInVictim] = []
    for victim in scene.observed.status.scale_in:
        pod = scene.by_uid.get(victim.uid)
        if pod is None or not pod.live or _is_shielded(pod, victim.purpose):
            continue
        if victim.purpose is RemovalPurpose.SCALE_IN:
            surplus -= 1
            if surplus < 0:
                continue
        leaving.append(victim)
    return leaving


def _is_shielded(pod: Instance, purpose: RemovalPurpose) -> bool:
    """Whether protection takes it off the list: a rollout heeds that from actions only (R-47)."""
    return pod.protected_from_actions if purpose is RemovalPurpose.ROLLOUT else pod.protected


def _delete(scene: Scene, result: Scaling) -> None:
    """Delete victims that were recorded before; those of a rollout as the floor has room."""
    recorded = {v.uid for v in scene.observed.status.scale_in}
    going = affordable(scene, result.removing)
    result.held = len(result.removing) - len(going)
    for victim in result.removing:
        pod = scene.by_uid[victim.uid]
        if victim.uid in recorded & going:
            result.acts.append(
                DeleteInstance(
                    name=pod.name,
                    uid=pod.uid,
                    resource_version=pod.resource_version,
                    purpose=PURPOSE[victim.purpose],
                )
            )
