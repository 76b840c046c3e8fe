"""The four kinds as the API server is to know them: names, columns, subresources.

Must not know: how a definition is written out.
"""

from dataclasses import dataclass
from typing import Final, Literal

from scaleset_operator.api.base import Resource
from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import ScaleSet

ColumnType = Literal["string", "integer", "boolean", "date"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    """Its heading."""
    path: str
    """The JSONPath of its value."""
    type: ColumnType = "string"
    """How the value is shown."""
    wide: bool = False
    """Whether it is shown with `-o wide` only."""
    text: str = ""
    """What it tells, where the heading does not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    model: type[Resource]
    """Its model, with `spec` and `status`."""
    plural: str
    """Its name in paths and in RBAC."""
    short_name: str
    """What kubectl takes for it."""
    columns: tuple[Column, ...]
    """What `kubectl get` shows."""
    selectable: tuple[str, ...] = ()
    """Fields that `kubectl get --field-selector` takes."""
    scalable: bool = False
    """Whether `kubectl scale` and autoscalers work on it."""

    @property
    def name(self) -> str:
        """The kind's name, such as ScaleSet."""
        return self.model.__name__


_AGE: Final = Column("AGE", ".metadata.creationTimestamp", "date")


def _reason(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].reason'


_SCALE_SET: Final = Kind(
    model=ScaleSet,
    plural="scalesets",
    short_name="sset",
    scalable=True,
    selectable=(".spec.healthProbeRef.name", ".spec.rotationProbeRef.name"),
    columns=(
        Column("READY", ".status.readyReplicas", "integer"),
        Column("HEALTHY", ".status.healthyReplicas", "integer"),
        Column("REPAIRING", ".status.repairingReplicas", "integer", text="repairs in flight"),
        Column(
            "REPAIRS",
            ".status.orchestrationServices[0].serviceState",
            text="Running, Suspended or NotRunning",
        ),
        Column("STATUS", _reason("Ready"), text="the reason of the condition Ready"),
        _AGE,
        Column("DESIRED", ".spec.replicas", "integer", wide=True),
        Column("UP-TO-DATE", ".status.updatedReplicas", "integer", wide=True),
        Column("GRACE", ".spec.automaticRepairsPolicy.gracePeriod", wide=True),
        Column("PROBE", ".spec.healthProbeRef.name", wide=True),
        Column("UDS", ".spec.updateDomainCount", "integer", wide=True, text="update domains"),
        Column("PORTS", ".status.outbound.portsPerInstance", "integer", wide=True),
        Column("MAINTENANCE", ".status.maintenance.activeWindow", wide=True),
        Column("SELECTOR", ".status.selector", wide=True),
    ),
)

_HEALTH_PROBE: Final = Kind(
    model=HealthProbe,
    plural="healthprobes",
    short_name="hprobe",
    selectable=(".spec.protocol",),
    columns=(
        Column("PROTOCOL", ".spec.protocol"),
        Column("PORT", ".spec.port", "integer"),
        Column("PATH", ".spec.path"),
        Column("INTERVAL", ".spec.intervalInSeconds", "integer", text="seconds"),
        Column("TIMEOUT", ".spec.timeoutInSeconds", "integer", text="seconds"),
        Column("SETS", ".status.scaleSets", "integer", text="sets that name the probe"),
        Column("HEALTHY", ".status.healthyInstances", "integer"),
        Column("UNHEALTHY", ".status.unhealthyInstances", "integer"),
        _AGE,
        Column("UNKNOWN", ".status.unknownInstances", "integer", wide=True),
        Column("RESOLVED", ".status.resolvedPort", "integer", wide=True, text="the port in use"),
        Column("STATUS", _reason("Ready"), wide=True),
    ),
)

_MAINTENANCE_WINDOW: Final = Kind(
    model=MaintenanceWindow,
    plural="maintenancewindows",
    short_name="mwin",
    selectable=(".spec.impact",),
    columns=(
        Column("IMPACT", ".spec.impact"),
        Column("WINDOW", ".status.activeWindow", text="None, SelfService or Scheduled"),
        Column("SELF-SERVICE", ".status.isCustomerInitiatedMaintenanceAllowed", "boolean"),
        Column("NEXT", ".status.nextTransitionTime", text="when a window opens or closes next"),
        Column("DONE", ".status.instances.completed", "integer"),
        Column("PENDING", ".status.instances.pending", "integer"),
        Column("ABORTED", ".status.instances.aborted", "integer"),
        Column("STATUS", _reason("Ready")),
        _AGE,
        Column("SCHEDULE", ".spec.recurring.schedule", wide=True),
        Column("ZONE", ".spec.recurring.timeZone", wide=True),
        Column("SUSPENDED", ".spec.suspend", "boolean", wide=True),
    ),
)

_OUTBOUND_RULE: Final = Kind(
    model=OutboundRule,
    plural="outboundrules",
    short_name="orule",
    columns=(
        Column("POOL", ".status.poolSize", "integer", text="instances in the pool"),
        Column("PORTS", ".status.portsPerInstance", "integer", text="ports of one instance"),
        Column("TO-NEXT-TIER", ".status.instancesToNextTier", "integer"),
        Column("STATUS", _reason("OutboundPortsSufficient")),
        _AGE,
        Column("ADDRESSES", ".spec.frontendIPs", wide=True),
        Column("IDLE", ".spec.idleTimeout", wide=True),
    ),
)

KINDS: Final = (_SCALE_SET, _HEALTH_PROBE, _MAINTENANCE_WINDOW, _OUTBOUND_RULE)
"""All of them, in the order of the reference."""
