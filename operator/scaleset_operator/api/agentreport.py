"""What a node's agent reports: one Lease a node, with one annotation that holds all of it as JSON.

The Lease `scaleset-agent-<node>` stands in the operator's namespace. It is renewed every 30
seconds, at once when something that matters changed, and never more than once a second.
Must not know: how a report comes about, or what follows from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError

from scaleset_operator.api.base import (
    LABEL_PREFIX,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    Count,
    Model,
    Time,
    cut,
)
from scaleset_operator.api.outboundrule import (
    MAX_FRONTEND_IPS,
    MAX_PORT,
    IPv4Text,
    OutboundRule,
    PortAllocation,
)

ANNOTATION_REPORT: Final = f"{LABEL_PREFIX}/report"
LEASE_PREFIX: Final = "scaleset-agent-"
RENEWED_EVERY_S: Final = 30
LEASE_LASTS_S: Final = 90
"""Three renewals: an agent whose Lease nobody has seen change for so long does not answer."""
MAX_REPORTED: Final = 500
"""Instances of one node in a report, and its rules and pauses: kubelet allows 110 pods unless told
otherwise. A report of so many takes half of what all annotations of an object may."""
MAX_HELD_ADDRESSES: Final = 64 * MAX_FRONTEND_IPS
_DIGEST_LENGTH: Final = 16

Line = Annotated[str, Field(max_length=256), cut(256)]


class PauseState(StrEnum):
    """How far a pause that was asked for is."""

    PAUSED = "Paused"
    """It stands still."""
    THAWED = "Thawed"
    """It stood still for its time, and goes on."""
    REFUSED = "Refused"
    """Nothing of it ever stood still; the message says why not."""
    FAILED = "Failed"
    """It began and did not end as asked: thawed early, or not all of it stood still."""


class Hottest(Model):
    """The destination that an instance has most flows to: what it needs ports for (S-14, S-29)."""

    address: IPv4Text
    """The far end."""
    port: Annotated[int, Field(ge=0, le=MAX_PORT)]
    """Its port."""
    protocol: str
    """tcp or udp."""


class InstanceReport(Model):
    """One instance of the node whose flows the agent translates or stops."""

    first_port: Annotated[int, Field(ge=0, le=MAX_PORT)] = 0
    """The first port of the block that stands in the node's rules; 0 where it has no way out."""
    last_port: Annotated[int, Field(ge=0, le=MAX_PORT)] = 0
    """The last one of it."""
    used: Count = 0
    """Ports that it uses: its open flows to the destination that it has most to (S-13, S-14)."""
    peak: Count = 0
    """The most that were read since the agent knows it."""
    flows: Count = 0
    """Open flows to all destinations (S-29)."""
    hottest: Hottest | None = None
    """The destination that decides `used`."""
    refused: Count = 0
    """Flows that found no free port, since the node's rules stand (S-17)."""
    denied: Count = 0
    """Packets that denyOutbound stopped, since then."""


class RuleReport(Model):
    """One OutboundRule with an instance on the node."""

    program: str = Field(default="", max_length=64)
    """What of it stands in the node's rules: compare with `program_of`. Empty: nothing of it."""
    message: Line = ""
    """Why not the whole of it stands; empty where it does."""


class PauseReport(Model):
    """The answer to one request on a pod."""

    id: str = Field(min_length=1, max_length=64)
    """The request's own id."""
    state: PauseState
    """How far it is."""
    until: Time | None = None
    """When it is thawed at the latest, by the node's clock."""
    message: Line = ""
    """Why it was refused, or failed."""


class AgentReport(Model):
    """All that one agent has to say."""

    version: str = Field(max_length=64)
    """The agent's version."""
    node: str = Field(max_length=MAX_NAME_LENGTH)
    """The node that it speaks for."""
    frontends: tuple[IPv4Text, ...] = Field(default=(), max_length=MAX_HELD_ADDRESSES)
    """Front-end addresses of rules that this node holds: answers to them arrive here."""
    rules: dict[str, RuleReport] = Field(default_factory=dict, max_length=MAX_REPORTED)
    """By namespace/name. A rule that has no instance here is not in it."""
    instances: dict[str, InstanceReport] = Field(default_factory=dict, max_length=MAX_REPORTED)
    """By namespace/name. For one that is not in it, its allocation is a plan and no more (S-34)."""
    pauses: dict[str, PauseReport] = Field(default_factory=dict, max_length=MAX_REPORTED)
    """By the pod's UID, as long as the request stands on the pod."""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH), cut(MAX_MESSAGE_LENGTH)] = ""
    """What keeps the agent from its work as a whole; empty where nothing does."""

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Self | None:
        """The report among a Lease's annotations; None where there is none that can be read."""
        try:
            return cls.model_validate_json(annotations.get(ANNOTATION_REPORT, ""))
        except ValidationError:
            return None

    def text(self) -> str:
        """What goes into the annotation: as short as it can be."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)


def lease_name(node: str) -> str:
    """The Lease of a node's agent; a name that grows too long is told apart by a digest."""
    name = f"{LEASE_PREFIX}{node}"
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f"{name[: MAX_NAME_LENGTH - _DIGEST_LENGTH - 1]}-{_digest(node)}"


def program_of(rule: OutboundRule) -> str:
    """A digest of what of a rule an agent carries out: who has which ports, for how long, or none.

    The object's UID is in it, so that a rule that was made anew is not taken for the old one.
    """
    idle, status = rule.spec.idle_timeout.total_seconds(), rule.status
    parts: list[Any] = [rule.metadata.uid, idle, sorted(status.denied)]
    return _digest(repr([*parts, *sorted(map(_told, status.allocations))]))


def _told(allocation: PortAllocation) -> tuple[str, str, int, int]:
    ports = (allocation.first_port, allocation.last_port)
    return (allocation.instance, allocation.frontend_ip, *ports)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
