"""The nodes' part of a window's turn, told as stories: one after the other, and what stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.windowledger import NodeRecord, PairState, PairTurn
from scaleset_operator.core.conditions import timed
from scaleset_operator.core.noderecord import emptied_node
from scaleset_operator.core.pairturn import pair_of
from scaleset_operator.core.windowwords import NODE_WORK
from scaleset_operator.reconciler.node_ports import Occupant, Unreadable
from scaleset_operator.reconciler.node_turn import NodeKeeper
from scaleset_operator.reconciler.ports import Conflict, Key, Pods, Refused
from tests.api.manifests import SET, manifest
from tests.simulation.nodes import (
    ABORTED,
    END,
    KEY,
    MARK,
    POOL,
    UPDATED,
    NodeWorld,
    Operator,
    Referee,
)
from tests.support.builders import instance
from tests.support.fake_clock import T0
from tests.support.fake_leadership import FakeLeadership

if TYPE_CHECKING:
    from scaleset_operator.api.maintenancewindow import MaintenanceWindow
    from scaleset_operator.core.nodeview import CordonNode, UncordonNode

OTHER = Key("shop", "aaa")


class Story:
    """A world with one operator."""

    def __init__(self, *, spare: bool = True, spec: dict[str, Any] | None = None) -> None:
        self.world = NodeWorld(spec=spec)
        if spare:
            self.world.nodes.put("spare", labels=UPDATED)
        self.operator = Operator(self.world)

    def node(self, name: str, *numbers: int, **changes: Any) -> None:
        self.world.nodes.put(name, **{"labels": POOL, **changes})
        self.world.fill(name, *numbers)

    def live(self, turns: int = 6) -> None:
        self.operator.live(turns)

    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @property
    def phase(self) -> str | None:
        work = self.window.status.node_work
        return None if work is None else str(work.phase)

    @property
    def window(self) -> MaintenanceWindow:
        assert self.world.window is not None
        return self.world.window

    @property
    def said(self) -> str:
        """How far the node is, or why none is worked on."""
        (word,) = (word for word in self.operator.last.said if word.type == NODE_WORK)
        return word.message

    @property
    def newest(self) -> NodeRecord:
        return self.window.status.node_records[0]

    def is_free(self, name: str) -> bool:
        node = self.world.nodes.machines[name]
        return not (node.claim or node.unschedulable)


def test_a_node_is_cordoned_emptied_worked_on_labelled_and_uncordoned() -> None:
    """M-07: the next one goes only after it, and never one that is updated."""
    story = Story()
    story.node("n1", 1)
    story.node("n0")
    story.live()
    assert story.phase == "Working", "the free one first"
    assert emptied_node(story.window.status) is None
    (job,) = story.world.nodes.jobs.values()
    assert (job.node, job.owner) == ("n0", story.window.metadata.uid)
    assert story.world.nodes.machines["n0"].claim == "shop/patch/1"
    assert story.is_free("n1")
    story.world.end_job(complete=True)
    story.live(3)
    assert story.is_free("n0")
    assert story.world.nodes.machines["n0"].bears(UPDATED)
    assert (story.newest.node, story.newest.updated) == ("n0", True)
    story.live(3)
    assert emptied_node(story.window.status) == "n1"
    assert not story.world.nodes.jobs.keys() - {job.view.name}
    story.world.move_one()
    story.live()
    story.world.end_job(complete=True)
    story.live(3)
    story.live()
    assert [r.node for r in story.window.status.node_records] == ["n1", "n0"]
    assert story.phase is None


@pytest.mark.parametrize(
    "mark", ["", "other/1/0b6f6a0c/x", "patch/2/0b6f6a0c/x", "patch/1/ffffffff/x"]
)
def test_a_node_with_an_instance_that_is_not_included_is_left_alone(mark: str) -> None:
    """V-01, M-14: it was given no notice, and a Job may reboot its node."""
    story = Story()
    story.node("n0")
    story.world.fill("n0", 1, mark=mark)
    story.live()
    assert story.phase is None
    assert "web-1 on it is not included" in story.said


def test_a_node_whose_instance_is_aborted_meanwhile_is_given_up() -> None:
    """M-09: it stays where it is, and its node is not worked on."""
    story = Story()
    story.node("n0", 1)
    story.live()
    assert story.phase == "Emptying"
    (here,) = story.world.nodes.on["n0"]
    failed = replace(here.instance, maintenance=ABORTED)
    story.world.nodes.on["n0"] = [here._replace(instance=failed)]
    story.live(3)
    story.wait(8)
    story.live(4)
    assert story.is_free("n0")
    assert not story.newest.updated
    assert "web-1 on it is not moved" in story.newest.message
    assert story.phase is None, "and it is not taken again in this iteration"
    assert story.world.nodes.jobs == {}


def test_without_an_updated_node_and_without_a_free_one_nothing_is_cordoned() -> None:
    """M-26: instances would have nowhere to go."""
    story = Story(spare=False)
    story.node("n0", 1)
    story.live()
    assert story.phase is None
    assert "keep one node free" in story.said
    story.node("n1")
    story.live()
    assert story.window.status.node_work is not None
    assert story.window.status.node_work.node == "n1"


def test_a_cordon_of_somebody_else_is_left_alone_and_said() -> None:
    story = Story()
    story.node("n0", unschedulable=True)
    story.live()
    assert story.phase is None
    assert "cordoned by somebody else" in story.said
    story.world.nodes.put("n0", claim="shop/other/1")
    story.live()
    assert story.phase is None
    assert "cordoned for shop/other/1" in story.said


def test_a_node_that_somebody_uncordons_is_not_fought_over() -> None:
    story = Story()
    story.node("n0")
    story.live()
    assert story.phase == "Working"
    story.world.nodes.put("n0", unschedulable=False)
    story.live(4)
    story.live(3)
    assert story.newest.message == "somebody uncordoned the node"
    assert story.is_free("n0")
    assert story.world.nodes.jobs == {}, "its Job is deleted"
    assert not story.world.nodes.machines["n0"].bears(UPDATED)


def test_a_failed_job_leaves_its_node_uncordoned_and_not_updated() -> None:
    story = Story()
    story.node("n0")
    story.live()
    story.world.end_job(complete=False)
    story.live(5)
    assert story.is_free("n0")
    assert story.newest.message == "its Job failed"
    assert not story.newest.updated
    assert story.phase is None


@pytest.mark.parametrize("how", ["fails", "does not end", "keeps its node away"])
def test_work_that_fails_on_one_node_is_not_tried_on_the_next(how: str) -> None:
    """M-16: what it did to one it would do to all; the next iteration tries again."""
    story = Story()
    story.node("n0")
    story.node("n1")
    story.live()
    if how == "fails":
        story.world.end_job(complete=False)
    elif how == "keeps its node away":
        story.world.nodes.put("n0", ready=False)
        story.world.end_job(complete=True)
    if how != "fails":
        story.wait(30 * 60)
    story.live(10)
    assert (story.phase, story.newest.node, story.newest.work_failed) == (None, "n0", True)
    assert story.is_free("n1")
    assert not story.world.nodes.machines["n1"].bears(UPDATED)
    (word,) = story.operator.last.said
    assert (word.status, word.reason) == ("False", "MaintenanceStopped")
    assert "n0: " in word.message
    assert "no further node is taken" in word.message
    story.world.nodes.put("n0", ready=True)
    (one,) = story.window.status.announced
    story.world.store(story.window, announced=(one.model_copy(update={"iteration": 2}),))
    story.live()
    assert story.phase == "Working", "another iteration tries again"


@pytest.mark.parametrize("how", ["a person uncordons it", "a person deletes its Job"])
def test_what_a_person_does_to_one_node_stops_no_other(how: str) -> None:
    story = Story()
    story.node("n0")
    story.live()
    if how == "a person uncordons it":
        story.world.nodes.put("n0", unschedulable=False)
    else:
        story.live()
        story.world.nodes.jobs.clear()
    story.live(6)
    assert (story.newest.node, story.newest.work_failed) == ("n0", False)
    story.node("n1")
    story.live()
    assert story.window.status.node_work is not None
    assert story.window.status.node_work.node == "n1"


def test_how_far_the_node_is_stands_in_a_condition_of_the_window() -> None:
    """Promise of the window: which node, how far, or why none."""
    story = Story()
    story.node("n0")
    story.live()
    (word,) = story.operator.last.said
    assert (word.type, word.status, word.reason) == (NODE_WORK, "True", "NodeCordoned")
    assert word.message == "n0: Working"
    story.live()
    assert story.said == "n0: its Job runs"
    story.world.edit(suspend=True)
    story.world.end_job(complete=True)
    story.live(3)
    assert story.said == "n0 is updated"
    story.live()
    (word,) = story.operator.last.said
    assert (word.status, word.reason) == ("False", "WindowSuspended")


def test_a_job_that_does_not_end_is_deleted_and_its_node_uncordoned() -> None:
    story = Story()
    story.node("n0")
    story.live()
    story.wait(30 * 60)
    story.live(5)
    assert story.world.nodes.jobs == {}
    assert story.is_free("n0")
    assert "had not ended" in story.newest.message


def test_a_job_whose_pods_do_not_go_holds_no_cordon_for_ever() -> None:
    story = Story()
    story.node("n0")
    story.live()
    story.wait(30 * 60)
    (job,) = story.world.nodes.jobs.values()
    job.view = replace(job.view, terminating=True)
    story.live(5)
    assert story.phase == "Unwinding"
    assert not story.is_free("n0")
    story.wait(2 * 60)
    story.live(3)
    assert story.is_free("n0")


def test_a_node_that_reboots_is_waited_for_and_labelled_once_it_is_ready() -> None:
    story = Story()
    story.node("n0")
    story.live()
    story.world.nodes.put("n0", ready=False)
    story.world.end_job(complete=True)
    story.live(5)
    assert story.phase == "Working"
    story.world.nodes.put("n0", ready=True)
    story.live(4)
    assert story.newest.updated


def test_at_the_end_what_is_emptied_is_unwound_and_what_is_worked_on_goes_on() -> None:
    """M-25: nothing new starts at the end; started work may finish."""
    emptied, worked = Story(), Story()
    emptied.node("n0", 1)
    worked.node("n0")
    for story in (emptied, worked):
        story.wait((END - T0).total_seconds() - 60)
        story.live()
        story.wait(60)
        story.live(1)
    assert emptied.phase == "Unwinding"
    emptied.wait(8)
    emptied.live(3)
    assert emptied.is_free("n0")
    assert worked.phase == "Working"
    worked.world.store(worked.window, announced=())
    worked.world.end_job(complete=True)
    worked.live(4)
    assert worked.newest.updated
    worked.node("n1")
    worked.live()
    assert worked.phase is None, "no node after the end"


def test_a_suspended_window_cordons_nothing_and_unwinds_what_it_empties() -> None:
    story = Story()
    story.node("n0", 1)
    story.world.edit(suspend=True)
    story.live()
    assert story.phase is None
    story.world.edit(suspend=False)
    story.live()
    assert story.phase == "Emptying"
    story.world.edit(suspend=True)
    story.live(3)
    assert story.is_free("n0")


def test_nothing_is_cordoned_long_after_its_record() -> None:
    """Protocol rule 5: whoever was stopped in between records anew, or does nothing."""
    story = Story()
    story.node("n0")
    story.live(1)
    assert story.phase == "Cordoning"
    story.wait(6)
    story.operator.begin(story.operator.turn())
    story.operator.step(100)
    assert story.is_free("n0"), "it is recorded anew first"
    story.live(2)
    assert not story.is_free("n0")


def test_a_cordon_given_up_is_closed_only_when_nobody_can_be_about_to_make_it() -> None:
    """As with repairs: another operator may be stopped right before its patch."""
    story = Story()
    story.node("n0")
    slow = Operator(story.world)
    story.live(1)
    slow.hear()
    slow.begin(slow.turn())
    slow.step(2)
    story.world.edit(suspend=True)
    story.live(3)
    assert story.phase == "Unwinding"
    slow.step(100)
    assert not story.is_free("n0"), "the slow one's patch arrives"
    story.live(3)
    assert story.is_free("n0")
    assert story.phase == "Unwinding"
    story.wait(8)
    story.live(2)
    assert story.phase is None


def test_a_crash_between_record_and_job_costs_only_a_moment() -> None:
    story = Story()
    story.node("n0")
    story.live(4)
    assert (story.phase, story.world.nodes.jobs) == ("Working", {})
    story.operator.restart()
    story.wait(60)
    story.live(3)
    assert len(story.world.nodes.jobs) == 1


def test_a_job_that_a_person_deletes_is_not_made_again() -> None:
    story = Story()
    story.node("n0")
    story.live(6)
    story.world.nodes.jobs.clear()
    story.live(6)
    assert story.world.nodes.jobs == {}
    assert story.newest.message == "its Job was deleted"


def test_another_selector_of_updated_nodes_makes_nothing_of_a_running_job() -> None:
    """A label says what was done, and that Job has done something else."""
    story = Story()
    story.node("n0")
    story.live(6)
    selector = story.window.spec.updated_node_selector
    assert selector is not None
    newer = selector.model_copy(update={"match_labels": {"maintenance/updated": "2026-12"}})
    story.world.edit(updated_node_selector=newer)
    story.world.end_job(complete=True)
    story.live(4)
    assert not story.newest.updated
    assert not story.world.nodes.machines["n0"].bears({"maintenance/updated": "2026-12"})


def test_a_claim_without_a_record_is_swept_and_one_with_a_record_is_not() -> None:
    """A crash, or a window that was deleted, leaves no cordon behind."""
    story = Story()
    story.node("n0")
    story.live(4)
    story.node("n1", unschedulable=True, claim="shop/gone/3")
    story.node("n2", unschedulable=True, claim="shop/patch/1")
    story.node("n3", unschedulable=True)
    story.operator.finish(story.operator.sweep())
    assert story.is_free("n1")
    assert story.is_free("n2")
    assert not story.is_free("n0"), "it is worked on"
    assert not story.is_free("n3"), "not ours"
    story.world.nodes.windows.clear()
    story.operator.finish(story.operator.sweep())
    assert story.is_free("n0")


async def test_what_is_forbidden_is_said_and_nothing_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X-11: it is tried without effect before the first record."""

    async def forbidden(_: Referee, act: CordonNode, *, trial: bool = False) -> None:
        assert trial
        raise Refused(Reason.CREATE_FORBIDDEN, f"nodes {act.node!r} is forbidden")

    monkeypatch.setattr(Referee, "cordon", forbidden)
    story = Story()
    story.node("n0")
    story.live()
    assert story.phase is None
    word = story.operator.last.said[-1]
    assert (word.type, word.status, word.reason) == ("Ready", "False", "CreateForbidden")
    assert "nodeMaintenance.enabled" in word.message
    assert "n0" in word.message
    again = story.operator.last.again
    assert again == story.world.clock.now() + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("holder", "state", "starts"),
    [
        ("shop/patch", PairState.HELD, True),
        ("shop/patch", PairState.RELEASING, False),
        ("shop/aaa", PairState.HELD, False),
        (None, PairState.HELD, False),
    ],
)
def test_of_a_pair_only_the_holder_of_the_turn_works(
    holder: str | None, state: PairState, *, starts: bool
) -> None:
    """M-17: read live, where the pair's turn stands."""
    story = Story(spec={"spec.pairedWith": {"name": OTHER.name}})
    story.node("n0")
    partner = story.window.model_copy(
        update={
            "metadata": story.window.metadata.model_copy(update={"name": OTHER.name}),
            "spec": story.window.spec.model_copy(
                update={
                    "paired_with": story.window.spec.paired_with.model_copy(
                        update={"name": KEY.name}
                    )
                    if story.window.spec.paired_with
                    else None
                }
            ),
        }
    )
    pair = pair_of(story.window, partner)
    turn = None if holder is None else PairTurn(holder=holder, state=state, time=T0, pair=pair)
    status = partner.status.model_copy(update={"pair_turn": turn})
    partner = partner.model_copy(update={"status": status})
    story.world.nodes.windows[OTHER] = partner
    story.operator.resources.put_window(partner.model_dump(mode="json", by_alias=True))
    story.live()
    assert (story.phase == "Working") is starts


