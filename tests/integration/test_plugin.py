"""The plugin's commands that read, as processes, against a real API server and a live operator.

What `why` says is compared with what the operator then does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.test_plugin_acts import Plugin
from tests.integration.waiting import eventually
from tests.integration.world import names_of, new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.api import ApiClient
    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

GRACE_S: Final = 75


@pytest.fixture(scope="module")
def world(operator: OperatorProcess) -> Iterator[World]:
    """Twenty instances, Ready: one may be repaired at a time."""
    with new_world(operator.cluster, "why") as made:
        made.scale_set("web", 20, repairs={"gracePeriod": f"PT{GRACE_S}S"})
        made.await_ready("web")
        yield made


@pytest.fixture
def plugin(world: World) -> Plugin:
    """At a terminal of 40 columns, without colour."""
    return Plugin(world)


def test_the_plugin_explains_an_instance_from_its_grace_to_its_repair(
    world: World, plugin: Plugin
) -> None:
    """X-11, P-21, R-24: what is said to happen, and when, is what the operator does then."""
    first, second = world.pods("web")[:2]
    name, other = names_of([first, second])
    world.endpoints.tell([first], "status:500")
    row = world.await_reason("web", first, "InGracePeriod")
    found = plugin.data("why", name)
    assert (found["decision"], found["reason"]) == ("Deferred", "InGracePeriod")
    assert found["until"] == row["eligibleTime"]
    assert found["cause"]["message"].startswith("HTTP 500")
    assert plugin.data("why", other)["fate"] == "Nothing"
    world.endpoints.tell([second], "status:500")

    def repair_of(instance: str) -> dict[str, str]:
        repairs = world.status("web")["repairs"]
        rows = [*repairs.get("inFlight", ()), *repairs.get("history", ())]
        return next((row for row in rows if row["instance"] == instance), {})

    entry = eventually(
        lambda: repair_of(name), "a repair", seconds=GRACE_S + 30, told=lambda: world.told("web")
    )
    assert entry["startTime"] >= found["until"]
    assert entry["cause"] == found["cause"]["message"]
    later = eventually(lambda: repair_of(other), "another", seconds=GRACE_S + 30)
    assert later["startTime"] >= found["until"]
    happened = plugin.data("activities", "web")["items"]
    assert any(r["instance"] == name for r in happened)
    assert any((r["cause"] or "").startswith("RepairStarted") for r in happened)


def test_status_is_followed_until_the_set_is_healthy(world: World, plugin: Plugin) -> None:
    """The exit code says how it ended."""
    world.endpoints.heal(world.pods("web"))
    plugin.on("status", "web", "-w", "--timeout", "90s")
    assert plugin.data("status", "web")["standing"] == "Healthy"


def test_rights_in_one_namespace_are_enough_to_ask_why(
    world: World, plugin: Plugin, api: ApiClient
) -> None:
    """No node, no other namespace; who has no right at all is told which one is missing."""
    rules = [
        {
            "apiGroups": ["scaleset.dev"],
            "resources": ["scalesets", "healthprobes"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    ]
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}"
    api.create(f"{base}/roles", {"metadata": {"name": "reader"}, "rules": rules})
    subjects = [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}]
    ref = {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
    api.create(
        f"{base}/rolebindings",
        {"metadata": {"name": "reader"}, "subjects": subjects, "roleRef": ref},
    )
    (name, *_) = names_of(world.pods("web"))
    assert "Decision: " in plugin.on("why", name, "--as", "ann")
    assert json.loads(plugin.on("activities", "web", "-o", "json", "--as", "ann"))
    said = plugin.refused("why", name, "--as", "bob")
    assert f"you may not get pods in namespace {world.namespace}" in said
