"""The pods of the node, as far as the agent needs them, from the API server's JSON.

Must not know how they are heard of, or what becomes of them here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.api.pauserequest import PauseRequest
from scaleset_operator.core.pause import Watch, watches_of

_OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, kw_only=True)
class Member:
    """A pod of this node.

    Attributes:
        address: its own IPv4 address; None where it has none, or that of the node.
        instance: whether it bears the label of a ScaleSet's instances.
        leaving: whether its deletion was asked for.
        created: when, as the API server writes it.
        asked: the pause that is asked for, or what is wrong with the request.
        watches: the probes by which kubelet kills its containers.
    """

    namespace: str
    name: str
    uid: str
    address: IPv4Address | None = None
    instance: bool = False
    leaving: bool = False
    created: str = ""
    asked: PauseRequest | str | None = None
    watches: tuple[Watch, ...] = ()

    @property
    def key(self) -> str:
        """Its name in reports: namespace/name."""
        return f"{self.namespace}/{self.name}"


def member_of(body: Mapping[str, Any]) -> Member | None:
    """Reads a pod; None where it is over, for its address may be another's by now."""
    metadata, status = body["metadata"], body.get("status") or {}
    if status.get("phase") in _OVER:
        return None
    spec = body.get("spec") or {}
    of_node = bool(spec.get("hostNetwork"))
    return Member(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        address=None if of_node else _address(status),
        instance=LABEL_NAME in (metadata.get("labels") or {}),
        leaving=bool(metadata.get("deletionTimestamp")),
        created=metadata.get("creationTimestamp") or "",
        asked=PauseRequest.of(metadata.get("annotations") or {}),
        watches=watches_of(spec),
    )


def _address(status: Mapping[str, Any]) -> IPv4Address | None:
    told = [status.get("podIP"), *(one.get("ip") for one in status.get("podIPs") or ())]
    for text in told:
        try:
            return IPv4Address(text or "")
        except AddressValueError:
            continue
    return None
