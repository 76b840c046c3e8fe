"""The life of a move, told step by step: what holds it up, what ends it, and what it leaves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.core.inclusion import RESULT_KEPT
from scaleset_operator.core.maintenance_acts import HoldPlace
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.plan import CreateInstance
from tests.core._stories import condition
from tests.core._upkeep import END, MINUTE, NEW, SCHEDULED, SELF_SERVICE, UpkeepStory, on, view
from tests.support.builders import MODEL, scale_set_spec

SIZE = 10
COMPLETED = OperationResultCode.MAINTENANCE_COMPLETED
ABORTED = OperationResultCode.MAINTENANCE_ABORTED
RETRY = OperationResultCode.RETRY_LATER


def a_story(size: int = SIZE, **spec: Any) -> UpkeepStory:
    """A set whose maintenance was announced, at the moment in which owners may go first."""
    wanted = scale_set_spec(replicas=size, **spec)
    story = UpkeepStory.of(wanted, size)
    story.windows = [view()]
    story.turn()
    story.skip(SELF_SERVICE)
    story.turn()
    return story


def acts_of(story: UpkeepStory, kind: type[Any]) -> list[Any]:
    """All acts of one kind that were decided on so far."""
    return [act for plan in story.plans for act in plan.actions if isinstance(act, kind)]


def reason_of(story: UpkeepStory, name: str) -> str:
    """Why the request on an instance waits, or was refused."""
    rows = [row for row in story.seen.status.requests if row.instance == name]
    return rows[0].reason if rows else ""


def test_an_instance_keeps_its_name_id_domain_and_labels_and_gets_another_pod() -> None:
    """M-07, V-21, V-31: on the updated node; its grace starts anew with its containers."""
    story = a_story()
    story.change("web-3", own_labels=(("team", "shop"),))
    before = story.pods["web-3"]
    story.ask("web-3")
    story.run(MINUTE)
    after = story.pods["web-3"]
    assert after.uid != before.uid
    assert (after.instance_id, after.update_domain) == (before.instance_id, before.update_domain)
    assert after.own_labels == (("team", "shop"),)
    assert after.node == NEW
    (made,) = acts_of(story, CreateInstance)
    assert (made.node_labels, made.may_go_anywhere) == (view().node_labels, False)
    assert made.node == NEW
    assert after.started is not None
    assert after.started > SELF_SERVICE
    assert story.places == {}
    assert not story.entries


OLDER = "0ld0ld0l-1a1a1a1a"
GIVEN = {MODEL: frozenset({"app"}), OLDER: frozenset({"app", "tier"})}


def an_older_one(known: dict[str, frozenset[str]]) -> UpkeepStory:
    """A set whose web-3 was left behind by its template, and the models of which it knows."""
    story = a_story(upgradePolicy={"mode": "Manual"})
    labels = (("app", "web"), ("team", "shop"), ("tier", "gold"))
    story.change("web-3", model=OLDER, own_labels=labels)
    story.outside["template_labels"] = known
    return story


def test_a_moved_instance_keeps_its_model_and_gets_no_label_of_a_template_by_hand() -> None:
    """V-21: a move is no rollout; what its template gives comes from that, and not from the pod."""
    story = an_older_one(GIVEN)
    story.ask("web-3", "web-4")
    story.run(2 * MINUTE)
    held = {act.instance: act.model for act in acts_of(story, HoldPlace)}
    made = {act.name: act for act in acts_of(story, CreateInstance)}
    assert held == {"web-3": OLDER, "web-4": MODEL}
    assert {name: act.model for name, act in made.items()} == held
    assert made["web-3"].labels == (("team", "shop"),)
    assert story.said("web-3").last_operation_result_code is COMPLETED


def test_one_whose_model_no_revision_keeps_is_left_as_it_is(subtests: pytest.Subtests) -> None:
    """V-19, V-21: for its owner and in the scheduled window alike; not once it is known again."""
    story = an_older_one({})
    uid = story.pods["web-3"].uid
    story.ask("web-3")
    story.run(MINUTE)
    assert reason_of(story, "web-3") == "RevisionNotFound"
    story.change("web-3", maintenance_asked="")
    story.until(SCHEDULED + 90 * MINUTE, step=timedelta(seconds=20))
    assert story.pods["web-3"].uid == uid
    assert story.maintenance.iterations[0].completed == SIZE - 1
    with subtests.test("known"):
        story.outside["template_labels"] = GIVEN
        story.until(story.now + 5 * MINUTE)
        assert (story.pods["web-3"].uid, story.pods["web-3"].model) != (uid, MODEL)
        assert story.pods["web-3"].model == OLDER
        assert story.said("web-3").last_operation_result_code is COMPLETED


def test_a_model_that_is_lost_on_the_way(subtests: pytest.Subtests) -> None:
    """V-19: before the eviction it stays; after it the latest is better than none."""
    for lost_in in ("Recorded", "Moving"):
        with subtests.test(lost_in):
            story = an_older_one(GIVEN)
            uid = story.pods["web-3"].uid
            story.room = 0 if lost_in == "Recorded" else story.room
            story.ask("web-3")
            while not any(e.phase == lost_in for e in story.entries):
                story.run(timedelta(seconds=1), step=timedelta(seconds=1))
            story.outside["template_labels"] = {}
            story.run(MINUTE)
            pod = story.pods["web-3"]
            assert (pod.uid == uid, pod.model) == (
                (True, OLDER) if lost_in == "Recorded" else (False, MODEL)
            )
            assert story.entries == ()


def test_a_completed_move_shows_its_result_and_no_times(subtests: pytest.Subtests) -> None:
    """V-14, V-15, V-16: until seven days after the window, then nothing."""
    story = a_story()
    story.ask("web-3")
    story.run(MINUTE)
    said = story.said("web-3")
    with subtests.test("the result stands alone"):
        assert said.last_operation_result_code is COMPLETED
        assert said.last_operation_message == f"moved to {NEW}"
        assert said.maintenance_window_start_time is None
        assert said.is_customer_initiated_maintenance_allowed is None
    story.windows = []
    story.skip(END + RESULT_KEPT - MINUTE)
    story.turn()
    with subtests.test("it is kept for a week"):
        assert story.said("web-3").last_operation_result_code is COMPLETED
    story.skip(END + RESULT_KEPT)
    story.turn()
    with subtests.test("and not longer"):
        assert (story.pods["web-3"].mark, story.pods["web-3"].maintenance) == ("", "")


def test_without_a_node_that_takes_it_an_instance_is_left_as_it_is() -> None:
    """M-09, M-26, V-19: the same pod, in rotation; out of this iteration, with the words why."""
    story = a_story()
    story.room = 0
    before = story.pods["web-3"]
    story.ask("web-3")
    story.run(3 * MINUTE)
    after = story.pods["web-3"]
    assert after.uid == before.uid
    assert after.in_rotation
    assert story.said("web-3").last_operation_result_code is ABORTED
    assert "0/2 nodes" in (story.said("web-3").last_operation_message or "")
    assert story.places == {}
    assert story.evicted == []
    story.room = 10
    story.ask("web-3")
    story.run(MINUTE)
    assert reason_of(story, "web-3") == "AlreadyAttempted"
    story.skip(SCHEDULED)
    story.run(20 * MINUTE, timedelta(seconds=10))
    assert story.pods["web-3"].uid == before.uid, "the scheduled pass leaves it, too"
    assert len(on(story, NEW)) == SIZE - 1


def test_a_budget_that_refuses_is_waited_for_and_then_the_instance_is_tried_later() -> None:
    """X-02, V-14: RetryLater keeps it in, and back in rotation."""
    story = a_story()
    story.refusing = {"web-3"}
    story.ask("web-3")
    story.run(2 * MINUTE)
    (entry,) = story.entries
    assert entry.phase == "Placed"
    assert story.pods["web-3"].in_rotation is False
    story.run(8 * MINUTE, timedelta(seconds=10))
    assert not story.entries
    assert story.said("web-3").last_operation_result_code is RETRY
    assert story.said("web-3").maintenance_window_start_time == SCHEDULED
    assert story.pods["web-3"].in_rotation
    assert story.places == {}
    story.refusing = set()
    story.ask("web-3")
    story.run(MINUTE)
    assert story.said("web-3").last_operation_result_code is COMPLETED


def test_one_that_does_not_come_back_stops_the_iteration_and_is_left_to_repair() -> None:
    """M-16, V-05: nobody else is taken; the others come with the next iteration."""
    story = a_story()
    story.sick = {"web-1", "web-2", "web-3", "web-4", "web-5"}
    story.skip(SCHEDULED)
    story.run(45 * MINUTE, timedelta(seconds=30))
    (row,) = story.maintenance.iterations
    assert row.stopped is not None
    assert row.stopped.reason == "MaintenanceStopped"
    taken = {name for _, name, _ in story.evicted}
    assert len(taken) <= 2, "one domain at most"
    story.run(30 * MINUTE, timedelta(seconds=30))
    assert {name for _, name, _ in story.evicted} == taken
    assert not story.entries
    story.windows = [
        view(
            iteration=2,
            opens=END + 10 * MINUTE,
            closes=END + 20 * MINUTE,
            start=END + 20 * MINUTE,
            end=END + 600 * MINUTE,
        )
    ]
    story.sick = set()
    story.skip(END + 10 * MINUTE)
    story.turn()
    assert all("/2/" in pod.mark for pod in story.live if pod.node != NEW), "all are armed again"


def test_an_instance_under_maintenance_is_never_repaired(subtests: pytest.Subtests) -> None:
    """X-01, M-03: and one under repair is not taken."""
    story = a_story()
    story.linger = 5 * MINUTE
    story.ask("web-3")
    story.run(timedelta(seconds=20))
    story.run(2 * MINUTE)
    with subtests.test("while it is away nobody makes up for it"):
        assert len(story.live) == SIZE - 1
        assert story.seen.status.repairs.in_flight == ()
        assert story.seen.status.creating == ()
    story.run(6 * MINUTE)
    with subtests.test("it comes again under its name"):
        assert story.pods["web-3"].node == NEW
    story.tell(Outcome.WRONG_STATUS, "web-4")
    story.run(2 * MINUTE)
    story.ask("web-4")
    story.turn()
    with subtests.test("who is under repair waits"):
        assert {e.instance for e in story.seen.status.repairs.in_flight} <= {"web-4"}


def test_an_instance_that_somebody_deletes_drops_out(subtests: pytest.Subtests) -> None:
    """M-22: before it was touched its place goes; afterwards it comes again all the same."""
    story = a_story()
    story.room = 0
    story.ask("web-3")
    story.turn()
    assert [e.instance for e in story.entries] == ["web-3"]
    story.terminate("web-3")
    story.run(MINUTE)
    with subtests.test("nothing is left of it"):
        assert not story.entries
        assert story.places == {}
        assert "web-3" not in story.pods
        assert len(story.live) == SIZE


def test_with_fewer_wanted_one_that_is_away_does_not_come_again() -> None:
    """M-22, rule 24: the number that is wanted is reached without it."""
    story = a_story()
    story.linger = 2 * MINUTE
    story.ask("web-10")
    story.run(timedelta(seconds=30))
    assert [e.phase for e in story.entries] == ["Moving"]
    story.spec = scale_set_spec(replicas=SIZE - 1)
    story.run(5 * MINUTE)
    assert not story.entries
    assert story.places == {}
    assert len(story.live) == SIZE - 1


def test_a_window_that_is_suspended_or_gone_lets_go_of_what_was_not_touched() -> None:
    """X-04, M-25: what is away comes back."""
    story = a_story()
    story.room = 0
    story.ask("web-3")
    story.turn()
    story.windows = [replace(view(), suspended=True)]
    story.run(MINUTE)
    assert not story.entries
    assert story.places == {}
    story.windows, story.room = [view()], 10
    story.linger = 2 * MINUTE
    story.ask("web-4")
    story.run(timedelta(seconds=30))
    assert [str(entry.phase) for entry in story.entries] == ["Moving"]
    story.windows = []
    story.run(6 * MINUTE)
    assert not story.entries
    assert "web-4" in story.pods
    assert len(story.live) == SIZE


def test_what_is_said_of_the_set_follows_the_moves() -> None:
    """X-11: the condition has a reason for everything."""
    story = a_story()
    assert condition(story.plans[-1], "MaintenanceActive") == ("True", "WindowOpen")
    story.ask("web-3")
    story.run(timedelta(seconds=10))
    assert condition(story.plans[-1], "MaintenanceActive") == ("True", "MaintenanceInProgress")
    story.run(MINUTE)
    row = story.maintenance.iterations[0]
    assert (row.targeted, row.pending, row.completed) == (SIZE, SIZE - 1, 1)
    assert row.last_operation is not None
    assert row.last_operation.instance == "web-3"


def test_a_record_from_a_clock_that_was_ahead_holds_nothing_up() -> None:
    """X-10: it counts as made now."""
    story = a_story()
    story.room = 0
    story.ask("web-3")
    story.turn()
    (entry,) = story.entries
    ahead = entry.model_copy(
        update={"start_time": story.now + 90 * MINUTE, "phase_time": story.now + 90 * MINUTE}
    )
    summary = story.maintenance.model_copy(update={"in_flight": (ahead,)})
    status = story.seen.status.model_copy(update={"maintenance": summary})
    story.seen = replace(story.seen, status=status)
    story.run(4 * MINUTE)
    assert not story.entries
    assert story.said("web-3").last_operation_result_code is ABORTED
