"""The roles: what the operator may do, from the one list of rights, and what people may.

Must not know: who is bound to a role; that is the overlays' choice.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from manifests.generator.sources import AGENT_NAMESPACE, LABELS, NAME, NAMESPACE
from scaleset_operator.api.base import GROUP
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.cli.diagnosis.rights import (
    AGENT,
    AGENT_REPORT,
    CLUSTER_WIDE,
    ELECTION,
    NODE_JOBS,
    NODE_WORK,
    OPERATOR,
    OWN_PLACE,
    REPORTS,
    Right,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]

RBAC: Final = "rbac.authorization.k8s.io"
LEASE: Final = "scaleset-operator"
"""The Lease's name; whoever may create one may not be held to a name, whoever changes one may."""
READ: Final = ("get", "list", "watch")
AGENT_ACCOUNT: Final = "scaleset-agent"
CHANGE: Final = ("create", "delete", "deletecollection", "patch", "update")


def operators_roles() -> list[Json]:
    """What the operator may do: with instances, with nodes, and in its own namespace."""
    nodes = [right for right in OPERATOR if right.resource in CLUSTER_WIDE]
    instances = [right for right in OPERATOR if right.resource not in CLUSTER_WIDE]
    created = [right for right in ELECTION if right.verb == "create"]
    named = [right for right in ELECTION if right not in (*created, *REPORTS)]
    own = rules_of([*created, *REPORTS]) + rules_of(named, names=[LEASE]) + rules_of(OWN_PLACE)
    return [
        _role("ClusterRole", NAME, rules_of(instances)),
        _role("ClusterRole", f"{NAME}-nodes", rules_of(nodes)),
        _binding("ClusterRole", f"{NAME}-nodes"),
        _role("Role", NAME, own, namespace=NAMESPACE),
        _binding("Role", NAME, namespace=NAMESPACE),
    ]


def node_roles() -> list[Json]:
    """What windows with nodeMaintenance need beyond that; an installation has it on demand alone.

    The Jobs are made in the namespace of the window; who binds that role says in which.
    """
    nodes, jobs = f"{NAME}-node-maintenance", f"{NAME}-node-jobs"
    return [
        _role("ClusterRole", nodes, rules_of(NODE_WORK)),
        _binding("ClusterRole", nodes),
        _role("ClusterRole", jobs, rules_of(NODE_JOBS)),
    ]


def agents_roles() -> list[Json]:
    """What the agents on the nodes may do: hear of pods and rules, and report."""
    name, subject = AGENT_ACCOUNT, (AGENT_ACCOUNT, AGENT_NAMESPACE)
    return [
        _role("ClusterRole", name, rules_of(AGENT)),
        _binding("ClusterRole", name, subject=subject),
        _role("Role", name, rules_of(AGENT_REPORT), namespace=NAMESPACE),
        _binding("Role", name, namespace=NAMESPACE, subject=subject),
    ]


def peoples_roles() -> list[Json]:
    """What the cluster's own roles view, edit and admin say of our kinds.

    Nobody gets to write a status: the operator builds on its own.
    """
    kinds = [kind.plural for kind in KINDS]
    statuses = [f"{plural}/status" for plural in kinds]
    scales = [f"{kind.plural}/scale" for kind in KINDS if kind.scalable]
    view = [
        _rule(GROUP, kinds, READ),
        _rule(GROUP, [*statuses, *scales], ("get",)),
    ]
    edit = [_rule(GROUP, kinds, CHANGE), _rule(GROUP, scales, ("patch", "update"))]
    return [
        _role("ClusterRole", "scaleset-view", view, aggregate=("view", "edit", "admin")),
        _role("ClusterRole", "scaleset-edit", edit, aggregate=("edit", "admin")),
    ]


def rules_of(rights: Iterable[Right], names: Iterable[str] = ()) -> list[Json]:
    """Exactly these rights, as a role has them; with names, on objects of these names alone."""

    def what(right: Right) -> tuple[str, str]:
        tail = f"/{right.subresource}" if right.subresource else ""
        return right.group, f"{right.resource}{tail}"

    grouped = groupby(sorted(rights, key=what), key=what)
    return [
        _rule(group, [resource], [right.verb for right in some], names)
        for (group, resource), some in grouped
    ]


def _rule(
    group: str, resources: Iterable[str], verbs: Iterable[str], names: Iterable[str] = ()
) -> Json:
    rule: Json = {"apiGroups": [group], "resources": [*resources], "verbs": [*verbs]}
    return rule | ({"resourceNames": [*names]} if names else {})


def _role(
    kind: str,
    name: str,
    rules: list[Json],
    *,
    namespace: str | None = None,
    aggregate: Iterable[str] = (),
) -> Json:
    labels = LABELS | {f"{RBAC}/aggregate-to-{role}": "true" for role in aggregate}
    head = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": _meta(name, namespace, labels)}
    return head | {"rules": rules}


def _binding(
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    subject: tuple[str, str] = (NAME, NAMESPACE),
) -> Json:
    account, home = subject
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _meta(name, namespace, LABELS),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
    }


def _meta(name: str, namespace: str | None, labels: Json) -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": dict(labels)}
