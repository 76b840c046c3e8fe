"""The Lease by which a node's agent reports: renewed by a patch, made where it is not there.

No read comes first: nobody else writes it. Must not know: what the report says.
"""

from datetime import datetime
from typing import Any

from scaleset_operator.adapters.cluster.connection import MERGE, Call, Connection
from scaleset_operator.adapters.cluster.lease import API, LeasePlace
from scaleset_operator.api.agentreport import ANNOTATION_REPORT, LEASE_LASTS_S, lease_name
from scaleset_operator.api.base import format_micro_time
from scaleset_operator.reconciler.ports import Gone


class AgentLease:
    """The Lease of one node's agent."""

    def __init__(self, connection: Connection, namespace: str, node: str) -> None:
        self._connection = connection
        self._place = LeasePlace(namespace, lease_name(node))
        self._node = node

    async def write(self, report: str, now: datetime) -> None:
        """Renews it with this report; raises as `Connection.request`.

        Args:
            report: the annotation's text.
            now: the node's clock.
        """
        body: dict[str, Any] = {
            "metadata": {"annotations": {ANNOTATION_REPORT: report}},
            "spec": {
                "holderIdentity": self._node,
                "leaseDurationSeconds": LEASE_LASTS_S,
                "renewTime": format_micro_time(now),
            },
        }
        path = self._place.collection
        there = f"{path}/{self._place.name}"
        try:
            renewal = Call(method="PATCH", path=there, body=body, content_type=MERGE)
            await self._connection.request(renewal)
        except Gone:
            body["metadata"] |= {"name": self._place.name, "namespace": self._place.namespace}
            made = {"apiVersion": API, "kind": "Lease", **body}
            await self._connection.request(Call(method="POST", path=path, body=made))
