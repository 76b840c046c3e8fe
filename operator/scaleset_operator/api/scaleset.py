"""ScaleSet: a set of interchangeable instances, watched from outside and repaired with care.

The spec and its limits; policies, status and ledger have files of their own and are passed on
from here.
Must not know: how any of it is carried out.
"""

from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, Field

from scaleset_operator.api.base import (
    DNS_LABEL_PATTERN,
    QUALIFIED_NAME_PATTERN,
    Duration,
    LabelValue,
    Model,
    ObjectName,
    Resource,
    cel,
    checked,
)
from scaleset_operator.api.durations import parse_duration
from scaleset_operator.api.ledger import (
    Doubt,
    RepairEntry,
    RepairPhase,
    RepairRecord,
    RepairResult,
    RepairsStatus,
    StalledInstance,
)
from scaleset_operator.api.maintenanceledger import MaintenanceSummary
from scaleset_operator.api.repairpolicy import (
    AutomaticRepairsPolicy,
    DesiredServiceState,
    DisruptionBudgets,
    Limits,
    RepairAction,
    RepairMode,
)
from scaleset_operator.api.scalesetstatus import (
    CreatingInstance,
    OrchestrationService,
    OutboundSummary,
    RepairDecision,
    ScaleInVictim,
    ScaleSetStatus,
    ServiceState,
    SuspendedBy,
    UnhealthyInstance,
)
from scaleset_operator.api.upgradepolicy import RollingUpgradePolicy, UpgradeMode, UpgradePolicy

__all__ = [
    "ApplicationHealth",
    "AutomaticRepairsPolicy",
    "CreatingInstance",
    "DesiredServiceState",
    "DisruptionBudgets",
    "Doubt",
    "Limits",
    "MaintenanceSummary",
    "OrchestrationService",
    "OutboundSummary",
    "ProbeRef",
    "RepairAction",
    "RepairDecision",
    "RepairEntry",
    "RepairMode",
    "RepairPhase",
    "RepairRecord",
    "RepairResult",
    "RepairsStatus",
    "RollingUpgradePolicy",
    "ScaleInPolicy",
    "ScaleInVictim",
    "ScaleSet",
    "ScaleSetSpec",
    "ScaleSetStatus",
    "Selector",
    "ServiceState",
    "StalledInstance",
    "SuspendedBy",
    "TerminateNotificationProfile",
    "UnhealthyInstance",
    "UpgradeMode",
    "UpgradePolicy",
]

MAX_REPLICAS: Final = 10_000
"""Instances of a set under limits Extended, and without repairs."""
DEFAULT_UPDATE_DOMAINS: Final = 5
MAX_UPDATE_DOMAINS: Final = 20
"""Domains over which a set is spread at most (M-11)."""
MAX_SELECTOR_LABELS: Final = 16
MAX_SCALE_SET_NAME_LENGTH: Final = 52
"""So that the name, a dash and an instance id of ten digits fit a DNS label of 63."""
DEFAULT_NOTICE: Final = parse_duration("PT5M")


class Selector(Model):
    """Labels that an object must carry, all of them."""

    match_labels: dict[str, LabelValue] = Field(
        min_length=1,
        max_length=MAX_SELECTOR_LABELS,
        examples=[{"app": "web"}],
        json_schema_extra=checked(
            cel(
                f"self.all(key, size(key) <= 316 && key.matches(r'{QUALIFIED_NAME_PATTERN}'))",
                "every key of matchLabels must be a label's name: letters, digits, '-', '_' and "
                "'.', optionally after a DNS name and '/'",
            )
        ),
    )
    """Label names and the values they must have. Allowed: 1 to 16 labels."""


class ProbeRef(Model):
    """The name of a HealthProbe in the same namespace."""

    name: ObjectName = Field(examples=["web-http"])
    """The HealthProbe's name. Allowed: a DNS name of at most 253 characters."""


class ApplicationHealth(Model):
    """The instance's own report as the source of health: a condition on its pod."""

    pod_condition_type: str = Field(
        default="Ready",
        min_length=1,
        max_length=316,
        pattern=QUALIFIED_NAME_PATTERN,
        examples=["Ready"],
        json_schema_extra=checked(
            cel(
                "!self.startsWith('scaleset.dev/')",
                "podConditionType must be a condition that the instance reports itself: not one "
                "of scaleset.dev/, which this operator writes",
            )
        ),
    )
    """The pod condition that says whether the instance is healthy. Where it is Ready, the
    containers and every readiness gate but ours are read, because Ready itself waits for ours.
    Allowed: a condition type that is not of scaleset.dev/."""


class ScaleInPolicy(StrEnum):
    """Which instances go first when the set shrinks; unhealthy ones go before all others."""

    DEFAULT = "Default"
    NEWEST = "Newest"
    OLDEST = "Oldest"


class TerminateNotificationProfile(Model):
    """Whether an instance is told before it is deleted, and how long it then has."""

    enable: bool = Field(default=False, examples=[True])
    """Whether a notice is given: a deadline in the annotation scaleset.dev/terminate-at (R-51)."""
    not_before_timeout: Duration = Field(default=DEFAULT_NOTICE, examples=["PT10M"])
    """How long after the notice the instance is deleted at the latest; its approval ends the wait
    early (R-54). Allowed: PT5M to PT15M, with limits Extended PT0S to P1D."""


_EXTENDED = "(has(self.automaticRepairsPolicy) && self.automaticRepairsPolicy.limits == 'Extended')"
_ENABLED = "(has(self.automaticRepairsPolicy) && self.automaticRepairsPolicy.enabled)"
_NOTICE = "self.terminateNotificationProfile.notBeforeTimeout"

