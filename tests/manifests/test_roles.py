"""The roles against the list of rights that the code needs: nothing missing, nothing too much."""

from __future__ import annotations

from typing import Any, Final

import pytest

from manifests.generator.files import INSTALL
from manifests.generator.roles import LEASE
from manifests.generator.sources import NAME, NAMESPACE, read, resources_of
from scaleset_operator.api.base import GROUP
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.cli.diagnosis.rights import (
    CLUSTER_WIDE,
    ELECTION,
    NODE_JOBS,
    NODE_WORK,
    OPERATOR,
    OWN_PLACE,
    READING,
    REPORTS,
    WRITING,
    Right,
)
from tests.manifests.grants import Grant, granted, of_rule

ONE_NAMESPACE: Final = [*resources_of("base"), *resources_of("overlays/one-namespace")]
SERVED: Final = "default"
NEVER: Final = {
    "secrets",
    "configmaps",
    "serviceaccounts",
    "roles",
    "clusterroles",
    "rolebindings",
    "clusterrolebindings",
    "customresourcedefinitions",
    "*",
}
IN_ITS_NAMESPACE: Final = {
    *(Grant(right, NAMESPACE, () if right.verb != "update" else (LEASE,)) for right in ELECTION),
    *(Grant(right, NAMESPACE) for right in REPORTS),
    *(Grant(right, NAMESPACE) for right in OWN_PLACE),
}


def one_namespace() -> list[dict[str, Any]]:
    return [one for source in ONE_NAMESPACE for one in read(source)]


def aggregated() -> dict[str, set[Right]]:
    """To which of the cluster's own roles -> the rights that it gets."""
    found: dict[str, set[Right]] = {"view": set(), "edit": set(), "admin": set()}
    for role in read("base/aggregated-roles.yaml"):
        for name, rights in found.items():
            label = f"rbac.authorization.k8s.io/aggregate-to-{name}"
            if role["metadata"]["labels"].get(label) == "true":
                rights |= {right for rule in role["rules"] for right, _ in of_rule(rule)}
    return found


def test_for_the_whole_cluster_exactly_the_needed_rights_are_granted() -> None:
    assert granted(read(INSTALL), NAME) == IN_ITS_NAMESPACE | {Grant(right) for right in OPERATOR}


def test_for_one_namespace_they_hold_in_that_one_and_nodes_may_be_seen() -> None:
    wanted = {Grant(right, "" if right.resource in CLUSTER_WIDE else SERVED) for right in OPERATOR}
    assert granted(one_namespace(), NAME) == IN_ITS_NAMESPACE | wanted


@pytest.mark.parametrize(
    ("binding", "where"), [("node-jobs", ""), ("node-jobs-one-namespace", SERVED)]
)
def test_work_on_nodes_is_granted_on_demand_alone_and_exactly(binding: str, where: str) -> None:
    """The rights are wide, so nobody has them who did not ask for them."""
    roles = read("components/node-maintenance/roles.yaml")
    objects = [*roles, *read(f"components/{binding}/binding.yaml")]
    jobs = {Grant(right, where) for right in NODE_JOBS}
    assert granted(objects, NAME) == jobs | {Grant(right) for right in NODE_WORK}
    base = {grant.right for grant in granted(read(INSTALL), NAME)}
    assert base.isdisjoint({*NODE_WORK, *NODE_JOBS})


@pytest.mark.parametrize("objects", [read(INSTALL), one_namespace()], ids=["cluster", "namespace"])
def test_nothing_is_granted_that_an_operator_should_never_have(
    objects: list[dict[str, Any]],
) -> None:
    """No secrets, no command in a pod, no eviction, no rights over rights, and no wildcard."""
    for right, _, _ in granted(objects, NAME):
        assert right.resource not in NEVER
        assert right.verb not in {"*", "bind", "escalate", "impersonate", "deletecollection"}
        assert right.subresource in {"", "status", "finalizers", "eviction"}
        assert "*" not in right


def test_who_may_view_or_edit_in_the_cluster_may_do_so_with_our_kinds() -> None:
    rights = aggregated()
    ours = {kind.plural for kind in KINDS}
    reading = {Right(verb, GROUP, one) for one in ours for verb in ("get", "list", "watch")}
    changing = {Right(verb, GROUP, one) for one in ours for verb in ("create", "patch", "delete")}
    assert reading <= rights["view"]
    assert all(right.verb in {"get", "list", "watch"} for right in rights["view"])
    assert rights["view"] | changing <= rights["edit"]
    assert Right("update", GROUP, "scalesets", "scale") in rights["edit"]
    assert rights["edit"] == rights["admin"]
    assert {right.group for right in rights["admin"]} == {GROUP}


def test_nobody_but_the_operator_may_write_a_status() -> None:
    """It builds on its own status: whoever empties the ledger frees every slot."""
    assert all(
        right.verb == "get" for right in aggregated()["admin"] if right.subresource == "status"
    )


def test_the_plugin_works_for_whoever_may_view_or_edit() -> None:
    """What it needs of our kinds; the cluster's own roles give pods."""
    rights = aggregated()
    assert {right for right in READING if right.group == GROUP} <= rights["view"]
    assert {right for right in WRITING if right.group == GROUP} <= rights["edit"]
