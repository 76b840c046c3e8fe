"""The life of an entry, from record to close (protocol rules 3 to 9).

Takes the entries as they are recorded and says what each is now, which acts it is due, and which
of them end, how and why. Opens none: that is `repair`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import (
    MAX_STALLED,
    RepairEntry,
    RepairPhase,
    RepairResult,
    StalledInstance,
)
from scaleset_operator.core.naming import Names
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME, dated, objection
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Action, CreateInstance, DeleteInstance, Purpose
from scaleset_operator.core.scene import Scene

ONE_RESTART: Final = 1
"""How often the grace of a slot may start again for one model (rule 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """An entry that ends, with its result and the reason code."""

    entry: RepairEntry
    result: RepairResult
    reason: Reason
    message: str


@dataclass(slots=True)
class Progress:
    """What became of the recorded entries in one decision.

    Attributes:
        open: entries that go on, as they stand now.
        closed: entries that end.
        acts: what the open ones are due.
        reads: names to be read live before an entry may go on or close.
        again: moments at which time alone changes an entry.
        cleared: entries that go on and whose victim may be given its notice now (rule 8).
        noticed: entries whose victim was given it; `notice` carries both on.
        in_place: entries whose pod stays, with whether there are too many; `inplace` carries
            them on.
    """

    open: list[RepairEntry] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    acts: list[Action] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)
    cleared: list[RepairEntry] = field(default_factory=list)
    noticed: list[RepairEntry] = field(default_factory=list)
    in_place: list[tuple[RepairEntry, bool]] = field(default_factory=list)


def advance(scene: Scene, names: Names) -> Progress:
    """Bring every recorded entry forward as far as this observation allows.

    On a view that is not fresh nothing moves (X-07).
    """
    progress = Progress()
    if not scene.observed.view_is_fresh:
        progress.open.extend(scene.entries)
        return progress
    surplus = len(scene.entries) - scene.allowance
    entries = [dated(scene, entry) for entry in scene.entries]
    for entry in sorted(entries, key=lambda e: (e.start_time, e.instance), reverse=True):
        if scene.past_delete(entry):
            _replace(scene, names, _to_be_replaced(entry, names), progress)
        elif entry.uid in scene.noticed:
            progress.noticed.append(entry)
        elif entry.in_place:
            untouched = entry.phase is RepairPhase.RECORDED
            progress.in_place.append((entry, untouched and surplus > 0))
            surplus -= untouched and surplus > 0
        elif entry.instance not in scene.observed.live_reads:
            # Neither a DELETE nor a close stands on a cache: the victim may be gone already.
            progress.reads.add(entry.instance)
            progress.open.append(entry)
        else:
            _before_delete(scene, entry, progress, too_many=surplus > 0)
            surplus -= surplus > 0
    progress.open.reverse()
    return progress


def close(
    progress: Progress, entry: RepairEntry, result: RepairResult, reason: Reason, message: str = ""
) -> None:
    """End an entry."""
    progress.closed.append(Closed(entry=entry, result=result, reason=reason, message=message))


def _before_delete(scene: Scene, entry: RepairEntry, progress: Progress, *, too_many: bool) -> None:
    """Ask every gate again; a No cancels, a Yes deletes what was read live (rules 3 to 5)."""
    victim = scene.by_uid[entry.uid]
    no = objection(scene, entry, victim, too_many=too_many)
    cancel_from = entry.start_time + CANCEL_AFTER
    if no is not None and no.reason is Reason.REPAIR_BACK_OFF:
        close(progress, entry, RepairResult.FAILED, Reason.DELETE_REFUSED, no.detail)
    elif no is not None and no.lasts and scene.now >= cancel_from:
        close(progress, entry, RepairResult.CANCELLED, no.reason, no.detail)
    else:
        progress.open.append(entry)
        if no is None and entry.terminate_at is not None:
            progress.cleared.append(entry)
        elif no is None:
            _delete(scene, entry, victim, progress)
        else:
            progress.again.append(cancel_from)


def _delete(scene: Scene, entry: RepairEntry, victim: Instance, progress: Progress) -> None:
    progress.acts.append(
        DeleteInstance(
            name=victim.name,
            uid=victim.uid,
            resource_version=victim.resource_version,
            purpose=Purpose.REPAIR,
            not_after=entry.start_time + RECORD_LIFETIME,
        )
    )
    if scene.replacement(entry) is None:
        progress.acts.append(creation(scene, entry, after=victim.uid))


def creation(scene: Scene, entry: RepairEntry, after: str | None = None) -> CreateInstance:
    """The act that makes an entry's replacement, under the name that it records (rule 7)."""
    name = entry.replacement or ""
    return CreateInstance(
        name=name,
        instance_id=Names.id_of(name),
        update_domain=entry.update_domain,
        model=scene.observed.template.model,
        replaces=entry.instance,
        attempt=entry.attempt,
        after=after,
    )


def _to_be_replaced(entry: RepairEntry, names: Names) -> RepairEntry:
    """A pod that was to stay has gone all the same: its repair owes one like any other (rule 6)."""
    if not entry.in_place:
        return entry
    return entry.model_copy(update={"replacement": names.take(), "target_images": ()})


