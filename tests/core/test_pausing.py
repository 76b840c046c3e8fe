"""The pause of instances in place, step by step: none is made anew, and nobody is judged for it."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scaleset_operator.api.agentreport import PauseState
from scaleset_operator.api.maintenanceledger import MaintenancePhase
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.core.observed import Containers
from scaleset_operator.core.pause import Watch
from tests.core._pauses import SECOND, PauseStory, opened, pause_view
from tests.core._upkeep import MINUTE, SCHEDULED
from tests.support.builders import scale_set_spec

COMPLETED = OperationResultCode.MAINTENANCE_COMPLETED
ABORTED = OperationResultCode.MAINTENANCE_ABORTED
RETRY = OperationResultCode.RETRY_LATER


def results(story: PauseStory) -> Counter[OperationResultCode | None]:
    return Counter(story.said(name).last_operation_result_code for name in story.pods)


def untouched(story: PauseStory) -> bool:
    """Whether nothing stands still, waits, or bears a request, and all are in rotation."""
    serving = all(pod.in_rotation and pod.ready for pod in story.live)
    return serving and not story.entries and not story.bearing and not story.frozen


def test_all_of_a_domain_are_paused_and_back_before_the_next_begins() -> None:
    """M-02, M-04: every pod stays as it is, and has stood still once."""
    story = opened()
    before = {name: (pod.uid, pod.ip, pod.started) for name, pod in story.pods.items()}
    for _ in range(10 * 60):
        story.run(SECOND, SECOND)
        assert story.available - len(story.frozen) >= 8, "the floor of Redeploy holds here, too"
        assert len({story.pods[name].update_domain for name in story.frozen}) <= 1
        assert not any(story.pods[name].in_rotation for name in story.frozen)
    assert {n: (p.uid, p.ip, p.started) for n, p in story.pods.items()} == before
    assert Counter(name for name, *_ in story.stood) == dict.fromkeys(before, 1)
    assert results(story) == {COMPLETED: 10}
    assert untouched(story)
    assert story.worst == []
    domains = [story.pods[name].update_domain for name, *_ in story.stood]
    assert domains == sorted(domains, key=domains.index), "each domain at one go"


@pytest.mark.parametrize("late", [0, 5, 40])
@pytest.mark.parametrize("step", [1, 3])
def test_nobody_is_judged_for_a_pause(late: int, step: int) -> None:
    """M-03: at an interval of 5 s and a timeout of 11 s, also where the thaw is late."""
    story = opened(grace="PT30M")
    story.late = timedelta(seconds=late)
    story.run(12 * MINUTE, step * SECOND)
    assert story.worst == []
    assert len(story.stood) == 10
    assert untouched(story)


def test_a_paused_instance_is_out_of_rotation_before_it_is_asked_for() -> None:
    """M-02: what is under way has time to end."""
    story = opened()
    out: dict[str, datetime] = {}
    story.turn()
    for _ in range(30):
        for pod in story.live:
            if not pod.in_rotation:
                out.setdefault(pod.name, story.now)
        if story.asked:
            assert all(out[act.name] <= story.now - 5 * SECOND for act in story.asked)
            return
        story.run(SECOND, SECOND)
    pytest.fail("nobody was asked for")


def test_as_long_as_it_is_shown_in_rotation_nobody_asks_for_its_pause() -> None:
    """M-02: whatever keeps it there, as a write that is refused again and again."""
    story = opened()
    for _ in range(60):
        for name in story.pods:
            story.change(name, in_rotation=True)
        story.turn()
        assert story.asked == []
        story.skip(story.now + SECOND)
    assert {entry.phase for entry in story.entries} == {MaintenancePhase.LEAVING}
    story.run(MINUTE, SECOND)
    assert story.asked


def test_one_that_goes_on_is_looked_at_until_it_is_heard() -> None:
    """M-02: that it answers is no news where it did before its return was recorded."""
    story, returning = opened(), 0
    for _ in range(90):
        plan = story.turn()
        phases = {entry.phase for entry in story.entries}
        if phases == {MaintenancePhase.RETURNING}:
            returning += 1
            assert plan.look_again_at is not None
            assert plan.look_again_at <= story.now + 3 * SECOND
        story.skip(story.now + SECOND)
    assert returning


def test_one_that_kubelet_would_kill_is_refused_with_retry_later() -> None:
    """M-03: it stays in, and serves on all the while; the others are done."""
    story = opened()
    watches = (Watch(container="web", period=10 * SECOND, failures=3),)
    patient = Containers(watches=(Watch(container="web", period=15 * SECOND, failures=3),))
    for name in story.pods:
        story.change(name, containers=patient)
    strict = replace(story.pods["web-3"].containers, watches=watches)
    story.change("web-3", containers=strict)
    for _ in range(15 * 60 // 5):
        story.run(5 * SECOND)
        assert story.pods["web-3"].in_rotation
    assert results(story) == {COMPLETED: 9, RETRY: 1}
    said = story.said("web-3").last_operation_message or ""
    assert said.startswith("LivenessProbeTooShort: kubelet may kill container 'web'")
    assert "web-3" not in {act.name for act in story.asked}
    assert story.said("web-3").maintenance_window_start_time == SCHEDULED, "it is still ahead"


def test_where_no_agent_reports_nobody_is_touched() -> None:
    """M-02: the reason is told, and it is tried again."""
    story = opened()
    story.silent_nodes = {"node-1", "node-2", "node-3"}
    for _ in range(40):
        story.run(5 * SECOND)
        assert all(pod.in_rotation for pod in story.live)
    assert story.asked == []
    assert results(story)[RETRY] >= 2
    words = {story.said(n).last_operation_message for n in story.pods} - {None}
    assert words
    assert all(word and word.startswith("AgentSilent: no agent reports on node-") for word in words)
    story.silent_nodes = set()
    story.run(30 * MINUTE)
    assert results(story) == {COMPLETED: 10}


@pytest.mark.parametrize(
    ("state", "code"), [(PauseState.REFUSED, RETRY), (PauseState.FAILED, ABORTED)]
)
def test_what_an_agent_refuses_or_fails_is_told_with_its_words(
    state: PauseState, code: OperationResultCode
) -> None:
    """M-09: one that was refused stays in; one that failed has had its attempt."""
    story = opened()
    story.refusals = {"web-4": state}
    story.run(4 * MINUTE)
    while story.said("web-4").last_operation_result_code is None:
        story.run(MINUTE)
    assert story.said("web-4").last_operation_result_code is code
    assert story.said("web-4").last_operation_message == "its cgroup is gone"
    story.refusals = {}
    story.run(40 * MINUTE)
    asked = Counter(act.name for act in story.asked)["web-4"]
    assert asked == (2 if code is RETRY else 1)
    assert untouched(story)


@pytest.mark.parametrize("froze", [False, True])
def test_a_pause_that_nobody_answers_ends_by_its_deadline(froze: bool) -> None:  # noqa: FBT001 - a column of the table
    """M-02, M-03: cleared, told, and judged only by what was heard since."""
    story = opened()
    if froze:
        story.mute_nodes = {"node-1"}
    else:
        story.slow = timedelta(hours=9)
    story.run(4 * MINUTE, SECOND)
    hit = [n for n in story.pods if story.said(n).last_operation_result_code is ABORTED]
    assert hit
    for name in hit:
        assert (story.said(name).last_operation_message or "").startswith("PauseUnanswered")
        assert not story.pods[name].pause_request
        assert story.pods[name].in_rotation
    assert story.worst == []
    story.run(40 * MINUTE, 5 * SECOND)
    assert max(Counter(act.name for act in story.asked).values()) == 1
    assert untouched(story)
    assert story.worst == []


def test_one_that_does_not_turn_healthy_after_its_pause_stops_the_iteration() -> None:
    """M-16, M-03: it is judged by what was found a whole timeout after its pause, not before."""
    story = opened()
    while not story.frozen:
        story.run(SECOND, SECOND)
    (name, *_) = story.frozen
    story.sick = {name}
    thawed = min(until for who, _, _, until in story.stood if who == name)
    story.run(35 * MINUTE, 15 * SECOND)
    first = min(at for at, who in story.worst if who == name)
    assert first >= thawed + 11 * SECOND
    (row,) = story.maintenance.iterations
    assert row.stopped is not None
    assert "did not turn healthy" in row.stopped.message
    assert len({n for n, *_ in story.stood}) <= 2, "its own domain, and no other"


def test_a_suspension_lets_go_of_who_was_not_paused_yet() -> None:
    """X-04: what was asked for is seen through, what was not is let go."""
    story = opened()
    while not any(e.phase == "Leaving" for e in story.entries):
        story.run(SECOND, SECOND)
    story.windows = [replace(v, suspended=True) for v in story.windows]
    story.run(MINUTE)
    assert story.asked == []
    assert untouched(story)


def test_an_instance_that_is_deleted_meanwhile_drops_out() -> None:
    """M-22."""
    story = opened()
    while not story.frozen:
        story.run(SECOND, SECOND)
    (name, *_) = story.frozen
    story.terminate(name)
    story.run(MINUTE, SECOND)
    assert name not in {e.instance for e in story.entries}
    story.run(20 * MINUTE)
    assert len(story.live) == 10
    assert untouched(story)


def test_a_scale_in_takes_one_that_stands_still_and_leaves_no_request() -> None:
    """M-22."""
    story = opened()
    while not story.frozen:
        story.run(SECOND, SECOND)
    story.spec = scale_set_spec(replicas=4)
    story.run(10 * MINUTE)
    assert len(story.live) == 4
    assert untouched(story)


def test_a_request_that_no_entry_stands_for_is_taken_off() -> None:
    """M-02: whoever wrote it, and whatever it says."""
    story = opened(window=pause_view(suspended=True))
    story.change("web-2", pause_request="somebody")
    story.change("web-5", pause_request="?")
    story.run(10 * SECOND)
    assert story.bearing == []


def test_an_owner_cannot_ask_for_a_pause() -> None:
    """M-01: it has no self-service window."""
    story = PauseStory.of(scale_set_spec(replicas=10), 10)
    story.windows = [pause_view()]
    story.turn()
    story.ask("web-3")
    story.run(MINUTE)
    (row,) = story.seen.status.requests
    assert row.reason == "NotInSelfService"
    assert "has no self-service window" in row.message
    assert story.said("web-3").is_customer_initiated_maintenance_allowed is False