def test_a_window_without_nodes_to_work_on_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story()
    story.world.edit(node_maintenance=None)
    monkeypatch.setattr(Referee, "nodes", None)
    story.live()
    assert story.operator.last.again is None


def test_a_node_that_somebody_else_writes_to_is_cordoned_a_second_later() -> None:
    story = Story()
    story.node("n0")
    story.live(1)
    before = story.operator.last.said
    shown = timed(before, (), 1, story.world.clock.now())
    story.world.store(story.window, conditions=shown)
    story.operator.hear()
    story.operator.begin(story.operator.turn())
    story.operator.step(3)
    story.world.nodes.put("n0", labels={**POOL, "heard": "yes"})
    story.operator.step(100)
    assert story.is_free("n0")
    assert story.operator.last.again == story.world.clock.now() + timedelta(seconds=1)
    assert story.operator.last.said == before, "what was said stands"
    story.live(1)
    assert not story.is_free("n0")


def test_a_stale_view_of_the_pods_chooses_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-07: an instance that was not seen yet could be on it."""
    story = Story()
    story.node("n0")
    monkeypatch.setattr(NodeWorld, "pods", lambda *_: Pods(fresh=False))
    story.live()
    assert story.phase is None
    assert "too old" in story.said


def test_instances_of_other_sets_are_left_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As DaemonSets are, and all else that is not the window's."""
    story = Story()
    story.node("n0")
    story.world.nodes.on["n0"] = [Occupant("another", instance(number=1, node="n0"))]
    monkeypatch.setattr(NodeWorld, "pods", lambda *_: Pods())
    story.live()
    assert story.phase == "Working"


