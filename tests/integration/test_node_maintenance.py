"""Windows that work on nodes, on a real API server: the operator as a process, pretended nodes.

Jobs' pods run where the scheduler puts them; the tests say how they end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.maintained import UPDATED, announce, in_flight, iteration, places
from tests.integration.nodepool import (
    DONE,
    FREE,
    ON_THE_POOL,
    PATCH,
    cordon,
    end_jobs,
    jobs,
    machine,
    node_of,
    node_path,
    node_records,
    node_work,
    pool,
)
from tests.integration.sets import instance_id, names_of, uids_of
from tests.integration.test_maintenance import LONG_S, WALK_S, old_sets
from tests.integration.waiting import eventually, throughout
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

SIZE: Final = 8
DOMAINS: Final = 4
AT_ONCE: Final = SIZE // DOMAINS
DONE_S: Final = 120.0
SOON_S: Final = 30.0
"""Far less than the five minutes after which leftovers are looked for anyway."""
HOUR_S: Final = 3600
WINDOW: Final = "MaintenanceWindow"
PROTECTED: Final = {"__protect_from_scale_set_actions": "true"}

pytestmark = pytest.mark.timeout(300)


def work_on_nodes(world: World, name: str = "patch", *, work: float = LONG_S, **spec: Any) -> None:
    """A window that opens in a moment and works on the pool."""
    announce(world, name, "web", ask=1, work=work, **{"nodeMaintenance": ON_THE_POOL, **spec})


def told(world: World, *windows: str) -> Callable[[], str]:
    """The windows' status, for the message of a failure."""
    return lambda: world.told(*(windows or ("patch",)), kind=WINDOW)


def await_phase(world: World, phase: str) -> str:
    """Wait until a node is that far, and give its name."""
    return str(
        eventually(
            lambda: node_work(world, "patch").get("phase") == phase and node_work(world, "patch"),
            f"a node is {phase}",
            told=told(world),
        )["node"]
    )


def await_free(world: World, *nodes: str, seconds: float = SOON_S) -> None:
    """Wait until these nodes bear neither cordon nor claim, nor the label of updated ones."""
    eventually(
        lambda: all(machine(world, name) == FREE for name in nodes),
        f"free: {nodes}",
        seconds=seconds,
        told=lambda: [machine(world, name) for name in nodes],
    )


def await_done(world: World, *nodes: str) -> None:
    """Wait until these nodes are updated and free; Jobs complete meanwhile."""

    def are_done() -> bool:
        end_jobs(world)
        return all(machine(world, name) == DONE for name in nodes)

    eventually(are_done, f"done: {nodes}", seconds=DONE_S, told=told(world))


def test_every_node_is_emptied_worked_on_and_freed_though_the_operator_is_killed(
    world: World, operator: OperatorProcess
) -> None:
    """M-07, M-09, M-12, M-14, X-02: one node at a time, nobody twice, no cordon left behind."""
    with pool(world) as nodes:
        old_sets(world, "web", size=SIZE, domains=DOMAINS)
        cordon(world, nodes[-1], by=False)
        before = world.pods("web")
        with AuditorWatch(world.api, namespace=world.namespace) as seen:
            spec = {**PATCH, "ttlSecondsAfterFinished": 1}
            work_on_nodes(world, nodeMaintenance={**ON_THE_POOL, "jobTemplate": {"spec": spec}})
            killed = walk(world, operator, nodes)
            eventually(lambda: places(world) == [], "no place is held any more")
        assert {"Emptying", "Working"} <= killed
        records = node_records(world, "patch")
        assert sorted(row["node"] for row in records) == nodes, "none was given up"
        assert all(row["updated"] for row in records)
        assert iteration(world, "web")["completed"] == SIZE
        left = jobs(world)
        assert sorted(node_of(job) for job in left) == nodes
        assert {job["status"]["succeeded"] for job in left} == {1}
        kept = {job["spec"]["ttlSecondsAfterFinished"] for job in left}
        assert kept == {HOUR_S}, "they go by themselves"
    after = world.pods("web")
    assert [instance_id(pod) for pod in after] == [instance_id(pod) for pod in before]
    assert names_of(after) == names_of(before)
    assert not uids_of(after) & uids_of(before)
    assert seen.auditor.violations() == []


def walk(world: World, operator: OperatorProcess, nodes: list[str]) -> set[str]:
    """Until every node is done: Jobs complete, and the operator is killed once in each phase.

    Returns:
        The phases of a node in which it was killed.
    """
    killed: set[str] = set()
    deadline = time.monotonic() + WALK_S + len(nodes) * SOON_S
    while any(machine(world, name) != DONE for name in nodes) or node_work(world, "patch"):
        assert time.monotonic() < deadline, f"{told(world)()}\n{world.told('web')}"
        held = [name for name in nodes if machine(world, name).cordoned]
        assert len(held) <= 1, "one node at a time"
        assert world.status("web")["readyReplicas"] >= SIZE - AT_ONCE, "the floor is kept"
        phase = node_work(world, "patch").get("phase")
        if phase is not None and phase not in killed:
            killed.add(phase)
            operator.kill()
            operator.start()
        if phase == "Working":
            end_jobs(world)
        time.sleep(0.1)
    operator.await_ready()
    return killed


