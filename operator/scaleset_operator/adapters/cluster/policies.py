"""NetworkPolicies as the API server has them, and the prober's own place among the pods.

Read live, and only when asked. Must not know why, or what follows: whoever asks compares.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.core.policies import (
    AddressBlock,
    Ingress,
    Operator,
    Peer,
    Policy,
    PortRange,
    ProberPlace,
    Requirement,
    Selector,
)
from scaleset_operator.reconciler.ports import Gone, Refused, Unavailable

Json = Mapping[str, Any]

MOST_READ: Final = 500
"""More policies than that in one namespace are not read; nothing is certain then."""


class PolicyReader:
    """The port `Policies`, on a real API server."""

    def __init__(self, connection: Connection, *, namespace: str = "", pod: str = "") -> None:
        """Prepares it; nothing is sent.

        Args:
            connection: to the API server.
            namespace: of the pod that this process runs in; empty when not known.
            pod: its name; empty when not known.
        """
        self._connection = connection
        self._namespace = namespace
        self._pod = pod

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """See the port."""
        path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
        found = await self._get(path, {"limit": MOST_READ})
        if found is None or (found.get("metadata") or {}).get("continue"):
            return None
        return tuple(p for item in found.get("items") or () if (p := policy_of(item)) is not None)

    async def place(self) -> ProberPlace:
        """See the port."""
        if not self._namespace:
            return ProberPlace()
        namespace = await self._get(f"/api/v1/namespaces/{self._namespace}")
        labels = None if namespace is None else namespace["metadata"].get("labels") or {}
        pod = await self._get(f"/api/v1/namespaces/{self._namespace}/pods/{self._pod}")
        if pod is None or not self._pod:
            return ProberPlace(namespace=self._namespace, namespace_labels=labels)
        if pod["spec"].get("hostNetwork"):
            return ProberPlace()  # Its requests come from the node, which no selector names.
        status = pod.get("status") or {}
        return ProberPlace(
            namespace=self._namespace,
            namespace_labels=labels,
            labels=pod["metadata"].get("labels") or {},
            addresses=tuple(one["ip"] for one in status.get("podIPs") or ()) or None,
        )

    async def _get(
        self, path: str, query: Mapping[str, str | int] | None = None
    ) -> dict[str, Any] | None:
        """None for what may not be read, or cannot be now: it is not known."""
        try:
            return await self._connection.read(Call(method="GET", path=path, query=query))
        except (Gone, Refused, Unavailable):
            return None


def policy_of(item: Json) -> Policy | None:
    """One policy; None for one that says nothing of what comes in."""
    spec = item.get("spec") or {}
    if "Ingress" not in (spec.get("policyTypes") or ["Ingress"]):
        return None
    return Policy(
        name=item["metadata"]["name"],
        selects=_selector(spec.get("podSelector")),
        ingress=tuple(_ingress(rule) for rule in spec.get("ingress") or ()),
    )


def _ingress(rule: Json | None) -> Ingress:
    rule = rule or {}
    return Ingress(
        ports=tuple(_port(port) for port in rule.get("ports") or ()),
        peers=tuple(_peer(peer) for peer in rule.get("from") or ()),
    )


def _port(port: Json) -> PortRange:
    return PortRange(
        protocol=port.get("protocol") or "TCP",
        port=port.get("port"),
        end_port=port.get("endPort"),
    )


def _peer(peer: Json) -> Peer:
    block = peer.get("ipBlock")
    if block is not None:
        excepts = tuple(block.get("except") or ())
        return Peer(block=AddressBlock(cidr=block.get("cidr") or "", excepts=excepts))
    pods, namespaces = peer.get("podSelector"), peer.get("namespaceSelector")
    return Peer(
        pods=None if pods is None else _selector(pods),
        namespaces=None if namespaces is None else _selector(namespaces),
    )


def _selector(selector: Json | None) -> Selector:
    selector = selector or {}
    exact = (
        Requirement(key=key, operator=Operator.IN, values=frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    )
    return (*exact, *_expressions(selector.get("matchExpressions") or ()))


def _expressions(rows: Iterable[Json]) -> Iterable[Requirement]:
    known = {operator.value: operator for operator in Operator}
    for row in rows:
        yield Requirement(
            key=row["key"],
            operator=known.get(row["operator"]),
            values=frozenset(row.get("values") or ()),
        )
