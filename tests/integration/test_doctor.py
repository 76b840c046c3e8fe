"""`doctor` on a real API server; the rights it names are all that an operator needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from manifests.generator.roles import rules_of
from scaleset_operator.cli.diagnosis.rights import ELECTION, OPERATOR, REPORTS
from tests.integration.accounts import kubeconfig_of
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.test_plugin_acts import Plugin
from tests.integration.waiting import eventually
from tests.integration.world import World, new_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcluster.cluster import LocalCluster

RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
NAME: Final = "doctor-operator"
WALL: Final = {"podSelector": {}, "policyTypes": ["Ingress"]}


@pytest.fixture
def world(kinds: LocalCluster) -> Iterator[World]:
    """A namespace with an account that holds the rights that doctor names, and no others."""
    with new_world(kinds, "doctor") as made:
        subject = {"kind": "ServiceAccount", "name": NAME, "namespace": made.namespace}
        api = made.api
        api.create(
            f"/api/v1/namespaces/{made.namespace}/serviceaccounts", {"metadata": {"name": NAME}}
        )
        here = f"{RBAC}/namespaces/{made.namespace}"
        for place, kind, rights in (
            (RBAC, "ClusterRole", OPERATOR),
            (here, "Role", (*ELECTION, *REPORTS)),
        ):
            role = {"metadata": {"name": NAME}, "rules": rules_of(rights)}
            api.create(f"{place}/{kind.lower()}s", role)
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME}
            binding = {"metadata": {"name": NAME}, "subjects": [subject], "roleRef": reference}
            api.create(f"{place}/{kind.lower()}bindings", binding)
        yield made
        for kind in ("clusterrolebindings", "clusterroles"):
            api.delete(f"{RBAC}/{kind}/{NAME}")


def verdicts(plugin: Plugin, *words: str, code: int) -> dict[str, str]:
    """Check -> verdict."""
    found = json.loads(plugin.on("doctor", *words, "-o", "json", code=code))
    return {row["check"]: row["verdict"] for row in found["items"]}


def test_an_operator_with_the_rights_that_doctor_names_does_its_work(
    world: World, tmp_path: Path
) -> None:
    """It leads, creates, probes, repairs, scales in and keeps its history, and is told no
    'forbidden'."""
    plugin = Plugin(world)
    elects = ("--leader-elect", "--leader-elect-namespace", world.namespace)
    account = f"system:serviceaccount:{world.namespace}:{NAME}"
    with OperatorProcess(
        world.cluster,
        tmp_path,
        *elects,
        kubeconfig=kubeconfig_of(world, world.namespace, NAME, tmp_path),
    ) as operator:
        world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
        world.await_ready("web")
        found = verdicts(plugin, "--operator", account, code=0)
        assert found["definitions"] == found["clock"] == found["scale sets"] == "Ok"
        assert found["rights of the operator"] == found["network policies"] == "Ok"
        assert found["operator"] == "Ok", "its lease says so"
        world.endpoints.tell(world.pods("web")[:1], "status:500")
        world.await_status(
            "web", lambda s: bool(s.get("repairs", {}).get("history")), "a repair is done"
        )
        world.change("web", replicas=1)
        eventually(lambda: len(world.pods("web")) == 1, "scaled in to one")
        assert operator.stop() == 0, "and it gives its lease back"
        assert operator.faults() == []
        lines = operator.log.read_text().splitlines()
        # That a namespace of another test is going is no matter of rights.
        assert not [one for one in lines if "forbidden" in one and "being terminated" not in one]


def test_what_is_wrong_fails_by_its_name(world: World) -> None:
    """S-31, X-11: a wall, a right that is missing, and an operator that does not answer."""
    plugin = Plugin(world)
    world.api.create(
        f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies",
        {"metadata": {"name": "wall"}, "spec": WALL},
    )
    world.scale_set("web", 1)
    found = verdicts(plugin, "--operator", "eve", code=2)
    assert found["network policies"] == "Failed"
    assert found["rights of the operator"] == "Failed"
    assert found["operator"] == "Unknown", "it is not yet late"
    said = plugin.on("doctor", code=2)
    assert "✖ network policies" in said
    assert all(len(line) <= 40 for line in said.splitlines())
