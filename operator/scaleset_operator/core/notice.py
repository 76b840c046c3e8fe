"""The terminate notice: told, replaced at once, deleted at approval or deadline (protocol rule 8).

Carries on the entries whose victim may be told, or was. The deadline is fixed with the record and
nothing moves it (R-54). Asks no gate: once the notice is given, it is carried out. Repairs only:
a scale-in or a rollout gives none.
"""

from datetime import datetime, timedelta

from scaleset_operator.api.ledger import RepairEntry, RepairPhase
from scaleset_operator.core.ledger import Progress, creation, may_create, succeed
from scaleset_operator.core.naming import Names
from scaleset_operator.core.objections import RECORD_LIFETIME
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import DeleteInstance, GiveNotice, Purpose
from scaleset_operator.core.scene import Scene


def deadline(scene: Scene) -> datetime | None:
    """Until when a victim that is recorded now may stay; None where it is given no notice.

    Whole seconds, rounded up: never earlier than promised. Not asked for a repair in place.
    """
    profile = scene.spec.terminate_notification_profile
    if profile is None or not profile.enable:
        return None
    exact = scene.now + profile.not_before_timeout
    whole = exact.replace(microsecond=0)
    return whole if whole == exact else whole + timedelta(seconds=1)


def unreplaced(entry: RepairEntry) -> RepairEntry:
    """The entry of a notice whose replacement is not wanted any more: its victim goes in time."""
    return entry.model_copy(update={"replacement": None, "replacement_uid": None})


def carry_out(scene: Scene, names: Names, progress: Progress) -> None:
    """Give the notices that are cleared, and bring those that were given forward.

    Args:
        scene: what this decision looks at.
        names: hands out the name of a successor.
        progress: of the ledger; takes the entries, their acts and what else is needed.
    """
    for entry in progress.cleared:
        not_after = entry.start_time + RECORD_LIFETIME
        progress.acts.append(_notice(entry, scene.by_uid[entry.uid], not_after))
    for recorded in progress.noticed:
        entry = recorded.model_copy(update={"phase": RepairPhase.NOTIFIED})
        progress.open.append(_with_replacement(scene, names, entry, progress))
        _part(scene, entry, scene.by_uid[entry.uid], progress)


def _due_at(entry: RepairEntry) -> datetime:
    """The deadline; every entry of a notice has one."""
    return entry.terminate_at or entry.start_time


def _notice(entry: RepairEntry, victim: Instance, not_after: datetime | None = None) -> GiveNotice:
    return GiveNotice(
        name=victim.name,
        uid=victim.uid,
        resource_version=victim.resource_version,
        terminate_at=_due_at(entry),
        not_after=not_after,
    )


def _with_replacement(
    scene: Scene, names: Names, entry: RepairEntry, progress: Progress
) -> RepairEntry:
    """See to the replacement without waiting for the victim (R-52); it closes nothing yet."""
    if entry.replacement is None:
        return entry
    replacement = scene.replacement(entry)
    if replacement is not None and replacement.live:
        return entry.model_copy(
            update={"replacement_uid": replacement.uid, "model": replacement.model}
        )
    used = entry.replacement_uid is not None or entry.replacement in scene.observed.unusable
    if replacement is not None or used:
        # The grace of the slot is counted from the DELETE at the earliest, and none was sent yet.
        return succeed(scene, names, entry).model_copy(update={"deleted_time": None})
    if may_create(scene):
        progress.acts.append(creation(scene, entry))
    return entry


def _part(scene: Scene, entry: RepairEntry, victim: Instance, progress: Progress) -> None:
    """Delete the victim once it approves or the deadline has come, on a live read (rule 5).

    Until then the deadline on the pod is put right if somebody has rewritten it.
    """
    latest = _due_at(entry)
    due = victim.termination_approved or scene.now >= latest
    refused = scene.observed.refused_until.get(victim.name)
    if not due:
        progress.again.append(latest)
    if not due and victim.terminate_at == latest:
        return
    if refused is not None and scene.now < refused:
        progress.again.append(refused)
    elif victim.name not in scene.observed.live_reads:
        progress.reads.add(victim.name)
    elif due:
        progress.acts.append(
            DeleteInstance(
                name=victim.name,
                uid=victim.uid,
                resource_version=victim.resource_version,
                purpose=Purpose.REPAIR,
            )
        )
    else:
        progress.acts.append(_notice(entry, victim))