def test_an_instance_on_its_way_out_is_waited_for_whatever_its_mark() -> None:
    story = Story()
    story.node("n0", 1)
    story.live()
    (here,) = story.world.nodes.on["n0"]
    going = replace(here.instance, mark="", terminating=True)
    story.world.nodes.on["n0"] = [here._replace(instance=going)]
    story.live()
    assert story.phase == "Emptying"


@pytest.mark.parametrize("words", ["not json", "[]", '{"lastOperationResultCode":"RetryLater"}'])
def test_a_result_that_is_none_or_cannot_be_read_leaves_an_instance_pending(words: str) -> None:
    story = Story()
    story.node("n0")
    story.world.fill("n0", 1, maintenance=words)
    story.live()
    assert story.phase == "Emptying"


def test_instances_of_a_set_that_has_stopped_are_not_waited_for() -> None:
    """M-16: nothing more is taken in it, so its node would wait in vain."""
    story = Story()
    story.node("n0", 1)
    resources = story.operator.resources
    body = manifest(SET, name="web")
    body["metadata"] |= {"namespace": "shop", "uid": "u", "labels": {"tier": "web"}}
    stop = {"reason": "NotBack", "time": "2026-11-21T08:00:00Z"}
    row = {"window": "patch", "iteration": 1, "mark": MARK, "stopped": stop}
    body["status"] = {"maintenance": {"iterations": [row]}}
    resources.put_scale_set(body)
    story.live()
    assert story.phase is None
    assert "web-1 on it is not moved" in story.said


