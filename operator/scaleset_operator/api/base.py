"""What every kind shares: the group, the names on pods, field types, conditions, the metadata.

Must not know: any one kind, the clock, or who writes a field and when.
"""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from scaleset_operator.api.durations import (
    DURATION_MAX_LENGTH,
    DURATION_PATTERN,
    format_duration,
    parse_duration,
)
from scaleset_operator.api.reasons import REASON_TEXT, Reason

__all__ = ["REASON_TEXT", "Reason"]  # Passed on, beside all that is defined here.

GROUP: Final = "scaleset.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
LABEL_PREFIX: Final = GROUP
CATEGORY: Final = "scaleset-operator"
FIELD_MANAGER: Final = "scaleset-operator"

LABEL_NAME: Final = f"{LABEL_PREFIX}/name"
LABEL_INSTANCE_ID: Final = f"{LABEL_PREFIX}/instance-id"
LABEL_UPDATE_DOMAIN: Final = f"{LABEL_PREFIX}/update-domain"
LABEL_MODEL: Final = f"{LABEL_PREFIX}/model"
LABEL_PROTECT_FROM_SCALE_IN: Final = f"{LABEL_PREFIX}/protect-from-scale-in"
LABEL_PROTECT_FROM_ACTIONS: Final = f"{LABEL_PREFIX}/protect-from-scale-set-actions"

CONDITION_HEALTHY: Final = f"{LABEL_PREFIX}/Healthy"
GATE_IN_ROTATION: Final = f"{LABEL_PREFIX}/InRotation"

ANNOTATION_STATE_CHANGE_TIME: Final = f"{LABEL_PREFIX}/state-change-time"
ANNOTATION_REPLACES: Final = f"{LABEL_PREFIX}/replaces"
ANNOTATION_REPAIR_ATTEMPT: Final = f"{LABEL_PREFIX}/repair-attempt"
ANNOTATION_RENEWED_FROM: Final = f"{LABEL_PREFIX}/renewed-from"
"""Restart counts of the containers when they were last renewed in place, in the pod's order: how a
restart that we made is told from one by kubelet (R-26, R-28)."""
ANNOTATION_TERMINATE_AT: Final = f"{LABEL_PREFIX}/terminate-at"
ANNOTATION_APPROVE_TERMINATION: Final = f"{LABEL_PREFIX}/approve-termination"
ANNOTATION_REPAIR: Final = f"{LABEL_PREFIX}/repair"
ANNOTATION_OPERATION: Final = f"{LABEL_PREFIX}/operation"
ANNOTATION_PERFORM_MAINTENANCE: Final = f"{LABEL_PREFIX}/perform-maintenance"
ANNOTATION_MAINTENANCE_STATUS: Final = f"{LABEL_PREFIX}/maintenance-redeploy-status"
ANNOTATION_MAINTENANCE_ITERATION: Final = f"{LABEL_PREFIX}/maintenance-iteration"
"""The one iteration that an instance is in (V-04): window, number, UID in short, end."""
LABEL_PLACE_FOR: Final = f"{LABEL_PREFIX}/place-for"
"""On a pod that holds a place on an updated node: the instance that it is held for."""
LABEL_PLACE_OF: Final = f"{LABEL_PREFIX}/place-of"
"""On the same: the set."""
ANNOTATION_NODE_MAINTENANCE: Final = f"{LABEL_PREFIX}/node-maintenance"
"""On a node that we cordoned: namespace/window/iteration; whoever finds it without need unwinds."""
ANNOTATION_RESUME_REQUESTED_AT: Final = f"{LABEL_PREFIX}/repairs-resume-requested-at"
ANNOTATION_SUSPENDED_UNTIL: Final = f"{LABEL_PREFIX}/repairs-suspended-until"
ANNOTATION_SUSPENDED_REASON: Final = f"{LABEL_PREFIX}/repairs-suspended-reason"

MAX_NAME_LENGTH: Final = 253
"""Characters of an object's name: a DNS subdomain, as the API server bounds it."""
MAX_LABEL_LENGTH: Final = 63
"""Characters of a DNS label: a label's value, a namespace, a pod's host name."""
MAX_MESSAGE_LENGTH: Final = 1_024
"""Characters of a condition's message. metav1 allows 32,768; a status that is read often stays
small, and no message of ours needs more."""
MAX_INT32: Final = 2**31 - 1

SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DNS_LABEL_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
LABEL_VALUE_PATTERN: Final = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
QUALIFIED_NAME_PATTERN: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
)
REASON_PATTERN: Final = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""metav1.Condition's own pattern for a reason."""
TIME_PATTERN: Final = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)
TIME_MAX_LENGTH: Final = 35
DAY_PATTERN: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DAY_LENGTH: Final = 10

CelReason = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired"]


def cel(
    rule: str, message: str, *, reason: CelReason | None = None, field: str | None = None
) -> dict[str, str]:
    """One rule for the API server: CEL text, and the message it answers when the rule is broken.

    Args:
        rule: CEL over `self` (and `oldSelf`, which makes it a rule about changes).
        message: Names the field, the rule and what is allowed; plain text, for a computed
            message costs more than the API server's budget grants.
        reason: What the API server reports as cause; FieldValueInvalid when left out.
        field: Path of the culprit below `self`, such as ".gracePeriod".
    """
    marks = {"reason": reason, "fieldPath": field}
    return {"rule": rule, "message": message} | {
        key: text for key, text in marks.items() if text is not None
    }


