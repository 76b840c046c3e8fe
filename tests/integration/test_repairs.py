"""The repair loop on a real API server: cap, grace, batches, and what is told about it.

An auditor that knows nothing of the operator's code watches every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import (
    HEALTHY,
    PREFIX,
    VERDICT_S,
    domain,
    moment,
    names_of,
    template,
    uids_of,
    word,
)
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World

GRACE_S: Final = 25
ALL: Final = 19
"""The largest set with an allowance of one."""
WAYS: Final = ("status:500", "hang", "refuse", "status:404", "binary")


@alongside
def test_five_of_forty_are_repaired_two_at_a_time_after_their_grace(world: World) -> None:
    """R-11, R-12, R-14, R-19, R-24, R-29, R-32, R-33, R-34, P-17: in grace they are only shown,
    with the time it ends; then in batches of two without any new event, each in its own domain."""
    world.scale_set("web", 40, repairs={"gracePeriod": f"PT{GRACE_S}S"})
    world.await_ready("web")
    sick = world.pods("web")[7:12]
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        for pod, script in zip(sick, WAYS, strict=True):
            world.endpoints.tell([pod], script)
        row = world.await_reason("web", sick[0], "InGracePeriod")
        assert (row["vmHealth"], row["repairDecision"]) == ("Unhealthy", "Deferred")
        started = moment(
            world.get(row["name"], "Pod")["metadata"]["annotations"][f"{PREFIX}state-change-time"]
        )
        # From the start, or from when the operator first saw repairs enabled, whichever is later.
        assert GRACE_S <= (moment(row["eligibleTime"]) - started).total_seconds() <= GRACE_S + 5
        assert world.status("web")["repairs"]["batchLimit"] == 2
        waiting = eventually(
            lambda: [r for r in world.decisions("web").values() if limited(r)],
            "some wait for the batch",
            told=lambda: world.told("web"),
        )
        assert 1 <= len(waiting) <= 3
        assert world.word("web", "Repairing")[:2] == ("True", "InBatch")
        assert world.word("web", "RepairsAllowed")[:2] == ("False", "BatchLimitReached")
        eventually(lambda: not uids_of(world.pods("web")) & uids_of(sick), "all five are replaced")
        world.await_ready("web")
    watch.auditor.expect_repaired(names_of(sick))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight == 2
    assert_told(world, sick)


def limited(row: Json) -> bool:
    return bool(row["reason"] == "BatchLimitReached")


def assert_told(world: World, sick: list[Json]) -> None:
    """History, Events, domains and lineage."""
    status = world.await_status("web", lambda s: not s["repairs"]["inFlight"], "all are closed")
    history = status["repairs"]["history"]
    assert {record["instance"] for record in history} == set(names_of(sick))
    assert {record["result"] for record in history} == {"Succeeded"}
    assert all(record["cause"] for record in history)
    old = {pod["metadata"]["name"]: domain(pod) for pod in sick}
    new = {pod["metadata"]["name"]: pod for pod in world.pods("web")}
    for record in history:
        replacement = new[record["replacement"]]
        assert domain(replacement) == old[record["instance"]]
        assert replacement["metadata"]["annotations"][f"{PREFIX}replaces"] == record["instance"]
    assert "RepairStarted" in world.events("web")
    assert status["unhealthyInstances"] == []


@alongside
def test_all_that_answer_wrongly_are_repaired_at_the_pace_of_the_cap(world: World) -> None:
    """R-20, R-21, R-23, R-33, R-39, R-60: all there are; one that recovers while it waits is left
    alone, and never are two under repair at once."""
    # Eighteen that start at once would be replaced before the last is probed again.
    slow = template("web", marks={"localcluster/start-delay": "1"})
    repairs = {"gracePeriod": "PT0S", "serviceState": "Suspended"}
    world.scale_set("web", ALL, template=slow, repairs=repairs)
    world.await_ready("web")
    before = {pod["metadata"]["name"]: pod for pod in world.pods("web")}
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell(before.values(), "status:500")
        eventually(
            lambda: all(word(pod, HEALTHY).status == "False" for pod in world.pods("web")),
            "all are shown as Unhealthy",
        )
        # The longest unhealthy goes first, of equals the first by name: the last has time.
        spared = before.pop(max(map(turn, world.pods("web")))[1])
        world.change("web", automaticRepairsPolicy={"serviceState": "Running"})
        world.endpoints.heal([spared])
        dying = uids_of(before.values())
        eventually(lambda: not uids_of(world.pods("web")) & dying, "all are replaced", seconds=240)
        world.await_ready("web")
    in_order = watch.auditor.repaired()
    assert spared["metadata"]["name"] not in in_order, in_order
    assert spared["metadata"]["uid"] in uids_of(world.pods("web"))
    watch.auditor.expect_repaired(before)
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight == 1


def turn(pod: Json) -> tuple[str, str]:
    """What the order of repairs follows."""
    rows = pod["status"]["conditions"]
    since = next(row["lastTransitionTime"] for row in rows if row["type"] == HEALTHY)
    return since, pod["metadata"]["name"]


@alongside
def test_a_deletion_by_a_person_makes_no_second_one_under_repair(world: World) -> None:
    """R-19, R-50, R-22: whoever deletes the sick instance, one takes its place and no more."""
    world.scale_set("web", 5, repairs={"gracePeriod": "PT1H"})
    world.await_ready("web")
    sick, well = world.pods("web")[:2]
    world.endpoints.tell([sick], "status:500")
    world.await_reason("web", sick, "InGracePeriod")
    world.kubectl("delete", "pod", *names_of([sick, well]), "--wait=false")
    eventually(lambda: names_of(world.pods("web"))[-2:] == ["web-6", "web-7"], "two new ones")
    world.await_ready("web")
    assert len(world.everything_of("web")) == 5
    assert world.status("web")["repairs"]["history"] == []
    assert world.status("web")["lastInstanceId"] == 7


@alongside
def test_a_stuck_victim_is_made_up_for_and_told_as_stalled(world: World) -> None:
    """R-15: its replacement is Healthy, its slot is free, and it stands in repairs.stalled until
    it is gone."""
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    sick, next_one, _ = world.pods("web")
    path = path_of("Pod", world.namespace, sick["metadata"]["name"])
    world.api.merge(path, {"metadata": {"labels": {"localcluster/stuck-terminating": "true"}}})
    world.endpoints.tell([sick], "status:500")
    eventually(
        lambda: names_of_stalled(world) == names_of([sick]), "it is stalled", seconds=VERDICT_S
    )
    world.await_word("web", "Stalled", "True", "RepairStalled")
    world.endpoints.tell([next_one], "status:500")
    eventually(
        lambda: next_one["metadata"]["uid"] not in uids_of(world.pods("web")),
        "the next one is repaired all the same",
    )
    world.await_ready("web")
    assert len(world.pods("web")) == 3
    world.api.merge(path, {"metadata": {"labels": {"localcluster/stuck-terminating": None}}})
    eventually(lambda: names_of_stalled(world) == [], "it is gone")


def names_of_stalled(world: World) -> list[str]:
    return [row["instance"] for row in world.status("web")["repairs"]["stalled"]]
