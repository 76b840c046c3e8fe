"""MaintenanceWindow: when a set's instances may be taken for maintenance, and how.

Must not know: the present time, or whether a window is open.
"""

from typing import Final

from pydantic import ConfigDict, Field

from scaleset_operator.api.base import (
    Day,
    Duration,
    LabelName,
    Model,
    Resource,
    Time,
    cel,
    checked,
)
from scaleset_operator.api.durations import parse_duration
from scaleset_operator.api.maintenancestatus import Impact, MaintenanceWindowStatus
from scaleset_operator.api.scaleset import Selector
from scaleset_operator.api.windowledger import MAX_AUDIENCES
from scaleset_operator.api.windowparts import (
    IterationShares,
    NodeMaintenance,
    NodeSelector,
    UpdateDomainPace,
    WindowRef,
)

MIN_NOTICE: Final = parse_duration("P30D")
"""Also the default (V-01); less needs `urgent`."""
MAX_NOTICE: Final = parse_duration("P365D")
MAX_SCHEDULE_LENGTH: Final = 100
MAX_TIME_ZONE_LENGTH: Final = 64
MAX_BLACKOUT_DATES: Final = 50
MIN_DURATION: Final = parse_duration("PT5M")
MAX_DURATION: Final = parse_duration("P7D")
MIN_SELF_SERVICE_LEAD: Final = parse_duration("PT1H")
MAX_SELF_SERVICE_LEAD: Final = parse_duration("P90D")
DEFAULT_AUDIENCE: Final = "default"


class TimeRange(Model):
    """A stretch of time, its start within it and its end not: ranges that meet do not overlap."""

    start_time: Time = Field(examples=["2026-11-27T02:00:00Z"])
    """The first instant inside. Allowed: RFC 3339 with Z or an offset."""
    end_time: Time = Field(examples=["2026-11-27T08:00:00Z"])
    """The first instant after it. Allowed: RFC 3339 with Z or an offset."""


