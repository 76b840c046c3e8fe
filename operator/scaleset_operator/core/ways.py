"""Which way an instance can be repaired: by replacing it, or by renewing the containers inside it.

Restart gives every container another spelling of its own image; Reimage gives it the latest
model's, and becomes a Replace where the models differ in more than images (design.md section 3).
Must not know whether the instance may be repaired, or when.
"""

from typing import NamedTuple

from scaleset_operator.api.ledger import MAX_IMAGE_LENGTH, MAX_TARGET_IMAGES
from scaleset_operator.api.repairpolicy import RepairAction
from scaleset_operator.core.images import equivalent, plain
from scaleset_operator.core.model import shape_of
from scaleset_operator.core.observed import NOT_MADE, Instance
from scaleset_operator.core.requests import action_asked
from scaleset_operator.core.scene import Scene

NOT_IN_PLACE = "Reimage becomes Replace: the models differ in more than images"


class Way(NamedTuple):
    """How one instance is repaired.

    Attributes:
        images: the exact image of each container, in the pod's order; empty for a Replace.
        note: what is to be said of the choice.
    """

    action: RepairAction
    images: tuple[str, ...] = ()
    note: str = ""


def way_of(scene: Scene, instance: Instance) -> Way | None:
    """The way that the owner's policy, or a person's request, means for this instance.

    Returns:
        None where it is to stay and an image has no second spelling.
    """
    action = action_asked(scene.policy, instance) or scene.policy.repair_action
    match action:
        case RepairAction.RESTART:
            return _in_place(action, _respelled(scene, instance))
        case RepairAction.REIMAGE:
            if not is_of_latest_shape(scene, instance):
                return Way(RepairAction.REPLACE, note=NOT_IN_PLACE)
            return _in_place(action, _reimaged(scene, instance))
        case _:
            return Way(action)


def is_of_latest_shape(scene: Scene, instance: Instance) -> bool:
    """Whether the instance's model and the latest differ in images at most."""
    return shape_of(instance.model) == shape_of(scene.observed.template.model)


def latest_images(scene: Scene, instance: Instance) -> tuple[str, ...]:
    """The images of the latest model in the pod's order; its own for containers not of ours."""
    latest = dict(scene.observed.template.images)
    containers = instance.containers
    pairs = zip(containers.names, containers.images, strict=True)
    return tuple(latest.get(name, image) for name, image in pairs)


def update_images(scene: Scene, instance: Instance) -> tuple[str, ...]:
    """The images that a rollout gives the pod: one that is only spelled otherwise stays."""
    pairs = zip(instance.containers.images, latest_images(scene, instance), strict=True)
    return tuple(image if plain(image) == plain(wanted) else wanted for image, wanted in pairs)


def why_replaced(scene: Scene, instance: Instance) -> str:
    """Why a rollout cannot bring it to the latest model in its pod; empty where it can."""
    refused_until = scene.observed.refused_until.get(instance.name)
    if not scene.spec.upgrade_policy.rolling_upgrade_policy.in_place_if_possible:
        return "inPlaceIfPossible is false"
    if not is_of_latest_shape(scene, instance):
        return "the models differ in more than images"
    if instance.started is None and not instance.renewing:
        # Nothing in it is worth keeping, and what keeps it from running need not be its image.
        return "its containers have never all run"
    if update_images(scene, instance) == instance.containers.images:
        return "it has these images already"
    if instance.name in scene.replacements:
        # Its containers' start would count anew in the grace of that slot (protocol rule 7).
        return "the repair that it closes goes on"
    if refused_until is not None and scene.now < refused_until:
        return "the API server refused a write to it"
    return ""


def _in_place(action: RepairAction, images: tuple[str | None, ...]) -> Way | None:
    found = tuple(image for image in images if image and len(image) <= MAX_IMAGE_LENGTH)
    whole = 0 < len(found) == len(images) <= MAX_TARGET_IMAGES
    return Way(action, found) if whole else None


def _respelled(scene: Scene, instance: Instance) -> tuple[str | None, ...]:
    """Another spelling of every image; the latest model's own, where it is of that model."""
    containers = instance.containers
    if NOT_MADE in containers.restarts:
        return (None,)
    is_latest = instance.model == scene.observed.template.model
    wanted = latest_images(scene, instance) if is_latest else ("",) * len(containers.images)
    rows = zip(containers.images, containers.image_ids, wanted, strict=True)
    return tuple(equivalent(*row) for row in rows)


def _reimaged(scene: Scene, instance: Instance) -> tuple[str | None, ...]:
    """The latest model's images; where a container has that very text, another spelling of it."""
    containers = instance.containers
    if NOT_MADE in containers.restarts:
        return (None,)
    latest = latest_images(scene, instance)
    rows = zip(containers.images, containers.image_ids, latest, strict=True)
    return tuple(
        wanted if wanted != image else equivalent(image, image_id, wanted)
        for image, image_id, wanted in rows
    )
