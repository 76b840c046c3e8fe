"""The life of a repair that keeps the pod: Restart and Reimage (protocol rule 10).

Recorded, with the images it starts from and the exact target; then one patch; then closed on what
the new containers show. An older image is never written over a newer model: what has changed since
the record closes the entry instead.
Must not know who is repaired next: that is `repair`.
"""

from datetime import datetime
from typing import Any

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry, RepairPhase, RepairResult
from scaleset_operator.api.repairpolicy import RepairAction
from scaleset_operator.core.ledger import Progress, await_health, close, stands_healthy
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME, Objection, objection
from scaleset_operator.core.observed import NOT_RENEWED, Containers, Instance
from scaleset_operator.core.plan import Purpose, RenewInstance
from scaleset_operator.core.renewal import SECOND
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.ways import Way


def beginning(instance: Instance, way: Way) -> dict[str, Any]:
    """The fields of an entry that tell where a repair in place begins and where it goes."""
    if not way.images:
        return {}
    return {
        "from_model": instance.model,
        "from_images": instance.containers.images,
        "target_images": way.images,
    }


def renew(scene: Scene, progress: Progress) -> None:
    """Bring every repair in place forward as far as this observation allows."""
    for entry, too_many in reversed(progress.in_place):
        instance = scene.by_uid[entry.uid]
        if entry.phase is RepairPhase.RECORDED and not _is_patched(entry, instance):
            _before_patch(scene, entry, instance, progress, too_many=too_many)
        else:
            _after_patch(scene, entry, instance, progress)


def _is_patched(entry: RepairEntry, instance: Instance) -> bool:
    """Whether the pod bears the target, and our mark beside it or the start that followed."""
    if instance.containers.images != entry.target_images:
        return False
    began = entry.start_time - SECOND
    return instance.attempt == entry.attempt or bool(instance.started and instance.started > began)


def _before_patch(
    scene: Scene, entry: RepairEntry, instance: Instance, progress: Progress, *, too_many: bool
) -> None:
    """Ask every gate again; a No cancels, a Yes patches what was read live (rules 3 to 5, 10)."""
    if entry.instance not in scene.observed.live_reads:
        progress.reads.add(entry.instance)
        progress.open.append(entry)
        return
    no = _superseded(scene, entry, instance) or objection(scene, entry, instance, too_many=too_many)
    cancel_from = entry.start_time + CANCEL_AFTER
    if no is None:
        progress.open.append(entry)
        progress.acts.append(renewal(instance, entry))
    elif no.reason is Reason.REPAIR_BACK_OFF:
        close(progress, entry, RepairResult.FAILED, Reason.RESTART_REFUSED, no.detail)
    elif no.lasts and scene.now >= cancel_from:
        close(progress, entry, RepairResult.CANCELLED, no.reason, no.detail)
    else:
        progress.open.append(entry)
        progress.again.append(cancel_from)


def _superseded(scene: Scene, entry: RepairEntry, instance: Instance) -> Objection | None:
    """What is no more as it was recorded: the latest model, or the pod's own model and images."""
    latest = scene.observed.template.model
    if latest != entry.model:
        return Objection(Reason.SUPERSEDED, f"the latest model is {latest} now")
    if instance.model != entry.from_model or instance.containers.images != entry.from_images:
        return Objection(Reason.SUPERSEDED, "somebody else has changed its model or images")
    return None


def renewal(instance: Instance, entry: RepairEntry) -> RenewInstance:
    """The one patch: the target's images, the model they are of, and the lineage's count."""
    restarts = entry.action is RepairAction.RESTART
    return RenewInstance(
        name=instance.name,
        uid=instance.uid,
        resource_version=instance.resource_version,
        images=changes(instance.containers, entry.target_images),
        renewed_from=renewed_from(instance.containers, entry.target_images),
        model=(entry.from_model if restarts else entry.model) or instance.model,
        attempt=entry.attempt,
        purpose=Purpose.REPAIR,
        not_after=entry.start_time + RECORD_LIFETIME,
    )


def changes(containers: Containers, target: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(container, image) of those whose reference becomes another."""
    rows = zip(containers.names, containers.images, target, strict=True)
    return tuple((name, wanted) for name, image, wanted in rows if wanted != image)


def renewed_from(containers: Containers, target: tuple[str, ...]) -> str:
    """Restart counts after which a run is a new one; a container that keeps its image has none."""
    rows = zip(containers.images, containers.restarts, target, strict=True)
    return ",".join(
        NOT_RENEWED if wanted == image else str(max(0, count)) for image, count, wanted in rows
    )


def _after_patch(scene: Scene, entry: RepairEntry, instance: Instance, progress: Progress) -> None:
    """Close on the health of the new containers or at the end of its grace, on a live read."""
    begun = scene.since(entry.restarted_time)
    entry = entry.model_copy(update={"phase": RepairPhase.RESTARTING, "restarted_time": begun})
    if instance.containers.images == entry.target_images:
        healthy, ends = is_well(scene, instance), slot_ends(scene, instance, begun)
        await_health(scene, entry, instance, progress, healthy=healthy, ends=ends)
    elif entry.instance in scene.observed.live_reads:
        message = "somebody else has changed its images"
        close(progress, entry, RepairResult.CANCELLED, Reason.SUPERSEDED, message)
    else:
        progress.reads.add(entry.instance)
        progress.open.append(entry)


def is_well(scene: Scene, instance: Instance) -> bool:
    """Whether the new containers have shown it, and that stands on the pod."""
    if not scene.has_source:
        return instance.ready and instance.started is not None
    return not instance.renewing and stands_healthy(scene, instance)


def slot_ends(scene: Scene, instance: Instance, begun: datetime) -> datetime:
    """The grace of the slot: from the moment the containers run again, or from the patch."""
    return (instance.started or begun) + scene.slot_grace
