"""Parts of a MaintenanceWindow's spec: the pace, the shares, the pair, the nodes.

Must not know: when a window is open.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from scaleset_operator.api.base import (
    Duration,
    LabelName,
    LabelValue,
    Model,
    ObjectName,
    cel,
    checked,
)
from scaleset_operator.api.durations import parse_duration

DEFAULT_PAUSE_BETWEEN_DOMAINS: Final = parse_duration("PT30M")
DEFAULT_SHARES: Final = (10, 50, 100)
MAX_SHARES: Final = 12
DEFAULT_NODE_TIMEOUT: Final = parse_duration("PT30M")
MIN_NODE_TIMEOUT: Final = parse_duration("PT1M")
MAX_NODE_TIMEOUT: Final = parse_duration("P1D")


class UpdateDomainPace(Model):
    """How the update domains follow one another: one at a time, in no promised order (M-12)."""

    pause_between: Duration = Field(
        default=DEFAULT_PAUSE_BETWEEN_DOMAINS,
        examples=["PT5M"],
        json_schema_extra=checked(
            cel(
                "self <= duration('24h')",
                "spec.updateDomains.pauseBetween must be PT0S to P1D",
            )
        ),
    )
    """How long to wait after a domain is back and healthy. Allowed: PT0S to P1D."""


class WindowRef(Model):
    """Another MaintenanceWindow."""

    name: ObjectName = Field(examples=["host-patch-nov"])
    """Its name. Allowed: a DNS name of at most 253 characters."""
    namespace: LabelName | None = Field(default=None, examples=["shop-dr"])
    """Its namespace; left out, the same one. Allowed: a DNS label of at most 63 characters."""


class IterationShares(Model):
    """How much of a set each iteration includes: early ones less than later ones (V-06)."""

    percents: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        default=DEFAULT_SHARES,
        min_length=1,
        max_length=MAX_SHARES,
        examples=[[10, 50, 100]],
        json_schema_extra=checked(
            cel(
                "self.isSorted()",
                "spec.iterations.percents must not fall: early iterations are the smaller ones",
            )
        ),
    )
    """The greatest share of a set's instances in the first, second and further iterations, rounded
    up; the last one holds for all that follow. Counted from the first iteration of one
    updatedNodeSelector. Allowed: 1 to 12 numbers from 1 to 100 that do not fall."""


class NodeSelector(Model):
    """Labels of nodes."""

    match_labels: dict[str, LabelValue] = Field(
        min_length=1, max_length=16, examples=[{"maintenance/updated": "2026-11"}]
    )
    """Label names and the values they must have. Allowed: 1 to 16 labels."""


class NodeMaintenance(Model):
    """Work on the nodes themselves: empty one, run a Job on it, mark it as updated, go on."""

    node_selector: NodeSelector | None = None
    """Which nodes are worked on; left out, all that carry included instances."""
    job_template: dict[str, Any] = Field(
        examples=[{"spec": {"template": {"spec": {"containers": [{"name": "patch"}]}}}}],
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    )
    """A batch/v1 JobTemplateSpec, run in the window's namespace on the node that is worked on.
    Allowed: what a Job may hold."""
    timeout: Duration = Field(
        default=DEFAULT_NODE_TIMEOUT,
        examples=["PT1H"],
        json_schema_extra=checked(
            cel(
                "self >= duration('1m') && self <= duration('24h')",
                "spec.nodeMaintenance.timeout must be PT1M to P1D",
            )
        ),
    )
    """How long the node's Job may take, and how long emptying the node may stand still beyond
    updateDomains.pauseBetween, before the node is given up and uncordoned. Allowed: PT1M to P1D."""