async def test_a_standby_sweeps_nothing_and_one_node_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story()
    for name in ("n0", "n1", "n2"):
        story.node(name, unschedulable=True, claim="shop/gone/1")
    story.world.nodes.put("odd", unschedulable=True, claim="nonsense")
    nodes, resources, clock = story.world.nodes, story.operator.resources, story.world.clock
    cluster: Any = story.world
    standby = NodeKeeper(nodes, cluster, resources, clock, FakeLeadership(leading=False))
    assert await standby.sweep() == clock.now() + timedelta(minutes=5)
    assert not story.is_free("n0")
    plain = Referee.uncordon

    async def troubled(self: Referee, act: UncordonNode) -> None:
        if act.node == "n0":
            raise Conflict(act.node)
        if act.node == "n1":
            raise Refused(Reason.CREATE_FORBIDDEN, "forbidden")
        await plain(self, act)

    monkeypatch.setattr(Referee, "uncordon", troubled)
    keeper = NodeKeeper(nodes, cluster, resources, clock)
    assert await keeper.sweep() == clock.now() + timedelta(seconds=1)
    assert [story.is_free(name) for name in ("n0", "n1", "n2", "odd")] == [False, False, True, True]


async def test_what_a_recorded_act_is_refused_for_ends_it_and_an_uncordon_is_insisted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story()
    story.node("n0")

    async def refused(*_: Any, trial: bool = False, **__: Any) -> None:
        if not trial:
            raise Refused(Reason.CREATE_FORBIDDEN, "exceeded quota: jobs")

    monkeypatch.setattr(Referee, "create_job", refused)
    story.live(6)
    assert story.phase == "Unwinding"

    plain = Referee.uncordon

    async def not_now(*_: Any) -> None:
        raise Refused(Reason.CREATE_FORBIDDEN, "nodes is forbidden")

    monkeypatch.setattr(Referee, "uncordon", not_now)
    story.live(2)
    assert story.phase == "Unwinding"
    assert ("Ready", "False") in {(word.type, word.status) for word in story.operator.last.said}
    monkeypatch.setattr(Referee, "uncordon", plain)
    story.live(1)
    story.wait(8)
    story.live(1)
    assert story.is_free("n0")
    assert story.newest.message == "exceeded quota: jobs"