def checked(*rules: dict[str, str]) -> dict[str, Any]:
    """The schema mark that carries CEL rules, for the `json_schema_extra` of a field or a model."""
    return {"x-kubernetes-validations": list(rules)}


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`: to the second, to the microsecond only when there are any."""
    moment = moment.astimezone(UTC)
    precision = "microseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def format_micro_time(moment: datetime) -> str:
    """metav1.MicroTime: RFC 3339 in UTC with `Z`, always with six digits."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_span(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _refuse_numbers(value: object) -> object:
    if isinstance(value, (int, float)):
        message = f"{value!r} is not RFC 3339 text: allowed is, for example, 2026-11-20T00:00:00Z"
        raise ValueError(message)  # noqa: TRY004 - pydantic gathers ValueErrors only
    return value


def cut(limit: int) -> BeforeValidator:
    """Shorten free text to `limit` characters: what a server answers is never too long for us."""

    def shortened(text: object) -> object:
        too_long = isinstance(text, str) and len(text) > limit
        return f"{str(text)[: limit - 1]}…" if too_long else text

    return BeforeValidator(shortened)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_span),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "duration",
            "pattern": DURATION_PATTERN,
            "maxLength": DURATION_MAX_LENGTH,
        }
    ),
]
"""ISO 8601 text on the wire, a timedelta inside."""

Time = Annotated[
    AwareDatetime,
    BeforeValidator(_refuse_numbers),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": TIME_PATTERN,
            "maxLength": TIME_MAX_LENGTH,
        }
    ),
]
"""RFC 3339 text on the wire, an aware datetime in UTC inside."""

Day = Annotated[
    date,
    BeforeValidator(_refuse_numbers),
    WithJsonSchema(
        {"type": "string", "format": "date", "pattern": DAY_PATTERN, "maxLength": DAY_LENGTH}
    ),
]
"""A day of the calendar, of whichever zone the field names."""

ObjectName = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_LENGTH, pattern=SUBDOMAIN_PATTERN)
]
LabelName = Annotated[
    str, Field(min_length=1, max_length=MAX_LABEL_LENGTH, pattern=DNS_LABEL_PATTERN)
]
LabelValue = Annotated[str, Field(max_length=MAX_LABEL_LENGTH, pattern=LABEL_VALUE_PATTERN)]
ReasonText = Annotated[
    str, Field(min_length=1, max_length=MAX_LABEL_LENGTH, pattern=REASON_PATTERN)
]
"""A reason code. Text, not the enum: an older operator must be able to read a newer one's."""
Count = Annotated[int, Field(ge=0, le=MAX_INT32)]
Generation = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A metadata.generation; the bound is the largest integer that JSON carries exactly."""


class Model(BaseModel):
    """A part of a resource: camelCase on the wire, frozen inside, blind to fields it does not know.

    Refusing unknown fields is the API server's work; an older operator must survive a newer
    resource.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class VMHealth(StrEnum):
    """The verdict on one instance; Unknown until a full timeout has been watched."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One observation about an object, in the shape of metav1.Condition."""

    type: str = Field(
        min_length=1, max_length=316, pattern=QUALIFIED_NAME_PATTERN, examples=["Ready"]
    )
    """What is observed."""
    status: ConditionStatus = Field(examples=["True"])
    """Whether it holds; Unknown when it cannot be told."""
    reason: ReasonText = Field(examples=["AllHealthy"])
    """The code of the cause; docs/reasons.md lists all of them with their meaning."""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH), cut(MAX_MESSAGE_LENGTH)] = Field(
        default="", examples=["40 of 40 instances are healthy"]
    )
    """The cause in words, understandable without any other field."""
    last_transition_time: Time = Field(examples=["2026-11-20T00:00:00Z"])
    """When `status` last changed."""
    observed_generation: Generation | None = Field(default=None, examples=[7])
    """The generation of the spec that was judged; behind metadata.generation means out of date."""


class ObjectMeta(Model):
    """The part of an object's metadata that decisions need; the rest passes unread."""

    name: str = ""
    """The object's name."""
    namespace: str = ""
    """The namespace it lives in."""
    uid: str = ""
    """Which object of that name: a new one of the same name has another."""
    generation: int = 0
    """Counts the changes of the spec."""
    resource_version: str = ""
    """The version read; a write that carries it fails when somebody else wrote in between."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels as they stand."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations as they stand; requests of people arrive here."""
    creation_timestamp: Time | None = None
    """When the API server accepted the object."""
    deletion_timestamp: Time | None = None
    """Set once deletion was asked for."""


class Resource(Model):
    """A whole object as the API server sends it; each kind adds its spec and status."""

    api_version: str = API_VERSION
    """Group and version."""
    kind: str = ""
    """The kind's name."""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    """Who the object is."""
