"""The terminate notice on a real API server: told, replaced, waited for, deleted.

An auditor that knows nothing of the operator's code holds it to each deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import (
    HEALTHY,
    IN_ROTATION,
    PREFIX,
    VERDICT_S,
    moment,
    names_of,
    uids_of,
    word,
)
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.world import Json, World

DEADLINE = f"{PREFIX}terminate-at"


def annotate(world: World, pods: Iterable[Json], **marks: str | None) -> None:
    """Set annotations of pods under our prefix; underscores are written as hyphens."""
    named = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in marks.items()}
    for pod in pods:
        path = path_of("Pod", world.namespace, pod["metadata"]["name"])
        world.api.merge(path, {"metadata": {"annotations": named}})


def told(world: World) -> list[Json]:
    """The instances that were given notice."""
    return [
        pod for pod in world.pods("web") if DEADLINE in (pod["metadata"].get("annotations") or {})
    ]


@alongside
def test_ten_of_two_hundred_wait_for_approval_or_deadline_beside_their_replacements(
    world: World,
) -> None:
    """R-06, R-51, R-52, R-53, R-54, X-09: 210 live, neither trimmed nor blocked; four approve,
    the others go at the deadline that was announced, whatever becomes of the profile."""
    notice = {"enable": True, "notBeforeTimeout": "PT20S"}
    repairs = {"gracePeriod": "PT0S"}
    world.scale_set("web", 200, repairs=repairs, terminateNotificationProfile=notice)
    world.await_ready("web", seconds=90)
    sick = world.pods("web")[:12]
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell(sick, "status:500")
        eventually(
            lambda: len(world.pods("web")) == 210,
            "ten more than two hundred",
            seconds=VERDICT_S,
            told=lambda: world.told("web"),
        )
        first = told(world)
        assert len(first) == 10
        assert uids_of(first) < uids_of(sick)
        assert {word(pod, IN_ROTATION)[:2] for pod in first} == {("False", "TerminationDelayed")}
        check_explained(world, first)
        world.change("web", terminateNotificationProfile={"notBeforeTimeout": "PT1H"})
        annotate(world, first[:4], approve_termination="true")
        eventually(lambda: len(told(world)) == 8, "two more are told, for four have gone")
        last = [pod for pod in told(world) if pod["metadata"]["uid"] not in uids_of(first)]
        annotate(world, first[4:], terminate_at="2036-01-01T00:00:00Z")
        annotate(world, last, approve_termination="true")
        eventually(lambda: not uids_of(world.pods("web")) & uids_of(sick), "all have gone")
        world.await_ready("web")
        world.await_status("web", lambda s: not s["repairs"]["inFlight"], "all are closed")
    watch.auditor.expect_repaired(names_of(sick))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    assert " goes at 2" in world.events("web")["TerminateNotice"]


def check_explained(world: World, pods: list[Json]) -> None:
    """Each has its reason with the time that stands on the pod, and the set says why it is full."""
    rows = world.decisions("web")
    for pod in pods:
        row = rows[pod["metadata"]["name"]]
        assert (row["reason"], row["repairDecision"]) == ("TerminationDelayed", "Repairing")
        due = pod["metadata"]["annotations"][DEADLINE]
        assert moment(row["eligibleTime"]) == moment(due)
    assert sum(row["reason"] == "BatchLimitReached" for row in rows.values()) <= 2
    assert world.word("web", "Accepted").status == "True"


@alongside
def test_a_notice_is_kept_although_the_instance_recovers(world: World) -> None:
    """R-54, rule 8: it is Healthy, gets no traffic, and goes at its deadline."""
    notice = {"enable": True, "notBeforeTimeout": "PT25S"}
    repairs = {"gracePeriod": "PT0S"}
    world.scale_set("web", 3, repairs=repairs, terminateNotificationProfile=notice)
    world.await_ready("web")
    sick = world.pods("web")[0]
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell([sick], "status:500")
        (victim,) = eventually(lambda: told(world), "it is told", seconds=VERDICT_S)
        world.endpoints.heal([victim])
        name = victim["metadata"]["name"]
        eventually(
            lambda: word(world.get(name, "Pod"), HEALTHY).status == "True", "it is Healthy again"
        )
        eventually(
            lambda: world.decisions("web")[name]["vmHealth"] == "Healthy", "status says so too"
        )
        assert word(world.get(name, "Pod"), IN_ROTATION).status == "False"
        eventually(lambda: name not in names_of(world.pods("web")), "it goes", seconds=40)
        world.await_ready("web")
    watch.auditor.expect_repaired([name])
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    assert len(world.pods("web")) == 3
