"""The owner's wishes on repairs: whether, how fast, how carefully.

Must not know: the state of any repair (`ledger`), or how an allowance is computed.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from scaleset_operator.api.base import Duration, Model, cel, checked
from scaleset_operator.api.durations import parse_duration

STANDARD_MAX_REPLICAS: Final = 200
"""Instances of a set under limits Standard while repairs are enabled (R-05)."""
DEFAULT_GRACE_PERIOD: Final = parse_duration("PT30M")
"""Also the least under limits Standard (R-30)."""
DEFAULT_MAX_IN_FLIGHT: Final = "5%"
"""The most there is: the cap can only be lowered (R-11)."""
DEFAULT_SUSPEND_AFTER_FAILED_REPAIRS: Final = 3
MAX_FAILED_REPAIRS: Final = 100
MAX_PERCENT: Final = 100


class Limits(StrEnum):
    """Which bounds hold for a set with repairs."""

    STANDARD = "Standard"
    EXTENDED = "Extended"


class RepairAction(StrEnum):
    """What is done to an unhealthy instance."""

    REPLACE = "Replace"
    RESTART = "Restart"
    REIMAGE = "Reimage"


class RepairMode(StrEnum):
    """Whether decisions are carried out."""

    ACT = "Act"
    OBSERVE = "Observe"


class DesiredServiceState(StrEnum):
    """The owner's wish: states, not actions; Suspend and Resume are verbs of the plugin (R-38)."""

    RUNNING = "Running"
    SUSPENDED = "Suspended"


class DisruptionBudgets(StrEnum):
    """How PodDisruptionBudgets are regarded."""

    REPORT = "Report"
    ENFORCE = "Enforce"
    IGNORE = "Ignore"


class AutomaticRepairsPolicy(Model):
    """Whether unhealthy instances are repaired, and within which bounds."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "self.limits != 'Standard' || "
                "(self.gracePeriod >= duration('30m') && self.gracePeriod <= duration('90m'))",
                "spec.automaticRepairsPolicy.gracePeriod must be PT30M to PT90M with limits "
                "Standard; limits Extended allows PT0S to P1D",
                field=".gracePeriod",
            ),
            cel(
                "self.gracePeriod <= duration('24h')",
                "spec.automaticRepairsPolicy.gracePeriod must be PT0S to P1D with limits Extended",
                field=".gracePeriod",
            ),
        )
    )

    enabled: bool = Field(default=False, examples=[True])
    """Whether instances are repaired at all; needs healthProbeRef or applicationHealth (R-02).
    Health is observed and shown either way."""
    grace_period: Duration = Field(default=DEFAULT_GRACE_PERIOD, examples=["PT45M"])
    """How long after a completed state change (created, updated, redeployed: all containers run)
    an instance is not repaired, whatever its health (R-24). Allowed: PT30M to PT90M with limits
    Standard, PT0S to P1D with Extended."""
    limits: Limits = Field(default=Limits.STANDARD, examples=["Standard"])
    """Standard: grace of 30 to 90 minutes, notice of 5 to 15 minutes, at most 200 instances.
    Extended: up to a day each, up to 10,000 instances. The cap of 5 percent holds in both."""
    max_in_flight: Annotated[str, Field(max_length=2, pattern="^[1-5]%$")] = Field(
        default=DEFAULT_MAX_IN_FLIGHT, examples=["2%"]
    )
    """The most instances under repair at once, as a share of the set, rounded down, at least one
    instance (R-11, R-12). Allowed: 1% to 5%, whole percents."""
    repair_action: RepairAction = Field(default=RepairAction.REPLACE, examples=["Replace"])
    """Replace: delete, and create from the latest model. Restart: renew the containers inside the
    pod, which keeps name, address, volumes and node. Reimage: the same with the latest model's
    images."""
    mode: RepairMode = Field(default=RepairMode.ACT, examples=["Observe"])
    """Act: repairs are done. Observe: they are decided and recorded, nothing is touched."""
    service_state: DesiredServiceState = Field(
        default=DesiredServiceState.RUNNING, examples=["Suspended"]
    )
    """The owner's wish. Suspended: no repair starts, those in flight finish (R-39). Running does
    not lift a suspension by the platform: a request to resume does."""
    suspend_after_failed_repairs: int = Field(
        default=DEFAULT_SUSPEND_AFTER_FAILED_REPAIRS, ge=1, le=MAX_FAILED_REPAIRS, examples=[5]
    )
    """Failed repairs in a row along one line of replacements after which the platform suspends
    repairs (R-40)."""
    max_unhealthy_percent: Annotated[int, Field(ge=1, le=MAX_PERCENT)] | None = Field(
        default=None, examples=[40]
    )
    """Storm guard: with more of the set unhealthy than this, one instance is repaired at a time.
    Left out, there is no such guard."""
    disruption_budgets: DisruptionBudgets = Field(
        default=DisruptionBudgets.REPORT, examples=["Enforce"]
    )
    """PodDisruptionBudgets. Report: repair, and say that a budget was short. Enforce: wait until
    every budget over the instance allows a disruption. Pods that are not ready by themselves do not
    wait; one that our readiness gate alone keeps unready goes as Kubernetes evicts such a pod:
    while as many as wanted are healthy, or by unhealthyPodEvictionPolicy AlwaysAllow. Ignore: do
    not look."""
    arm_after_healthy_percent: int = Field(default=0, ge=0, le=MAX_PERCENT, examples=[80])
    """Repairs of a model start only after this share of its instances, of the latest model also of
    those still to come, has been healthy once under the present probe; so a wrong probe deletes
    nothing. Once armed a model stays so until the probe is edited. 0 arms at once."""

    @property
    def max_in_flight_percent(self) -> int:
        """`max_in_flight` as a number: whole percents, 1 to 5."""
        return int(self.max_in_flight.removesuffix("%"))
