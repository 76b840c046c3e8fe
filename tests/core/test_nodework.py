"""Work on nodes, decision by decision: the cases that no ordinary story comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.windowledger import (
    MAX_NODE_RECORDS,
    NodePhase,
    NodeRecord,
    NodeWork,
)
from scaleset_operator.core.nodechoice import choose, trimmed
from scaleset_operator.core.noderecord import claim_of, job_name
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    JobView,
    NodePlan,
    NodeScene,
    NodeView,
    Occupants,
    UncordonNode,
)
from scaleset_operator.core.nodework import node_plan
from tests.simulation.nodes import END, POOL, UPDATED, NodeWorld
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from scaleset_operator.api.maintenancewindow import MaintenanceWindow

CLAIM: Final = "shop/patch/1"
OURS: Final = NodeView(name="n0", resource_version="7", unschedulable=True, claim=CLAIM)
FREE: Final = NodeView(name="n0", resource_version="7", labels=POOL)
LONG_AGO: Final = T0 - timedelta(minutes=10)


def window(**spec: Any) -> MaintenanceWindow:
    world = NodeWorld()
    world.edit(**spec)
    assert world.window is not None
    return world.window


def at(phase: NodePhase, node: NodeView | None = OURS, **fields: Any) -> NodeScene:
    """A scene in the middle of a phase that began now."""
    found = fields.pop("window", None) or window()
    given = {name: fields.pop(name) for name in ("time", "job_uid", "failed") if name in fields}
    name = job_name(found, 1, "n0") if phase in {"Working", "Unwinding"} else None
    work = NodeWork.model_validate(
        {"node": "n0", "iteration": 1, "phase": phase, "time": T0, "job": name} | given
    )
    status = found.status.model_copy(update={"node_work": work})
    found = found.model_copy(update={"status": status})
    return NodeScene(window=found, node=node, **fields)


def job(**fields: Any) -> JobView:
    return JobView(**{"name": job_name(window(), 1, "n0"), "uid": "j"} | fields)


def given_up(plan: NodePlan) -> str:
    assert plan.work is not None
    assert plan.work.phase is NodePhase.UNWINDING
    assert plan.work.failed
    assert plan.acts == ()
    return plan.work.message


def closed(plan: NodePlan) -> NodeRecord:
    assert plan.work is None
    return plan.records[0]


def test_a_record_of_a_clock_that_is_ahead_counts_from_now() -> None:
    """X-10: else its cordon could be sent for hours."""
    scene = at(NodePhase.CORDONING, FREE, time=T0 + timedelta(hours=1))
    (act,) = node_plan(scene, T0).acts
    assert isinstance(act, CordonNode)
    assert act.not_after == T0 + timedelta(seconds=5)


def test_no_cordon_and_no_job_goes_out_after_the_end() -> None:
    """M-25."""
    late = END - timedelta(seconds=2)
    for scene, kind in (
        (at(NodePhase.CORDONING, FREE, time=late), CordonNode),
        (at(NodePhase.WORKING, time=late), CreateJob),
    ):
        (act,) = node_plan(scene, late).acts
        assert isinstance(act, kind)
        assert act.not_after == END
        assert "closed" in given_up(node_plan(scene, END))


def test_a_node_that_is_gone_is_closed_or_given_up() -> None:
    assert closed(node_plan(at(NodePhase.CORDONING, None), T0)).message == "the node is gone"
    assert given_up(node_plan(at(NodePhase.EMPTYING, None), T0)) == "the node is gone"
    assert given_up(node_plan(at(NodePhase.WORKING, None), T0)) == "the node is gone"
    scene = at(NodePhase.UNWINDING, None, job_uid="j")
    assert closed(node_plan(scene, T0)).message == "the node is gone"


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (replace(FREE, unschedulable=True), "somebody else cordoned the node"),
        (replace(OURS, unschedulable=False), "somebody uncordoned the node"),
    ],
)
def test_a_node_that_another_has_meanwhile_is_not_cordoned(node: NodeView, why: str) -> None:
    assert given_up(node_plan(at(NodePhase.CORDONING, node), T0)) == why


def test_a_node_that_another_window_was_first_to_claim_is_waited_for() -> None:
    """M-09: it is no fault of the node; and at the end of the window nothing is waited for."""
    taken = at(NodePhase.CORDONING, replace(OURS, claim="shop/other/1"))
    plan = node_plan(taken, T0)
    assert plan.work == taken.window.status.node_work
    assert plan.acts == ()
    assert "shop/other/1" in plan.words
    assert plan.look_again_at == T0 + timedelta(seconds=5)
    assert node_plan(taken, END - timedelta(seconds=2)).look_again_at == END
    assert "closed" in given_up(node_plan(taken, END))
    free = replace(taken, node=FREE)
    later = T0 + timedelta(minutes=10)
    again = node_plan(free, later)
    assert again.work is not None
    assert (again.work.time, again.acts) == (later, ()), "recorded anew, for the record is old"


def test_a_claim_that_somebody_took_away_is_not_put_back() -> None:
    """Nor is the cordon, which is theirs now, taken away."""
    scene = at(NodePhase.WORKING, replace(OURS, claim=""), job=job())
    plan = node_plan(scene, T0)
    assert "took the annotation" in given_up(plan)
    assert plan.work is not None
    assert plan.work.job_uid == "j", "it is remembered which Job there was"
    scene = at(NodePhase.UNWINDING, replace(OURS, claim=""), job_uid="j", failed=True)
    assert not closed(node_plan(scene, T0)).updated


def test_a_refusal_ends_what_was_refused() -> None:
    scene = at(NodePhase.CORDONING, FREE, refused="forbidden")
    assert given_up(node_plan(scene, T0)) == "forbidden"
    scene = at(NodePhase.WORKING, refused="exceeded quota")
    assert given_up(node_plan(scene, T0)) == "exceeded quota"


@pytest.mark.parametrize(
    ("here", "after", "why"),
    [
        (Occupants(movable=2), timedelta(minutes=60), "2 are on it"),
        (Occupants(movable=1, stuck=("web-1",)), timedelta(0), "web-1 on it is not moved"),
        (Occupants(others=("web-9",)), timedelta(0), "web-9 on it is not included"),
    ],
)
def test_a_node_that_is_not_emptied_is_given_up(
    here: Occupants, after: timedelta, why: str
) -> None:
    assert why in given_up(node_plan(at(NodePhase.EMPTYING, here=here), T0 + after))


def test_a_node_has_time_for_the_pause_between_two_domains_each_time_that_it_gets_on() -> None:
    """M-15: instances of several domains are on it, and they go one domain after the other."""
    scene = at(NodePhase.EMPTYING, here=Occupants(movable=2))
    plan, found = node_plan(scene, T0), scene.window
    for minutes, left in ((35, 1), (70, 1), (94, 1)):
        assert plan.work is not None
        status = scene.window.status.model_copy(update={"node_work": plan.work})
        found = scene.window.model_copy(update={"status": status})
        now = T0 + timedelta(minutes=minutes)
        plan = node_plan(replace(scene, window=found, here=Occupants(movable=left)), now)
        assert plan.work is not None
        assert plan.work.phase is NodePhase.EMPTYING
    now = T0 + timedelta(minutes=95)
    assert "1 are on it" in given_up(
        node_plan(replace(scene, window=found, here=Occupants(movable=1)), now)
    )


def test_how_many_are_still_on_it_is_written_once_for_each_number() -> None:
    for count, said in ((1, "1 instance is still on it"), (3, "3 instances are still on it")):
        scene = at(NodePhase.EMPTYING, here=Occupants(movable=count))
        plan = node_plan(scene, T0)
        assert plan.work is not None
        assert plan.work.message == said
        status = scene.window.status.model_copy(update={"node_work": plan.work})
        again = replace(scene, window=scene.window.model_copy(update={"status": status}))
        assert node_plan(again, T0).work == plan.work


@pytest.mark.parametrize(
    ("seen", "uid", "why"),
    [
        (job(ours=False), None, "another Job has the name"),
        (job(uid="other"), "j", "another Job has the name"),
        (job(failed=True, message="BackoffLimitExceeded"), "j", "failed: BackoffLimitExceeded"),
        (job(terminating=True), "j", "is being deleted"),
        (None, "j", "was deleted"),
    ],
)
def test_a_job_that_cannot_be_waited_for_is_given_up(
    seen: JobView | None, uid: str | None, why: str
) -> None:
    assert why in given_up(node_plan(at(NodePhase.WORKING, job=seen, job_uid=uid), T0))


def test_a_job_that_is_done_and_whose_node_never_comes_back_is_given_up() -> None:
    scene = at(NodePhase.WORKING, replace(OURS, ready=False), job=job(complete=True), job_uid="j")
    assert node_plan(scene, T0).work == scene.window.status.node_work
    assert "not Ready" in given_up(node_plan(scene, T0 + timedelta(minutes=30)))


def test_every_phase_has_its_decision() -> None:
    for phase in NodePhase:
        assert node_plan(at(phase), T0) is not None


def test_a_job_that_runs_on_without_node_maintenance_has_the_usual_time() -> None:
    scene = at(NodePhase.WORKING, window=window(node_maintenance=None), job=job(), job_uid="j")
    assert node_plan(scene, T0 + timedelta(minutes=29)).work == scene.window.status.node_work
    assert "had not ended" in given_up(node_plan(scene, T0 + timedelta(minutes=30)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"node_maintenance": None}, "no nodeMaintenance"),
        ({"impact": Impact.NONE}, "no nodeMaintenance"),
        ({"updated_node_selector": None}, "no updatedNodeSelector"),
    ],
)
def test_a_window_that_is_changed_stops_before_the_job(change: dict[str, Any], why: str) -> None:
    scene = at(NodePhase.EMPTYING, window=window(**change))
    assert why in given_up(node_plan(scene, T0))


def test_a_window_that_is_being_deleted_begins_nothing() -> None:
    plain = window()
    meta = plain.metadata.model_copy(update={"deletion_timestamp": T0})
    scene = NodeScene(window=plain.model_copy(update={"metadata": meta}), nodes=(FREE,))
    plan = node_plan(scene, T0)
    assert plan.work is None
    assert plan.words == "the window is being deleted"


def test_a_window_that_is_not_open_says_when_it_opens() -> None:
    plan = node_plan(NodeScene(window=window(), nodes=(FREE,)), LONG_AGO)
    assert (plan.work, plan.look_again_at) == (None, T0)
    assert node_plan(NodeScene(window=window(), nodes=(FREE,)), END).look_again_at is None


def test_what_was_taken_over_before_it_was_labelled_is_not_said_to_be_updated() -> None:
    scene = at(NodePhase.UNWINDING, FREE, job=job(complete=True), job_uid="j")
    record = closed(node_plan(scene, T0))
    assert (record.updated, "took the node over" in record.message) == (False, True)
    labelled = replace(scene, node=replace(FREE, labels=UPDATED))
    assert closed(node_plan(labelled, T0)).updated


def test_a_job_of_another_selector_labels_nothing_even_at_the_last_moment() -> None:
    scene = at(NodePhase.UNWINDING, job=job(complete=True), job_uid="j")
    (act,) = node_plan(scene, T0).acts
    assert isinstance(act, UncordonNode)
    assert act.labels == tuple(UPDATED.items())
    selector = scene.window.spec.updated_node_selector
    assert selector is not None
    newer = selector.model_copy(update={"match_labels": {"maintenance/updated": "2026-12"}})
    spec = scene.window.spec.model_copy(update={"updated_node_selector": newer})
    scene = replace(scene, window=scene.window.model_copy(update={"spec": spec}))
    (act,) = node_plan(scene, T0).acts
    assert isinstance(act, UncordonNode)
    assert act.labels == ()
    record = closed(node_plan(replace(scene, node=FREE), T0))
    assert (record.updated, "was changed" in record.message) == (False, True)


def test_a_jobs_name_is_a_label_and_its_own_for_every_window_node_and_selector() -> None:
    plain = window()
    long = plain.metadata.model_copy(update={"name": "a" * 43 + "." + "b" * 200})
    name = job_name(plain.model_copy(update={"metadata": long}), 2**31 - 1, "n0")
    assert len(name) <= 63
    assert "." not in name
    other = plain.metadata.model_copy(update={"uid": "another"})
    names = {
        job_name(plain, 1, "n0"),
        job_name(plain, 1, "n1"),
        job_name(plain, 2, "n0"),
        job_name(plain.model_copy(update={"metadata": other}), 1, "n0"),
        job_name(window(updated_node_selector=None), 1, "n0"),
    }
    assert len(names) == 5
    assert claim_of(plain, 1) == CLAIM


def record(number: int, **fields: Any) -> NodeRecord:
    plain: dict[str, Any] = {"node": f"n{number}", "iteration": 2, "updated": False, "time": T0}
    return NodeRecord.model_validate(plain | fields)


def test_of_too_many_records_those_that_keep_a_node_away_go_last() -> None:
    """An iteration that forgets whom it gave up would take them again."""
    kept = [record(number) for number in range(MAX_NODE_RECORDS)]
    assert trimmed(tuple(kept)) == tuple(kept)
    former, updated = record(200, iteration=1), record(201, updated=True)
    assert trimmed((*kept[:50], updated, *kept[50:99], former)) == (
        *kept[:50],
        updated,
        *kept[50:99],
    )
    assert trimmed((*kept[:50], updated, *kept[50:])) == tuple(kept)
    assert trimmed((*kept, record(300))) == tuple(kept)


def test_with_as_many_given_up_as_can_be_remembered_no_further_node_is_taken() -> None:
    plain = window()
    records = tuple(record(n, iteration=1) for n in range(1, MAX_NODE_RECORDS + 1))
    status = plain.status.model_copy(update={"node_records": records})
    scene = NodeScene(window=plain.model_copy(update={"status": status}), nodes=(FREE,))
    assert choose(scene, 1).node is None
    assert "100 nodes were given up" in choose(scene, 1).words
    assert choose(scene, 2).node == FREE


def test_the_emptiest_goes_first_then_by_name_and_what_is_left_out_is_said() -> None:
    nodes = [replace(FREE, name=name) for name in ("n3", "n2", "n1")]
    lost = [replace(FREE, name=f"x{number}", ready=False) for number in range(5)]
    done = NodeView(name="done", resource_version="1", labels={**POOL, **UPDATED})
    occupants = {"n3": Occupants(movable=1), "n2": Occupants(movable=1), "n1": Occupants(movable=2)}
    scene = NodeScene(window=window(), nodes=(done, *nodes, *lost), occupants=occupants)
    chosen = choose(scene, 1).node
    assert chosen is not None
    assert chosen.name == "n2"
    words = choose(replace(scene, nodes=(done, *lost)), 1).words
    assert words.startswith("not worked on: x0: it is not Ready")
    assert words.endswith("and 2 more")
    stuck = {"n3": Occupants(stuck=("web-4",))}
    words = choose(replace(scene, nodes=(done, nodes[0]), occupants=stuck), 1).words
    assert "web-4 on it is not moved any more" in words
    assert choose(replace(scene, nodes=(done,)), 1).words == "no node is left to be worked on"
