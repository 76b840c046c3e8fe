"""One Lease of coordination.k8s.io/v1, in the form that client-go writes it.

Must not know: who should hold it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.api.base import LABEL_PREFIX
from scaleset_operator.core.election import LeaseRecord, Seen
from scaleset_operator.reconciler.ports import Gone

API: Final = "coordination.k8s.io/v1"
VANTAGE: Final = f"{LABEL_PREFIX}/vantage"
"""The annotation that says where a standby answers for what it has heard."""


@dataclass(frozen=True, slots=True)
class LeasePlace:
    """Where the Lease is."""

    namespace: str
    name: str

    @property
    def collection(self) -> str:
        """The path of the namespace's Leases."""
        return f"/apis/{API}/namespaces/{self.namespace}/leases"


class LeaseStore:
    """Reads and writes it by get, create and update, each on the version last seen."""

    def __init__(self, connection: Connection, place: LeasePlace) -> None:
        self._connection = connection
        self._place = place
        self._raw: Mapping[str, Any] = {}

    async def read(self) -> Seen | None:
        """The Lease; None where there is none. Raises as `Connection.request`."""
        path = f"{self._place.collection}/{self._place.name}"
        try:
            return self._seen(await self._connection.request(Call(method="GET", path=path)))
        except Gone:
            return None

    async def write(self, lease: Seen) -> Seen:
        """Make it, or change the version that was seen; what others wrote into it stays.

        Raises:
            Conflict: somebody wrote in between, or made it.
            Gone: it is not there any more.
            As `Connection.request` beyond that.
        """
        path, method, body = self._place.collection, "POST", self._body(lease)
        if lease.version:
            path, method = f"{path}/{self._place.name}", "PUT"
        return self._seen(await self._connection.request(Call(method=method, path=path, body=body)))

    def _body(self, lease: Seen) -> dict[str, Any]:
        before = self._raw if lease.version else {}
        metadata = dict(before.get("metadata") or {})
        metadata |= {"namespace": self._place.namespace, "name": self._place.name}
        marks = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != VANTAGE}
        if lease.vantage:
            marks[VANTAGE] = lease.vantage
        metadata["annotations"] = marks
        if lease.version:
            metadata["resourceVersion"] = lease.version
        record = lease.record
        spec = {
            **(before.get("spec") or {}),
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.lasts_s,
            "acquireTime": record.acquired or None,
            "renewTime": record.renewed or None,
            "leaseTransitions": record.transitions,
        }
        return {"apiVersion": API, "kind": "Lease", "metadata": metadata, "spec": spec}

    def _seen(self, raw: Mapping[str, Any]) -> Seen:
        self._raw = raw
        spec, metadata = raw.get("spec") or {}, raw["metadata"]
        record = LeaseRecord(
            holder=spec.get("holderIdentity") or "",
            lasts_s=int(spec.get("leaseDurationSeconds") or 0),
            acquired=spec.get("acquireTime") or "",
            renewed=spec.get("renewTime") or "",
            transitions=int(spec.get("leaseTransitions") or 0),
        )
        marks = metadata.get("annotations") or {}
        return Seen(
            record=record, version=metadata["resourceVersion"], vantage=marks.get(VANTAGE, "")
        )