def test_a_job_that_fails_frees_its_node_and_stops_the_work_and_that_is_told(
    world: World, operator: OperatorProcess
) -> None:
    """M-16: what it did to one node it would do to the next."""
    assert operator.pid
    with pool(world) as nodes:
        old_sets(world, "web", size=2, domains=2)
        cordon(world, nodes[-1], by=False)
        before = uids_of(world.pods("web"))
        work_on_nodes(world)
        failing = await_phase(world, "Working")
        eventually(lambda: end_jobs(world, "Failed"), "its Job fails")
        word = world.await_word("patch", "NodeWork", "False", "MaintenanceStopped", kind=WINDOW)
        assert f"{failing}: its Job failed" in word.message
        (record,) = node_records(world, "patch")
        assert (record["updated"], record["workFailed"]) == (False, True)
        assert "its Job failed" in world.events("patch")["NodeGivenUp"]

        def nothing_goes_on() -> None:
            assert [machine(world, name) for name in nodes] == [FREE] * len(nodes)
            assert uids_of(world.pods("web")) == before
            assert in_flight(world, "web") == []

        throughout(3, nothing_goes_on)
        (job,) = jobs(world)
        assert job["status"]["failed"] == 1, "it is kept to be looked at"


@pytest.mark.parametrize("how", ["it is suspended", "it is deleted", "it closes"])
def test_a_node_that_is_being_emptied_is_freed_when_its_window_is_no_more(
    world: World, operator: OperatorProcess, how: str
) -> None:
    """M-09, M-25, X-04: without the label, and nobody is moved."""
    assert operator.pid
    with pool(world) as nodes:
        old_sets(world, "web", size=2, domains=2)
        cordon(world, nodes[-1], by=False)
        world.api.merge(node_path(nodes[-1]), {"metadata": {"labels": UPDATED}})
        before = world.pods("web")
        for pod in before:
            world.label(pod, **PROTECTED)
        those_with_instances = {**ON_THE_POOL, "nodeSelector": None}
        seconds = 12 if how == "it closes" else LONG_S
        work_on_nodes(world, work=seconds, nodeMaintenance=those_with_instances)
        await_phase(world, "Emptying")
        if how == "it is suspended":
            world.change("patch", WINDOW, suspend=True)
        elif how == "it is deleted":
            world.delete(WINDOW, "patch")
        await_free(world, *nodes[:-1])
        assert jobs(world) == []
        assert uids_of(world.pods("web")) == uids_of(before)


def test_a_window_that_goes_while_nobody_looks_leaves_no_cordon(
    world: World, operator: OperatorProcess
) -> None:
    """M-09: the operator is killed while a Job runs, and back only when window and Job are gone."""
    with pool(world) as nodes:
        work_on_nodes(world)
        name = await_phase(world, "Working")
        eventually(lambda: jobs(world), "its Job is there")
        operator.kill()
        world.delete(WINDOW, "patch")
        assert machine(world, name).claim == f"{world.namespace}/patch/1"
        operator.start()
        operator.await_ready()
        await_free(world, *nodes)


def test_a_cordon_that_a_person_made_stays_and_the_others_go_on(
    world: World, operator: OperatorProcess
) -> None:
    """M-09: no word of a person on a node is taken back, and it says which node that is."""
    assert operator.pid
    with pool(world) as nodes:
        theirs, *others = nodes
        cordon(world, theirs)
        work_on_nodes(world)
        await_done(world, *others)
        word = world.await_word("patch", "NodeWork", "False", "NodeGivenUp", kind=WINDOW)
        assert f"{theirs}: it is cordoned by somebody else" in word.message
        found = machine(world, theirs)
        assert (found.cordoned, found.claim, found.updated) == (True, "", False)
        assert {node_of(job) for job in jobs(world)} == {*others}
        cordon(world, theirs, by=False)
        await_done(world, theirs)


def test_a_node_that_a_person_uncordons_is_given_up_at_once(
    world: World, operator: OperatorProcess
) -> None:
    """M-09: nobody argues, and what ran there is ended."""
    assert operator.pid
    with pool(world):
        work_on_nodes(world)
        name = await_phase(world, "Working")
        eventually(lambda: jobs(world), "its Job is there")
        cordon(world, name, by=False)
        eventually(
            lambda: [row for row in node_records(world, "patch") if row["node"] == name],
            "it is given up",
            seconds=SOON_S,
            told=told(world),
        )
        assert machine(world, name) == FREE
        (row,) = (row for row in node_records(world, "patch") if row["node"] == name)
        assert row["message"] == "somebody uncordoned the node"
        assert name not in {node_of(job) for job in jobs(world)}


def test_of_two_windows_one_works_on_a_node_at_a_time_and_both_on_all(
    world: World, operator: OperatorProcess
) -> None:
    """M-07: a claim of another window is left alone, and its end is heard of."""
    assert operator.pid
    marks = {"one": {"maintenance/one": "done"}, "other": {"maintenance/other": "done"}}
    with pool(world) as nodes:
        try:
            for name, labels in marks.items():
                work_on_nodes(world, name, updatedNodeSelector={"matchLabels": labels})
            deadline = time.monotonic() + WALK_S
            while not all(
                machine(world, node, labels) == DONE for node in nodes for labels in marks.values()
            ):
                assert time.monotonic() < deadline, told(world, *marks)()
                running = [
                    node_of(job) for job in jobs(world) if not job["status"].get("succeeded")
                ]
                assert len(running) == len(set(running)), "two Jobs on one node"
                end_jobs(world)
                time.sleep(0.1)
        finally:
            for node in nodes:
                gone = dict.fromkeys(key for one in marks.values() for key in one)
                world.api.merge(node_path(node), {"metadata": {"labels": gone}})
    for name in marks:
        assert all(row["updated"] for row in node_records(world, name)), told(world, *marks)()


def test_a_claim_that_comes_from_nowhere_is_taken_away_soon(
    world: World, operator: OperatorProcess
) -> None:
    """M-09: the node's change has it looked at, not the five minutes' round."""
    assert operator.pid
    with pool(world) as nodes:
        cordon(world, nodes[0], claim=f"{world.namespace}/gone/1")
        await_free(world, nodes[0])
