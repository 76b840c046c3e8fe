"""The node agents' reports: one Lease each in the operator's namespace, kept by a list and a watch.

Must not know: what follows from a report.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.reflector import Reflector, Timing
from scaleset_operator.api.agentreport import LEASE_LASTS_S, AgentReport, lease_name
from scaleset_operator.core.outbound import Heard

SETTLE_S: Final = 1.0
"""How long a report waits for others: each node sends one every half a minute."""
Json = Mapping[str, Any]


class AgentLeases:
    """What every agent last said, and when that was."""

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        wake: Callable[[], None],
        *,
        timing: Timing | None = None,
    ) -> None:
        """Prepares it; nothing is sent before `run`.

        Args:
            connection: the one that the list and the watch go over.
            namespace: the operator's own, where the Leases stand.
            wake: called when a report is another one, once for all that change together.
            timing: clocks and chance.
        """
        self._timing = timing or Timing()
        self._wake = wake
        self._told: asyncio.TimerHandle | None = None
        self._reports: dict[str, tuple[AgentReport, str, float]] = {}
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._reflector = Reflector(connection, path, self, timing=self._timing)

    async def run(self) -> None:
        """List and watch until cancelled, whatever happens."""
        try:
            await self._reflector.run()
        finally:
            if self._told is not None:
                self._told.cancel()

    def heard(self) -> Mapping[str, Heard]:
        """Node -> its agent's last report; silent where its Lease stood unchanged for too long.

        By our own clock: what an agent's clock says is compared with nothing. From any thread.
        """
        ages, reports = self.ages(), [report for report, _, _ in tuple(self._reports.values())]
        return {
            report.node: Heard(report, silent=ages.get(report.node, 0.0) > LEASE_LASTS_S)
            for report in reports
        }

    def ages(self) -> Mapping[str, float]:
        """Node -> seconds since its Lease was seen to be renewed; from any thread.

        While we cannot see Leases ourselves nobody grows older.
        """
        now = self._timing.monotonic() - self._reflector.cut_for()
        return {r.node: max(0.0, now - at) for r, _, at in tuple(self._reports.values())}

    def put(self, obj: Json) -> None:
        """See the port."""
        meta = obj["metadata"]
        name, version = meta["name"], meta["resourceVersion"]
        report = AgentReport.of(meta.get("annotations") or {})
        before = self._reports.get(name)
        if report is None or lease_name(report.node) != name:
            self.drop(obj)  # Another's Lease; and nobody speaks for another node.
            return
        if before is not None and before[1] == version:
            return
        self._reports[name] = (report, version, self._timing.monotonic())
        if before is None or before[0] != report:
            self._tell()

    def drop(self, obj: Json) -> None:
        """See the port."""
        if self._reports.pop(obj["metadata"]["name"], None) is not None:
            self._tell()

    def listing(self) -> None:
        """See the port."""

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:  # noqa: ARG002
        """See the port."""
        there = {name for _, name in names}
        for gone in [name for name in self._reports if name not in there]:
            del self._reports[gone]
            self._tell()

    def reached(self, version: int) -> None:
        """See the port."""

    def in_touch(self) -> None:
        """See the port."""

    def _tell(self) -> None:
        if self._told is None:
            self._told = asyncio.get_running_loop().call_later(SETTLE_S, self._wake_all)

    def _wake_all(self) -> None:
        self._told = None
        self._wake()
