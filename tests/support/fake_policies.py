"""The port `Policies`: manifests in memory, read as the adapter reads them.

It must not know what is made of them.
"""

from collections.abc import Mapping
from typing import Any

from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.core.policies import Policy, ProberPlace


class FakePolicies:
    """All namespaces' NetworkPolicies.

    Attributes:
        forbidden: whether they may not be read (403).
        here: where the prober's requests come from.
        read: how often the policies were asked for.
    """

    def __init__(self) -> None:
        self.forbidden = False
        self.here = ProberPlace()
        self.read = 0
        self._stored: dict[tuple[str, str], Mapping[str, Any]] = {}

    def put(self, namespace: str, name: str, spec: Mapping[str, Any] | None) -> None:
        """Create or replace a policy; None deletes it."""
        self._stored.pop((namespace, name), None)
        if spec is not None:
            self._stored[namespace, name] = {"metadata": {"name": name}, "spec": spec}

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """See the port."""
        self.read += 1
        if self.forbidden:
            return None
        found = (policy_of(p) for key, p in sorted(self._stored.items()) if key[0] == namespace)
        return tuple(policy for policy in found if policy is not None)

    async def place(self) -> ProberPlace:
        """See the port."""
        return self.here
