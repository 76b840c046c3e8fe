"""What the operator reports on a rollout, and what of it must outlive a crash.

A surge step is written before its instance is created, by compare and swap, as every name is.
Must not know: when a step is begun, or why a rollout stops.
"""

from typing import Final

from pydantic import Field

from scaleset_operator.api.base import MAX_INT32, Count, LabelName, Model, ReasonText, Time
from scaleset_operator.api.ledger import Cause, ModelHash, Uid

MAX_SURGE: Final = 200
MAX_RENEWALS: Final = 200


class Renewal(Model):
    """An instance that a rollout gives the latest model's images in place.

    Written before the patch, and kept until its new containers are Healthy or their grace is over.
    """

    instance: LabelName = Field(examples=["web-7"])
    """The pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID; the patch carries it."""
    model: ModelHash = Field(examples=["6f9c8d7b-5a1b2c3d"])
    """The model that it is brought to, which names its images: of no other template are any
    written."""
    from_model: ModelHash = Field(examples=["6f9c8d7b-1c2d3e4f"])
    """The model that it has when it is recorded; a pod that has neither is left alone (protocol
    rule 10)."""
    start_time: Time = Field(examples=["2026-11-20T07:20:44Z"])
    """When it was recorded."""
    renewed_time: Time | None = Field(default=None, examples=["2026-11-20T07:20:45Z"])
    """When the new model was seen on the pod."""


class SurgeStep(Model):
    """An instance of an older model and the one that is made before it goes."""

    instance: LabelName = Field(examples=["web-7"])
    """The instance that is to go: the pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID."""
    replacement: LabelName = Field(examples=["web-41"])
    """The name under which the new instance is, or will be, created."""
    replacement_uid: Uid | None = Field(
        default=None, alias="replacementUID", examples=["5ad7c1de-93d2-4c39-8c7c-3a8f6a0d9be1"]
    )
    """The new instance's UID once it exists."""
    update_domain: int = Field(default=0, ge=0, le=MAX_INT32, examples=[2])
    """The update domain of both."""
    model: ModelHash = Field(examples=["6f9c8d7b5"])
    """The model of the new instance."""


class RolloutStatus(Model):
    """A rollout under way; absent when every instance that may be updated has the latest model."""

    model: ModelHash = Field(examples=["6f9c8d7b5"])
    """The model that instances are brought to."""
    revision: Count | None = Field(default=None, examples=[7])
    """The number of its ControllerRevision, where one is kept."""
    start_time: Time = Field(examples=["2026-11-20T07:20:44Z"])
    """When the rollout to this model began."""
    reason: ReasonText = Field(examples=["RollingOut"])
    """Why it is where it is: RollingOut, RolloutPaused, RolloutStopped, or why no instance can be
    created."""
    message: Cause = Field(default="", examples=["8 of 20 on model 6f9c8d7b5, revision 7"])
    """How far it is and what it waits for, in words."""
    batch_time: Time | None = Field(default=None, examples=["2026-11-20T07:24:10Z"])
    """When instances were last taken."""
    healthy_time: Time | None = Field(default=None, examples=["2026-11-20T07:25:40Z"])
    """Since when none of those is waited for any more; pauseTimeBetweenBatches counts from it."""
    failed_surges: Count = Field(default=0, examples=[0])
    """New instances in a row that were not healthy in time; while not 0 the next comes alone."""
    next_time: Time | None = Field(default=None, examples=["2026-11-20T07:45:40Z"])
    """When it goes on by itself: at the end of the pause, or of the wait after a new instance that
    failed."""
    surge: tuple[SurgeStep, ...] = Field(default=(), max_length=MAX_SURGE)
    """With maxSurge: the instances whose successors are made before they go."""
