"""What else can be known of a silent instance, as Protocols; the adapters fill them, or nobody.

As in `ports`, nothing here knows a client or a socket. Each has a default that knows nothing.
"""

from datetime import datetime
from typing import Protocol

from scaleset_operator.core.policies import Policy, ProberPlace


class Policies(Protocol):
    """What NetworkPolicies there are, read live; never raises."""

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """Those of a namespace that concern what comes in; None where it cannot be known."""
        ...

    async def place(self) -> ProberPlace:
        """Where the prober's own requests come from, as far as it is known."""
        ...


class NoPolicies:
    """The default: nothing is known of policies."""

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:  # noqa: ARG002 - the port's signature
        """See the port."""
        return None

    async def place(self) -> ProberPlace:
        """See the port."""
        return ProberPlace()


class Vantage(Protocol):
    """A second place from which the same instances are probed, by the same probes.

    It has a vote and no verdict: a success seen there vetoes a verdict of silence reached here,
    and nothing else. What it found under other rules, or of another pod, it keeps to itself
    (P-25, P-30).
    """

    def votes(self, pod_uid: str) -> datetime | None:
        """When the pod last answered there, in the time of the loop's clock; None for never."""
        ...


class NoVantage:
    """The default: this prober is the only one."""

    def votes(self, pod_uid: str) -> datetime | None:  # noqa: ARG002 - the port's signature
        """See the port."""
        return None