async def test_a_window_that_cannot_be_read_keeps_no_other_node_from_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether its record stands for the claim is not known, so its node is left alone."""
    story = Story()
    story.node("n0", unschedulable=True, claim="shop/odd/1")
    story.node("n1", unschedulable=True, claim="shop/gone/1")
    plain = Referee.window

    async def unreadable(self: Referee, key: Key) -> MaintenanceWindow | None:
        if key.name == "odd":
            message = "MaintenanceWindow shop/odd cannot be read"
            raise Unreadable(message)
        return await plain(self, key)

    monkeypatch.setattr(Referee, "window", unreadable)
    story.operator.finish(story.operator.sweep())
    assert not story.is_free("n0")
    assert story.is_free("n1")


def test_a_pair_that_is_none_works_on_no_node() -> None:
    """M-18."""
    story = Story(spec={"spec.pairedWith": {"name": OTHER.name}})
    story.node("n0")
    story.live()
    assert story.phase is None
    assert "no such window" in story.said


async def test_where_nodes_may_not_be_seen_nothing_is_swept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in an installation for one namespace whose account may see no nodes."""

    async def forbidden(_: Referee) -> None:
        raise Refused(Reason.CREATE_FORBIDDEN, "nodes is forbidden")

    monkeypatch.setattr(Referee, "claimed", forbidden)
    story = Story()
    cluster: Any = story.world
    clock = story.world.clock
    keeper = NodeKeeper(story.world.nodes, cluster, story.operator.resources, clock)
    assert await keeper.sweep() == clock.now() + timedelta(minutes=5)