class OnceWindow(Model):
    """One maintenance at fixed times: half-open, self-service first (M-05, V-13)."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "self.scheduled.startTime < self.scheduled.endTime",
                "spec.once.scheduled.startTime must be earlier than spec.once.scheduled.endTime",
                field=".scheduled",
            ),
            cel(
                "!has(self.selfService) || self.selfService.startTime < self.selfService.endTime",
                "spec.once.selfService.startTime must be earlier than "
                "spec.once.selfService.endTime",
                field=".selfService",
            ),
            cel(
                "!has(self.selfService) || self.selfService.endTime <= self.scheduled.startTime",
                "spec.once.selfService.endTime must be no later than "
                "spec.once.scheduled.startTime: the two windows never overlap",
                field=".selfService",
            ),
        )
    )

    self_service: TimeRange | None = None
    """When owners may start the maintenance of single instances themselves. Required with impact
    Redeploy, refused with the others, which have no such window."""
    scheduled: TimeRange
    """When the operator does what is left."""


class RecurringWindow(Model):
    """Maintenance that comes again; each time is fixed in UTC when it is announced (M-23)."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "self.duration >= duration('5m') && self.duration <= duration('168h')",
                "spec.recurring.duration must be PT5M to P7D",
                field=".duration",
            ),
            cel(
                "!has(self.selfServiceLead) || (self.selfServiceLead >= duration('1h') && "
                "self.selfServiceLead <= duration('2160h'))",
                "spec.recurring.selfServiceLead must be PT1H to P90D",
                field=".selfServiceLead",
            ),
        )
    )

    schedule: str = Field(
        min_length=9,
        max_length=MAX_SCHEDULE_LENGTH,
        pattern=r"^[0-9A-Za-z*/,#?-]+( [0-9A-Za-z*/,#?-]+){4}$",
        examples=["0 2 * * TUE#2"],
    )
    """When the scheduled window opens, as cron writes it: minute, hour, day of month, month, day of
    week. TUE#2 is the second Tuesday, 2L the last one, L the last day of the month. A local time
    that comes twice counts once; one that is skipped counts when the clocks go on. Allowed: five
    fields of at most 100 characters, with one space between."""
    time_zone: str = Field(
        default="UTC",
        min_length=1,
        max_length=MAX_TIME_ZONE_LENGTH,
        pattern="^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        examples=["Europe/Amsterdam"],
    )
    """The zone in which the schedule is read. Allowed: names of the time zone database."""
    duration: Duration = Field(examples=["PT4H"])
    """How long the scheduled window stays open. Allowed: PT5M to P7D."""
    self_service_lead: Duration | None = Field(default=None, examples=["P7D"])
    """How long before the scheduled window the self-service window opens; it closes when the
    scheduled one opens, and opens no earlier than the scheduled window before it has closed.
    Required with impact Redeploy, refused with the others. Allowed: PT1H to P90D."""
    blackout_dates: tuple[Day, ...] = Field(
        default=(),
        max_length=MAX_BLACKOUT_DATES,
        examples=[["2026-12-24", "2026-12-25"]],
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    """Days of timeZone without maintenance: a scheduled window that touches one is left out whole.
    Allowed: up to 50 different days, as YYYY-MM-DD."""


_SPEC_RULES = checked(
    cel(
        "has(self.once) != has(self.recurring)",
        "spec.once and spec.recurring: set exactly one of the two",
    ),
    cel(
        "self.impact != 'Redeploy' || !has(self.once) || has(self.once.selfService)",
        "spec.once.selfService is required with impact Redeploy: owners may go first",
        reason="FieldValueRequired",
        field=".once.selfService",
    ),
    cel(
        "self.impact != 'Redeploy' || !has(self.recurring) || has(self.recurring.selfServiceLead)",
        "spec.recurring.selfServiceLead is required with impact Redeploy: owners may go first",
        reason="FieldValueRequired",
        field=".recurring.selfServiceLead",
    ),
    cel(
        "self.impact == 'Redeploy' || !has(self.once) || !has(self.once.selfService)",
        "spec.once.selfService is allowed with impact Redeploy only: remove it",
        reason="FieldValueForbidden",
        field=".once.selfService",
    ),
    cel(
        "self.impact == 'Redeploy' || !has(self.recurring) || !has(self.recurring.selfServiceLead)",
        "spec.recurring.selfServiceLead is allowed with impact Redeploy only: remove it",
        reason="FieldValueForbidden",
        field=".recurring.selfServiceLead",
    ),
    cel(
        "self.impact != 'Redeploy' || self.urgent || self.notifyBefore >= duration('720h')",
        "spec.notifyBefore must be P30D or more with impact Redeploy; urgent: true allows less",
        field=".notifyBefore",
    ),
    cel(
        "self.impact != 'Redeploy' || has(self.updatedNodeSelector)",
        "spec.updatedNodeSelector is required with impact Redeploy: instances move to these nodes",
        reason="FieldValueRequired",
        field=".updatedNodeSelector",
    ),
    cel(
        "self.impact == 'Redeploy' || !has(self.nodeMaintenance)",
        "spec.nodeMaintenance is allowed with impact Redeploy only: remove it",
        reason="FieldValueForbidden",
        field=".nodeMaintenance",
    ),
    cel(
        "self.notifyBefore <= duration('8760h')",
        "spec.notifyBefore must be at most P365D",
        field=".notifyBefore",
    ),
)


class MaintenanceWindowSpec(Model):
    """Which sets are maintained, when, and with what effect on an instance."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    scale_set_selector: Selector
    """Which ScaleSets of the namespace, by their labels."""
    impact: Impact = Field(examples=["Redeploy"])
    """What an instance feels. None: nothing. Pause: it stands still in place for about 30 seconds,
    one update domain at a time. Redeploy: it is moved to an updated node and started there; only
    this class has notice and two windows (M-01)."""
    notify_before: Duration = Field(default=MIN_NOTICE, examples=["P30D"])
    """How long before the first window the maintenance is announced. Allowed: P30D to P365D; less
    only with urgent, or where the impact is not Redeploy (V-01)."""
    urgent: bool = Field(default=False, examples=[True])
    """Whether less notice than 30 days is accepted; it is then said wherever the window shows."""
    once: OnceWindow | None = None
    """Fixed times; exactly one of once and recurring is set."""
    recurring: RecurringWindow | None = None
    """Times that come again; exactly one of once and recurring is set."""
    update_domains: UpdateDomainPace = UpdateDomainPace()
    """The pace from one update domain to the next."""
    paired_with: WindowRef | None = None
    """The window of the other side of a pair: the two are never active at once (M-17). The other
    must name this one."""
    iterations: IterationShares = IterationShares()
    """How much of a set each iteration of a recurring window includes; a window with fixed times
    has one iteration, of everything."""
    updated_node_selector: NodeSelector | None = None
    """Which nodes are already updated: redeployed instances go there (M-07). Required with impact
    Redeploy. Another value begins another campaign."""
    node_maintenance: NodeMaintenance | None = None
    """Work on the nodes themselves, carried out while the scheduled window is open. Allowed with
    impact Redeploy only; left out, somebody else updates and labels them."""
    audiences: tuple[LabelName, ...] = Field(
        default=(DEFAULT_AUDIENCE,),
        max_length=MAX_AUDIENCES,
        examples=[["default", "shop-team"]],
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    """Who is notified; the operator's own configuration says where each is reached (V-25).
    Allowed: up to 5 different DNS labels."""
    suspend: bool = Field(default=False, examples=[True])
    """Whether nothing new starts; what has started is finished."""


class MaintenanceWindow(Resource):
    """A plan for maintenance: announced, open to the owners first, then carried out in its window.

    A plan that was announced is not moved, only suspended.
    """

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "!has(oldSelf.status) || !has(oldSelf.status.announcedTime) || "
                "!has(oldSelf.spec.once) || "
                "(has(self.spec.once) && self.spec.once == oldSelf.spec.once)",
                "spec.once must stay as it was announced: set spec.suspend to true, or make "
                "another MaintenanceWindow",
                reason="FieldValueForbidden",
                field=".spec.once",
            ),
            cel(
                "!has(oldSelf.status) || !has(oldSelf.status.announcedTime) || "
                "self.spec.impact == oldSelf.spec.impact",
                "spec.impact must stay as it was announced: set spec.suspend to true, or make "
                "another MaintenanceWindow",
                reason="FieldValueForbidden",
                field=".spec.impact",
            ),
            cel(
                "!has(self.spec.pairedWith) || has(self.spec.pairedWith.__namespace__) || "
                "self.spec.pairedWith.name != self.metadata.name",
                "spec.pairedWith.name must be another MaintenanceWindow: a window cannot be "
                "paired with itself",
                field=".spec.pairedWith.name",
            ),
        )
    )

    kind: str = "MaintenanceWindow"
    """The kind's name."""
    spec: MaintenanceWindowSpec
    """What is planned."""
    status: MaintenanceWindowStatus = Field(default_factory=MaintenanceWindowStatus)
    """How far it is; written by the operator only."""