_SPEC_RULES = checked(
    cel(
        "!(has(self.healthProbeRef) && has(self.applicationHealth))",
        "spec.healthProbeRef and spec.applicationHealth exclude each other: keep exactly one "
        "source of health and remove the other",
        reason="FieldValueForbidden",
        field=".applicationHealth",
    ),
    cel(
        f"!{_ENABLED} || has(self.healthProbeRef) || has(self.applicationHealth)",
        "spec.automaticRepairsPolicy.enabled needs a source of health: set spec.healthProbeRef or "
        "spec.applicationHealth, or set enabled to false",
        reason="FieldValueRequired",
        field=".healthProbeRef",
    ),
    cel(
        f"!{_ENABLED} || {_EXTENDED} || self.replicas <= 200",
        "spec.replicas must be 0 to 200 while spec.automaticRepairsPolicy is enabled with limits "
        "Standard; limits Extended allows up to 10000",
        field=".replicas",
    ),
    cel(
        f"!has(self.terminateNotificationProfile) || {_EXTENDED} || "
        f"({_NOTICE} >= duration('5m') && {_NOTICE} <= duration('15m'))",
        "spec.terminateNotificationProfile.notBeforeTimeout must be PT5M to PT15M; limits Extended "
        "allows PT0S to P1D",
        field=".terminateNotificationProfile.notBeforeTimeout",
    ),
    cel(
        f"!has(self.terminateNotificationProfile) || {_NOTICE} <= duration('24h')",
        "spec.terminateNotificationProfile.notBeforeTimeout must be PT0S to P1D with limits "
        "Extended",
        field=".terminateNotificationProfile.notBeforeTimeout",
    ),
)


class ScaleSetSpec(Model):
    """What the owner wants of the set."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    replicas: int = Field(default=1, ge=0, le=MAX_REPLICAS, examples=[40])
    """How many instances there should be; `kubectl scale` and autoscalers write it. Allowed: 0 to
    10000; 0 to 200 while repairs are enabled with limits Standard (R-05)."""
    selector: Selector = Field(
        json_schema_extra=checked(
            cel(
                "self == oldSelf",
                "spec.selector is immutable: it must stay as it was created; make another ScaleSet",
                reason="FieldValueForbidden",
            )
        )
    )
    """Which pods are the set's; the template's labels must match it. Never changes."""
    template: dict[str, Any] = Field(
        examples=[{"spec": {"containers": [{"name": "web", "image": "web:1.4.2"}]}}],
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    )
    """The pod that every instance is made from: metadata and spec of a pod, as in a Deployment. The
    API server is asked to check it; what it refuses stands in the condition Accepted. Allowed: what
    a pod may hold."""
    update_domain_count: int = Field(
        default=DEFAULT_UPDATE_DOMAINS, ge=1, le=MAX_UPDATE_DOMAINS, examples=[10]
    )
    """Over how many update domains the instances are spread; their sizes differ by at most one. One
    domain at a time is taken for maintenance (M-11)."""
    health_probe_ref: ProbeRef | None = None
    """The probe that decides about health and repair. Never together with applicationHealth; one of
    the two is required when repairs are enabled (R-01, R-02)."""
    application_health: ApplicationHealth | None = None
    """The instance's own report decides about health and repair, instead of a probe."""
    rotation_probe_ref: ProbeRef | None = None
    """The probe that decides about traffic, when another than healthProbeRef: so that an instance
    which sheds load leaves rotation without being repaired (P-29). Left out: healthProbeRef."""
    automatic_repairs_policy: AutomaticRepairsPolicy | None = None
    """Whether and how unhealthy instances are repaired; left out, they are not."""
    upgrade_policy: UpgradePolicy = UpgradePolicy()
    """How instances come to a new model."""
    scale_in_policy: ScaleInPolicy = Field(default=ScaleInPolicy.DEFAULT, examples=["Newest"])
    """Which instances go first when the set shrinks. Default: those that keep the update domains in
    balance, then the newest. Instances that never started or are unhealthy go first in each."""
    terminate_notification_profile: TerminateNotificationProfile | None = None
    """Whether instances are told before they are deleted; left out, they are not."""

    @property
    def second_probe_ref(self) -> ProbeRef | None:
        """The probe of rotation where it is another than that of health (P-29)."""
        ref = self.rotation_probe_ref
        return None if ref == self.health_probe_ref else ref

    @property
    def probe_names(self) -> frozenset[str]:
        """The HealthProbes of the namespace that the set uses."""
        refs = (self.health_probe_ref, self.rotation_probe_ref)
        return frozenset(ref.name for ref in refs if ref is not None)


class ScaleSet(Resource):
    """A set of interchangeable instances, watched from outside and repaired with care.

    At most 5 percent are under repair at once, maintenance keeps to its windows, and the outbound
    ports are a known budget.
    """

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "size(self.metadata.name) <= 52 && "
                f"self.metadata.name.matches('{DNS_LABEL_PATTERN}')",
                "metadata.name must be 1 to 52 lower-case letters, digits and '-': instances are "
                "named <name>-<id>, within the 63 characters of a host name",
            )
        )
    )

    kind: str = "ScaleSet"
    """The kind's name."""
    spec: ScaleSetSpec
    """What the owner wants."""
    status: ScaleSetStatus = Field(default_factory=ScaleSetStatus)
    """What the operator reports; written by the operator only."""
