"""HealthProbe: how the instances of any number of sets are asked whether they live.

Must not know: who uses a probe, how an attempt is made, or what follows from its outcome.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from scaleset_operator.api.base import Condition, Count, Generation, Model, Resource, cel, checked

DEFAULT_INTERVAL_SECONDS: Final = 15
MIN_INTERVAL_SECONDS: Final = 5
DEFAULT_TIMEOUT_SECONDS: Final = 31
MIN_TIMEOUT_SECONDS: Final = 11
MAX_PROBE_SECONDS: Final = 86_400
"""One day. The source names no maximum; this one only keeps the sums of times finite."""
MAX_PATH_LENGTH: Final = 1_024
MAX_PORT: Final = 65_535


class Protocol(StrEnum):
    """How an attempt is made; lower case, as in the service definition it comes from (P-02)."""

    HTTP = "http"
    TCP = "tcp"


class HealthProbeSpec(Model):
    """How to ask: an http GET that must answer 200, or a tcp handshake that must be completed."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "self.protocol != 'http' || has(self.path)",
                "spec.path is required with protocol http: an absolute path such as /healthz; "
                "there is no default",
                reason="FieldValueRequired",
                field=".path",
            ),
            cel(
                "self.protocol != 'tcp' || !has(self.path)",
                "spec.path is allowed with protocol http only: remove it, or set protocol to http",
                reason="FieldValueForbidden",
                field=".path",
            ),
        )
    )

    protocol: Protocol = Field(examples=["http"])
    """http: a GET that succeeds with status 200 and nothing else, redirects not followed.
    tcp: a handshake that is acknowledged."""
    path: (
        Annotated[str, Field(min_length=1, max_length=MAX_PATH_LENGTH, pattern=r"^/[^\s#]*$")]
        | None
    ) = Field(default=None, examples=["/healthz"])
    """What to GET: an absolute path, without scheme, host or fragment. Required with http, refused
    with tcp (P-03). Allowed: at most 1024 characters from /, without blanks and #."""
    port: Annotated[int, Field(ge=1, le=MAX_PORT)] | None = Field(default=None, examples=[8080])
    """Where to ask. Left out: the one port that the set's template declares; with none or several
    of them the probe is ambiguous and repairs stop (P-05)."""
    interval_in_seconds: int = Field(
        default=DEFAULT_INTERVAL_SECONDS,
        ge=MIN_INTERVAL_SECONDS,
        le=MAX_PROBE_SECONDS,
        examples=[15],
    )
    """Seconds from the start of one attempt to the start of the next. Slightly less than half of
    timeoutInSeconds lets two attempts fit before an instance is taken out (P-07, P-10)."""
    timeout_in_seconds: int = Field(
        default=DEFAULT_TIMEOUT_SECONDS,
        ge=MIN_TIMEOUT_SECONDS,
        le=MAX_PROBE_SECONDS,
        examples=[31],
    )
    """Seconds without a success, with at least one failed attempt, after which an instance leaves
    rotation and is Unhealthy (P-08, P-11). One attempt fails after the smaller of interval and
    timeout."""


class HealthProbeStatus(Model):
    """What the probe is used for, counted over all sets that name it."""

    observed_generation: Generation = Field(default=0, examples=[1])
    """The generation of the spec that the other fields speak about."""
    scale_sets: Count = Field(default=0, examples=[2])
    """How many sets name this probe."""
    resolved_port: Annotated[int, Field(ge=1, le=MAX_PORT)] | None = Field(
        default=None, examples=[8080]
    )
    """The port in use: spec.port, or the template's only one."""
    healthy_instances: Count = Field(default=0, examples=[36])
    """Instances that this probe finds Healthy."""
    unhealthy_instances: Count = Field(default=0, examples=[3])
    """Instances that this probe finds Unhealthy."""
    unknown_instances: Count = Field(default=0, examples=[1])
    """Instances on which this probe has no verdict yet."""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=10)
    """Ready: whether the probe is in use and its port is known."""


class HealthProbe(Resource):
    """A probe that scale sets name: every instance is asked from outside, at its own address.

    May serve several sets of its namespace. Without a set that names it, nothing is sent.
    """

    kind: str = "HealthProbe"
    """The kind's name."""
    spec: HealthProbeSpec
    """How to ask."""
    status: HealthProbeStatus = Field(default_factory=HealthProbeStatus)
    """What the probe is used for; written by the operator only."""
