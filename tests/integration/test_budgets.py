"""PodDisruptionBudgets, counted by Kubernetes' own disruption controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually, throughout
from tests.integration.world import uids_of
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import World


def make_budget(world: World, labels: dict[str, str], least: int) -> None:
    spec = {"selector": {"matchLabels": labels}, "minAvailable": least}
    path = path_of("PodDisruptionBudget", world.namespace)
    world.api.create(path, {"metadata": {"name": "web-pdb"}, "spec": spec})


@alongside
def test_enforce_waits_for_the_budget_and_report_says_that_it_was_short(world: World) -> None:
    """X-11, X-02: one budget over two sets, none to spare; with room the one that waits goes too,
    woken by the budget alone."""
    for name, mode in (("strict", "Enforce"), ("loose", "Report")):
        policy = {"gracePeriod": "PT0S", "disruptionBudgets": mode}
        marked = {"metadata": {"labels": {"app": name, "tier": "web"}}}
        spec = {"containers": [{"name": "web", "image": "web:1"}]}
        world.scale_set(name, 4, repairs=policy, template=marked | {"spec": spec})
    world.await_ready("strict", "loose")
    make_budget(world, {"tier": "web"}, least=8)
    sick = {name: world.pods(name)[:1] for name in ("strict", "loose")}
    for pods in sick.values():
        world.endpoints.tell(pods, "status:500")
    world.await_reason("strict", sick["strict"][0], "DisruptionBudget")
    eventually(lambda: not uids_of(world.pods("loose")) & uids_of(sick["loose"]), "Report repairs")
    closed = world.await_status("loose", lambda s: bool(s["repairs"]["history"]), "closed")
    cause = closed["repairs"]["history"][0]["cause"]
    assert "; against PodDisruptionBudget web-pdb: 0 disruptions allowed" in cause
    assert "web-pdb" in world.events("loose")["RepairStarted"]
    said = world.await_word("strict", "RepairsAllowed", "False", "DisruptionBudget")
    assert "PodDisruptionBudget web-pdb: 0 disruptions allowed" in said.message

    def it_is_left_alone() -> None:
        assert uids_of(sick["strict"]) <= uids_of(world.pods("strict"))

    throughout(5, it_is_left_alone)
    path = path_of("PodDisruptionBudget", world.namespace, "web-pdb")
    world.api.merge(path, {"spec": {"minAvailable": 4}})
    eventually(
        lambda: not uids_of(world.pods("strict")) & uids_of(sick["strict"]), "it is repaired"
    )
    world.await_ready("strict", "loose")
