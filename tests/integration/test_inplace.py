"""Repairs that keep the pod, on a real API server with pretended kubelets, under the auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, VERDICT_S, moment, names_of, template, uids_of
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World

OWN: dict[str, Any] = {"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "mine"}}}


def images(pod: Json) -> list[str]:
    return [row["image"] for row in pod["spec"]["containers"]]


def identity(pod: Json) -> tuple[str, ...]:
    """What a repair in place keeps."""
    metadata, own = pod["metadata"], (pod["spec"]["nodeName"], pod["status"]["podIP"])
    return (metadata["name"], metadata["uid"], metadata["creationTimestamp"], *own)


def cured_by(world: World, pod: Json, image: str) -> Json:
    """Wait until the pod has this image, let what it runs now be well, and give it Healthy."""
    name = pod["metadata"]["name"]
    eventually(lambda: images(world.get(name, "Pod")) == [image], f"{name} has {image}", seconds=60)
    world.endpoints.heal([pod])
    world.await_status(
        "web",
        lambda s: not s["repairs"]["inFlight"] and s["repairs"]["history"][:1],
        "its repair is closed",
    )
    return world.get(name, "Pod")


@alongside
def test_a_restart_renews_the_containers_and_keeps_the_pod(world: World) -> None:
    """R-11, R-24, R-26, R-56, rule 10: name, UID, address, node, labels stay; the start is new."""
    world.scale_set("web", 5, repairs={"gracePeriod": "PT0S", "repairAction": "Restart"})
    world.await_ready("web")
    sick = world.pods("web")[1]
    world.api.merge(path_of("Pod", world.namespace, sick["metadata"]["name"]), OWN)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell([sick], "status:500")
        after = cured_by(world, sick, "docker.io/library/web:1")
        world.await_ready("web")
    assert identity(after) == identity(sick)
    assert after["metadata"]["labels"]["team"] == "blue"
    assert after["metadata"]["annotations"]["note"] == "mine"
    stamp = f"{PREFIX}state-change-time"
    was, now = (moment(pod["metadata"]["annotations"][stamp]) for pod in (sick, after))
    assert now > was
    assert f"{PREFIX}repair-attempt" not in after["metadata"]["annotations"]
    (status,) = after["status"]["containerStatuses"]
    assert status["restartCount"] == 1
    record = world.status("web")["repairs"]["history"][0]
    assert (record["action"], record["result"]) == ("Restart", "Succeeded")
    assert "replacement" not in record
    assert watch.auditor.violations() == []
    assert watch.auditor.renewed() == names_of([sick])
    assert watch.auditor.repaired() == []
    assert watch.auditor.max_in_flight == 1


@alongside
def test_a_reimage_brings_the_latest_images_or_becomes_a_replace(world: World) -> None:
    """R-55, R-56, rule 10: in place where images alone differ, else by another instance."""
    manual = {"upgradePolicy": {"mode": "Manual"}}
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S", "repairAction": "Reimage"}, **manual)
    world.await_ready("web")
    first, second, third = world.pods("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:2"))
        world.endpoints.tell([first], "status:500")
        after = cured_by(world, first, "web:2")
        assert identity(after) == identity(first)
        latest = world.status("web")["latestModel"]
        assert after["metadata"]["labels"][f"{PREFIX}model"] == latest
        world.change("web", template=template("web", image="web:2", marks={"more": "differs"}))
        world.endpoints.tell([second], "status:500")
        eventually(
            lambda: second["metadata"]["uid"] not in uids_of(world.pods("web")),
            "another one stands in its place",
            seconds=VERDICT_S + 30,
        )
        world.await_ready("web")
    record = world.status("web")["repairs"]["history"][0]
    assert record["action"] == "Replace"
    assert "Reimage becomes Replace" in record["cause"]
    assert images(world.get(third["metadata"]["name"], "Pod")) == ["web:1"]
    assert watch.auditor.violations() == []
    assert (watch.auditor.renewed(), watch.auditor.repaired()) == (
        names_of([first]),
        names_of([second]),
    )


@alongside
def test_a_person_asks_for_a_restart_and_for_what_there_is_not(world: World) -> None:
    """R-56, X-11: a healthy one is restarted at once; what cannot be is answered and taken off."""
    world.scale_set("web", 3)
    world.await_ready("web")
    asked, odd, _ = world.pods("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        request(world, asked, "restart")
        request(world, odd, "reboot")
        name = asked["metadata"]["name"]
        eventually(
            lambda: images(world.get(name, "Pod")) == ["docker.io/library/web:1"], "it restarts"
        )
        world.await_ready("web")
        world.await_status("web", lambda s: s["repairs"]["history"][:1], "it is closed")
        rows = world.await_status(
            "web", lambda s: s["requests"] and s["requests"][0]["state"] == "Answered", "answered"
        )["requests"]
    after = world.get(name, "Pod")
    assert identity(after) == identity(asked)
    assert f"{PREFIX}operation" not in after["metadata"]["annotations"]
    record = world.status("web")["repairs"]["history"][0]
    assert (record["cause"], record["result"]) == ("requested: operation=restart", "Succeeded")
    (row,) = rows
    assert (row["instance"], row["reason"]) == (odd["metadata"]["name"], "UnknownRequest")
    assert "operation=reboot" in world.events("web")["RequestRefused"]
    marks = world.get(odd["metadata"]["name"], "Pod")["metadata"]["annotations"]
    assert f"{PREFIX}operation" not in marks
    assert watch.auditor.violations() == []


def request(world: World, pod: Json, operation: str) -> None:
    body = {"metadata": {"annotations": {f"{PREFIX}operation": operation}}}
    world.api.merge(path_of("Pod", world.namespace, pod["metadata"]["name"]), body)
