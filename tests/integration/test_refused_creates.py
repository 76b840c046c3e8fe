"""What the API server refuses to create: said in status, nothing lost, tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually, throughout
from tests.integration.world import names_of, template, uids_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World


def broken_template() -> Json:
    """A template that only a create can find wrong: it mounts what it does not declare."""
    made = template("web", image="web:2")
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "absent", "mountPath": "/data"}]
    return made


@alongside
def test_a_template_that_is_refused_costs_no_instance(world: World) -> None:
    """R-58, X-11: Accepted=False/InvalidTemplate with the API server's words; rollout and repairs
    wait, and both go on with a template that is whole."""
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    before = uids_of(world.pods("web"))
    world.change("web", template=broken_template())
    word = world.await_word("web", "Accepted", "False", "InvalidTemplate")
    assert "absent" in word.message
    assert world.word("web", "Ready").status == "False"
    sick = world.pods("web")[0]
    world.endpoints.tell([sick], "status:500")
    world.await_reason("web", sick, "InvalidTemplate")

    def nothing_is_lost() -> None:
        assert uids_of(world.pods("web")) == before

    throughout(5, nothing_is_lost)
    assert "InvalidTemplate" in world.events("web")
    mended = template("web", image="web:2")
    mended["spec"]["containers"][0]["volumeMounts"] = None
    world.change("web", template=mended)
    eventually(lambda: not uids_of(world.pods("web")) & before, "all are new", seconds=90)
    world.await_ready("web")
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods("web")} == {"web:2"}


@alongside
def test_a_quota_stops_creates_and_lets_them_go_on_when_it_is_raised(world: World) -> None:
    """X-11: Accepted=False/CreateForbidden; those that fit are there and well."""
    quotas = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.api.create(quotas, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}})
    world.kubectl("wait", "quota/few", "--for=jsonpath={.status.hard.pods}=3", "--timeout=30s")
    world.scale_set("web", 5)
    word = world.await_word("web", "Accepted", "False", "CreateForbidden")
    assert "quota" in word.message
    eventually(lambda: len(world.pods("web")) == 3, "as many as fit")
    eventually(lambda: world.status("web")["readyReplicas"] == 3, "they are well")
    assert "CreateForbidden" in world.events("web")
    before = uids_of(world.pods("web"))
    world.api.merge(f"{quotas}/few", {"spec": {"hard": {"pods": "10"}}})
    world.await_ready("web", seconds=90)
    assert before < uids_of(world.pods("web"))
    assert world.word("web", "Accepted")[:2] == ("True", "Valid")
    assert len(names_of(world.everything_of("web"))) == 5
