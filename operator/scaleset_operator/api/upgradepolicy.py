"""The owner's wishes on rollouts: how instances come to the latest model.

Must not know: which instances have which model, or which go first.
"""

from enum import StrEnum
from typing import Final

from pydantic import Field

from scaleset_operator.api.base import Duration, Model, cel, checked
from scaleset_operator.api.durations import parse_duration

DEFAULT_ROLLING_PERCENT: Final = 20
MAX_PERCENT: Final = 100
DEFAULT_PAUSE: Final = parse_duration("PT0S")


class UpgradeMode(StrEnum):
    """Who brings instances to a new model, and how many at once."""

    ROLLING = "Rolling"
    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class RollingUpgradePolicy(Model):
    """How a rolling upgrade goes: batch by batch, with a floor under what is available."""

    max_batch_instance_percent: int = Field(
        default=DEFAULT_ROLLING_PERCENT, ge=1, le=MAX_PERCENT, examples=[10]
    )
    """The most instances taken at once, as a share of the set in percent, rounded down, at least
    one. Repair and scale-in respect the floor that this leaves."""
    max_unhealthy_instance_percent: int = Field(
        default=DEFAULT_ROLLING_PERCENT, ge=0, le=MAX_PERCENT, examples=[20]
    )
    """With more of the set unhealthy than this, in percent, no further available instance is taken;
    unavailable ones are still updated, so that a good model can cure a bad one."""
    max_unhealthy_upgraded_instance_percent: int = Field(
        default=DEFAULT_ROLLING_PERCENT, ge=0, le=MAX_PERCENT, examples=[5]
    )
    """With more of the upgraded instances unhealthy than this, in percent, the rollout stops."""
    pause_time_between_batches: Duration = Field(
        default=DEFAULT_PAUSE,
        examples=["PT5M"],
        json_schema_extra=checked(
            cel(
                "self <= duration('24h')",
                "spec.upgradePolicy.rollingUpgradePolicy.pauseTimeBetweenBatches must be "
                "PT0S to P1D",
            )
        ),
    )
    """How long to wait after a batch is healthy before the next begins. Allowed: PT0S to P1D."""
    max_surge: bool = Field(default=False, examples=[True])
    """Whether a batch's new instances are created before its old ones are removed; an instance that
    is renewed in place needs none."""
    in_place_if_possible: bool = Field(default=False, examples=[True])
    """Whether a model that differs in images only is brought in by renewing the containers inside
    the pods, which stay; in every mode. Where more differs, or an instance has never run, it is
    replaced, and status.rollout says so."""


class UpgradePolicy(Model):
    """How instances come to the latest model after the template was edited."""

    mode: UpgradeMode = Field(default=UpgradeMode.ROLLING, examples=["Manual"])
    """Rolling: batch by batch. Automatic: all at once, in no order. Manual: only on request, one
    instance at a time by the annotation scaleset.dev/operation."""
    rolling_upgrade_policy: RollingUpgradePolicy = RollingUpgradePolicy()
    """The bounds of mode Rolling."""