def _replace(scene: Scene, names: Names, entry: RepairEntry, progress: Progress) -> None:
    """The victim is past its DELETE: see to the replacement (rules 6, 7, 9)."""
    moments = {"deleted_time": scene.since(entry.deleted_time)}
    if entry.grace_from is not None:
        moments["grace_from"] = scene.since(entry.grace_from)
    entry = entry.model_copy(update={"phase": RepairPhase.REPLACING, **moments})
    replacement = scene.replacement(entry)
    if scene.is_not_replaced(entry):
        message = "fewer instances are wanted"
        close(progress, entry, RepairResult.CANCELLED, Reason.SCALED_IN, message)
    elif replacement is None:
        _without_replacement(scene, names, entry, progress)
    elif not replacement.live:
        progress.open.append(succeed(scene, names, entry))
    else:
        _with_replacement(scene, entry, replacement, progress)


def _without_replacement(
    scene: Scene, names: Names, entry: RepairEntry, progress: Progress
) -> None:
    """No pod of the recorded name: create it, or take the next name if it cannot be used."""
    if entry.replacement_uid is not None or entry.replacement in scene.observed.unusable:
        progress.open.append(succeed(scene, names, entry))
        return
    ends = _slot_ends(scene, entry, None)
    asked = {entry.instance} if scene.by_uid.get(entry.uid) is None else set()
    asked |= {entry.replacement or ""} if scene.now >= ends else set()
    if asked - scene.observed.live_reads:
        # A cache that has not seen a pod yet looks like one whose pod is gone.
        progress.reads |= asked
        progress.open.append(entry)
    elif scene.now >= ends:
        close(progress, entry, RepairResult.FAILED, Reason.GRACE_EXPIRED, "never created")
    else:
        progress.again.append(ends)
        progress.open.append(entry)
        if may_create(scene):
            progress.acts.append(creation(scene, entry))


def may_create(scene: Scene) -> bool:
    """Whether no refused create is being waited out."""
    refused = scene.observed.create_refused
    return refused is None or scene.now >= refused[2]


def _with_replacement(
    scene: Scene, entry: RepairEntry, replacement: Instance, progress: Progress
) -> None:
    """Close on its health or at the end of its grace, on a live read only (rule 9)."""
    entry = entry.model_copy(
        update={"replacement_uid": replacement.uid, "model": replacement.model}
    )
    ends = _slot_ends(scene, entry, replacement)
    healthy = stands_healthy(scene, replacement)
    await_health(scene, entry, replacement, progress, healthy=healthy, ends=ends)


def await_health(
    scene: Scene,
    entry: RepairEntry,
    instance: Instance,
    progress: Progress,
    *,
    healthy: bool,
    ends: datetime,
) -> None:
    """Close on the health of what makes up for the victim, or when the grace of its slot ends.

    On a live read only (rule 9); until then the entry stays open.
    """
    if not healthy and scene.now < ends:
        progress.again.append(ends)
        progress.open.append(entry)
    elif instance.name not in scene.observed.live_reads:
        progress.reads.add(instance.name)
        progress.open.append(entry)
    elif healthy:
        close(progress, entry, RepairResult.SUCCEEDED, Reason.ANSWERING)
    else:
        message = f"{instance.name} was not healthy when its grace ended"
        close(progress, entry, RepairResult.FAILED, Reason.GRACE_EXPIRED, message)


def stands_healthy(scene: Scene, instance: Instance) -> bool:
    """Whether it is Healthy, and that stands on the pod."""
    published = instance.published
    return (
        scene.verdicts[instance.uid].health is VMHealth.HEALTHY
        and published is not None
        and published.health is VMHealth.HEALTHY
    )


def _slot_ends(scene: Scene, entry: RepairEntry, replacement: Instance | None) -> datetime:
    """End of the grace for the slot: from the containers' start, or from the DELETE (rule 9)."""
    start = entry.deleted_time or entry.start_time
    if replacement is not None and replacement.started is not None:
        start = replacement.started
    if entry.grace_from is not None and entry.successors > ONE_RESTART:
        start = entry.grace_from
    return start + scene.slot_grace


def succeed(scene: Scene, names: Names, entry: RepairEntry) -> RepairEntry:
    """The replacement was itself removed: the next name takes its place (rule 7)."""
    model = scene.observed.template.model
    same = entry.model == model
    return entry.model_copy(
        update={
            "replacement": names.take(),
            "replacement_uid": None,
            "model": model,
            "deleted_time": scene.now,
            "successors": entry.successors + 1 if same else 1,
            "grace_from": entry.grace_from if same and entry.grace_from else scene.now,
        }
    )


def stalled(scene: Scene, closed: list[Closed]) -> tuple[StalledInstance, ...]:
    """Old pods still Terminating after their entry has closed (R-15): listed, holding nothing."""
    listed = (
        [s for s in scene.observed.status.repairs.stalled if s.uid in scene.by_uid]
        if scene.observed.view_is_fresh
        else list(scene.observed.status.repairs.stalled)
    )
    known = {s.uid for s in listed}
    for end in closed:
        victim = scene.by_uid.get(end.entry.uid)
        if victim is not None and victim.terminating and victim.uid not in known:
            listed.append(StalledInstance(instance=victim.name, uid=victim.uid, since=scene.now))
    return tuple(listed[-MAX_STALLED:])
