"""OutboundRule: a back-end pool and the addresses and ports its outbound flows leave from.

Must not know: who is in the pool, or how a port is given out.
"""

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from scaleset_operator.api.base import (
    Condition,
    Count,
    Duration,
    Generation,
    LabelName,
    Model,
    Resource,
    cel,
    checked,
)
from scaleset_operator.api.durations import parse_duration
from scaleset_operator.api.scaleset import Selector

DEFAULT_IDLE_TIMEOUT: Final = parse_duration("PT4M")
"""Four minutes, as the source fixes it (S-19)."""
MAX_FRONTEND_IPS: Final = 16
PORTS_PER_FRONTEND: Final = 64_000
"""Ports of one address that can be given out, where they are allocated by hand (S-33)."""
PORT_STEP: Final = 8
MAX_ALLOCATIONS: Final = 1_000
"""The largest pool of the source's table (S-02)."""
MAX_LISTED: Final = 2 * MAX_ALLOCATIONS
"""Blocks listed: those of the largest pool, and of as many that are being deleted."""
MAX_UNALLOCATED: Final = 20
MAX_PORT: Final = 65_535

IPv4Text = Annotated[
    str,
    Field(
        min_length=7,
        max_length=15,
        pattern=r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}"
        "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$",
    ),
]


class OutboundRuleSpec(Model):
    """Whose outbound flows are translated, to which addresses, with how many ports each."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            cel(
                "self.denyOutbound || size(self.frontendIPs) > 0",
                "spec.frontendIPs must name 1 to 16 addresses, or set denyOutbound to true",
                reason="FieldValueRequired",
                field=".frontendIPs",
            ),
            cel(
                "self.idleTimeout >= duration('4m') && self.idleTimeout <= duration('120m')",
                "spec.idleTimeout must be PT4M to PT120M",
                field=".idleTimeout",
            ),
        )
    )

    scale_set_selector: Selector
    """Which ScaleSets of the namespace form the pool, by their labels."""
    frontend_ips: tuple[IPv4Text, ...] = Field(
        default=(),
        alias="frontendIPs",
        max_length=MAX_FRONTEND_IPS,
        examples=[["192.0.2.10"]],
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    """The IPv4 addresses that the flows leave from. Allowed: 1 to 16 different
    addresses; none only with denyOutbound."""
    allocated_outbound_ports: int = Field(
        default=0, ge=0, le=PORTS_PER_FRONTEND, multiple_of=PORT_STEP, examples=[1024]
    )
    """Ports of one instance. 0: the table of the source, by pool size: 1024 up to 50 instances,
    512 up to 100, 256 up to 200, 128 up to 400, 64 up to 800, 32 up to 1000. Allowed: multiples of
    8 up to 64000."""
    idle_timeout: Duration = Field(default=DEFAULT_IDLE_TIMEOUT, examples=["PT4M"])
    """How long a flow may be idle before its port is free again. Allowed: PT4M to PT120M."""
    deny_outbound: bool = Field(default=False, examples=[True])
    """Whether the instances have no way out of the cluster: what they send to addresses outside of
    it is dropped. Traffic inside the cluster passes, and so do answers to whoever came in, the
    prober among them."""


class PortAllocation(Model):
    """The ports of one instance: one block of one address."""

    instance: LabelName = Field(examples=["web-7"])
    """The instance: the pod's name."""
    frontend_ip: IPv4Text = Field(alias="frontendIP", examples=["192.0.2.10"])
    """The address that its flows leave from."""
    first_port: Annotated[int, Field(ge=1, le=MAX_PORT)] = Field(examples=[1024])
    """The first port of the block."""
    last_port: Annotated[int, Field(ge=1, le=MAX_PORT)] = Field(examples=[2047])
    """The last port of the block."""
    programmed: bool = Field(default=False, examples=[True])
    """Whether the agent of the instance's node reports that its flows leave from this block;
    otherwise it is a plan (S-34)."""


class BusiestDestination(Model):
    """The destination that one instance needs most ports for."""

    instance: LabelName = Field(examples=["web-7"])
    """The instance: the pod's name."""
    destination: str = Field(max_length=32, examples=["203.0.113.5:443/tcp"])
    """Address, port and protocol: flows to another do not compete for ports (S-15)."""
    ports: Count = Field(examples=[768])
    """The most ports in use at once, in whole eighths of the instance's block: finer figures are
    among the metrics."""


class OutboundRuleStatus(Model):
    """The budget of ports as it stands."""

    observed_generation: Generation = Field(default=0, examples=[1])
    """The generation of the spec that the other fields speak about."""
    pool_size: Count = Field(default=0, examples=[40])
    """Instances in the pool, unhealthy and surplus ones included (S-24, S-32)."""
    ports_per_instance: Annotated[int, Field(ge=0, le=PORTS_PER_FRONTEND)] = Field(
        default=0, examples=[1024]
    )
    """Ports of one instance."""
    instances_to_next_tier: Count | None = Field(default=None, examples=[10])
    """How many more instances fit before each has fewer ports."""
    allocations: tuple[PortAllocation, ...] = Field(default=(), max_length=MAX_LISTED)
    """Who has which ports: one block each. An instance that is being deleted keeps its own until it
    is gone, and is not in poolSize."""
    unallocated: tuple[LabelName, ...] = Field(
        default=(), max_length=MAX_UNALLOCATED, examples=[["web-51"]]
    )
    """The first instances that no ports were left for, by pod name."""
    busiest: BusiestDestination | None = None
    """The instance nearest to the end of its ports, as the agents report it (S-29)."""
    denied: tuple[LabelName, ...] = Field(
        default=(), max_length=MAX_ALLOCATIONS, examples=[["web-7"]]
    )
    """Who has no way out, by pod name: all of the pool where denyOutbound is set."""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=10)
    """Accepted, OutboundPortsSufficient, Programmed."""


class OutboundRule(Resource):
    """The outbound ports of a pool of instances, as a known budget."""

    kind: str = "OutboundRule"
    """The kind's name."""
    spec: OutboundRuleSpec
    """What is wanted."""
    status: OutboundRuleStatus = Field(default_factory=OutboundRuleStatus)
    """The budget as it stands; written by the operator only."""
