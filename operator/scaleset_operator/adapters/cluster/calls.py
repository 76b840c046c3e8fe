"""The requests that patch: where they go, and how the API server is to merge them. Pure.

Must not know: what stands in the bodies, or why they are sent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from scaleset_operator.adapters.cluster.connection import APPLY, STRATEGIC_MERGE, Call
from scaleset_operator.adapters.cluster.view import pods_path
from scaleset_operator.api.base import API_VERSION, FIELD_MANAGER
from scaleset_operator.reconciler.ports import Key, Owner


def pod_path(owner: Owner, name: str) -> str:
    """The path of one of the set's pods, or below it."""
    return f"{pods_path(owner.key.namespace)}/{name}"


def pod_patch(
    owner: Owner, name: str, body: Mapping[str, Any], check: Callable[[], None] | None = None
) -> Call:
    """A strategic merge patch of a pod, or of its status (protocol rule 26).

    Args:
        owner: the set.
        name: of the pod, with "/status" where that is meant.
        body: of the patch.
        check: called right before it goes out; what it raises keeps it back (protocol rule 5).
    """
    return Call(
        method="PATCH",
        path=pod_path(owner, name),
        query={"fieldManager": FIELD_MANAGER},
        body=body,
        content_type=STRATEGIC_MERGE,
        check=check,
    )


def status_apply(kinds: str, key: Key, body: Mapping[str, Any]) -> Call:
    """A forced apply of a whole status (protocol rule 25)."""
    return Call(
        method="PATCH",
        path=f"/apis/{API_VERSION}/namespaces/{key.namespace}/{kinds}/{key.name}/status",
        query={"fieldManager": FIELD_MANAGER, "force": "true"},
        body=body,
        content_type=APPLY,
    )
