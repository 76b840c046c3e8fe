"""Who is taken for maintenance, in which order, and why the others wait or are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.api.scaleset import MAX_UPDATE_DOMAINS
from scaleset_operator.core.observed import Outcome, TemplateView
from tests.core._upkeep import (
    END,
    HOUR,
    MINUTE,
    NEW,
    SCHEDULED,
    SELF_SERVICE,
    UpkeepStory,
    on,
    view,
)
from tests.support.builders import scale_set_spec
from tests.support.fake_clock import T0

SIZE = 10
DOMAINS = 5
AT_ONCE = 2
STEP = timedelta(seconds=5)


def a_story(size: int = SIZE, at: datetime = SELF_SERVICE, **fields: Any) -> UpkeepStory:
    """A set whose maintenance was announced, at some moment of it."""
    story = UpkeepStory.of(scale_set_spec(replicas=size), size)
    story.windows = [view(**fields)]
    story.turn()
    story.skip(at)
    return story


def waits_for(story: UpkeepStory, name: str) -> tuple[str, str]:
    """(state, reason) of the request on an instance."""
    rows = [row for row in story.seen.status.requests if row.instance == name]
    return (str(rows[0].state), rows[0].reason) if rows else ("", "")


def row_of(story: UpkeepStory) -> Any:
    return story.maintenance.iterations[0]


# --- The scheduled pass ------------------------------------------------------------------------


def test_one_domain_goes_at_a_time_and_the_next_when_all_are_back() -> None:
    """M-12, M-14, M-15, M-04: and never more are away than the floor allows."""
    story = a_story(at=SCHEDULED)
    seen: list[frozenset[int]] = []
    for _ in range(120):
        story.run(STEP)
        assert story.available >= SIZE - AT_ONCE
        domains = frozenset(e.update_domain for e in story.entries)
        assert len(domains) <= 1
        if domains and (not seen or seen[-1] != domains):
            seen.append(domains)
    assert len(on(story, NEW)) == SIZE
    assert len(seen) == len(set(seen)) == DOMAINS, "each domain once"
    assert len({uid for _, _, uid in story.evicted}) == len(story.evicted) == SIZE, "none twice"


def test_as_many_domains_as_there_may_be_go_one_by_one_too() -> None:
    """V-28, M-12: twenty of them."""
    size, domains = 2 * MAX_UPDATE_DOMAINS - 3, MAX_UPDATE_DOMAINS
    story = UpkeepStory.of(scale_set_spec(replicas=size, updateDomainCount=domains), size)
    story.pods = {
        name: replace(pod, update_domain=pod.instance_id % domains)
        for name, pod in story.pods.items()
    }
    story.windows = [view()]
    story.turn()
    story.skip(SCHEDULED)
    order: list[int] = []
    for _ in range(500):
        story.run(STEP)
        at_once = {e.update_domain for e in story.entries}
        assert len(at_once) <= 1, at_once
        order += at_once - set(order[-1:])
    assert len(on(story, NEW)) == size
    assert len(order) == len(set(order)) == MAX_UPDATE_DOMAINS, "each once, and none begun anew"
    assert order != sorted(order), "no order is promised"


@pytest.mark.parametrize(("size", "told"), [(1, True), (2, False)])
def test_of_an_instance_alone_it_is_told_that_nothing_is_promised(size: int, *, told: bool) -> None:
    """V-29: from its announcement to its end."""
    story = a_story(size, at=SELF_SERVICE - MINUTE)
    said: dict[str, bool] = {}
    for _ in range(3):
        story.turn()
        found = [c for c in story.seen.status.conditions if c.type == "MaintenanceActive"]
        said[found[0].reason] = "is not promised" in found[0].message
        story.until(story.now + 2 * MINUTE)
        if not story.entries and len(said) > 1:
            story.ask("web-1")
            story.turn()
    assert said == dict.fromkeys(("Announced", "WindowOpen", "MaintenanceInProgress"), told)


def test_the_order_of_domains_is_drawn_for_each_iteration() -> None:
    """M-13: the same for every operator, and nothing to rely on."""
    orders = set()
    for number in range(1, 4):
        story = a_story(DOMAINS, at=SCHEDULED, iteration=number)
        story.run(4 * MINUTE, STEP)
        assert len(story.evicted) == DOMAINS
        domains = [story.pods[name].update_domain for _, name, _ in story.evicted]
        orders.add(tuple(dict.fromkeys(domains)))
    assert len(orders) > 1


def test_a_pause_between_domains_counts_from_when_all_are_back() -> None:
    """M-15: and its end is told."""
    story = UpkeepStory.of(scale_set_spec(replicas=SIZE), SIZE)
    story.windows = [view(pause_between=10 * MINUTE)]
    story.turn()
    story.skip(SCHEDULED)
    story.run(5 * MINUTE, STEP)
    assert len(on(story, NEW)) == AT_ONCE
    assert row_of(story).waits_for == "PauseBetweenDomains"
    assert story.plans[-1].look_again_at is not None
    story.run(4 * MINUTE, STEP)
    assert len(on(story, NEW)) == AT_ONCE
    story.run(5 * MINUTE, STEP)
    assert len(on(story, NEW)) == 2 * AT_ONCE


@pytest.mark.parametrize(("of_a_domain", "at_once"), [(3, 2), (4, 2), (6, 3)])
def test_the_pause_lies_between_domains_and_never_within_one(
    of_a_domain: int, at_once: int
) -> None:
    """M-12, M-15: also where those who go together are back at once, and more follow."""
    size = 2 * of_a_domain
    percent = {"maxBatchInstancePercent": 100 * at_once // size}
    wanted = scale_set_spec(replicas=size, upgradePolicy={"rollingUpgradePolicy": percent})
    story = UpkeepStory.of(wanted, size)
    for name, pod in story.pods.items():
        story.change(name, update_domain=pod.instance_id % 2)
    story.windows = [view(pause_between=10 * MINUTE)]
    story.turn()
    story.skip(SCHEDULED)
    story.run(HOUR, STEP)
    domains = [story.pods[name].update_domain for _, name, _ in story.evicted]
    assert len(domains) == size
    assert len(set(domains[:of_a_domain])) == len(set(domains[of_a_domain:])) == 1
    times = [at for at, _, _ in story.evicted]
    waits = [later - at for at, later in pairwise(times)]
    between = waits.pop(of_a_domain - 1)
    assert between >= 10 * MINUTE > max(waits)


def test_nothing_starts_after_the_window_and_what_has_started_is_finished() -> None:
    """M-25, V-05: the rest is pending for another iteration."""
    story = a_story(at=END - timedelta(seconds=10))
    story.run(2 * MINUTE, STEP)
    moved = len(story.evicted)
    assert 0 < moved <= AT_ONCE
    story.windows = []
    story.run(10 * MINUTE, STEP)
    assert len(story.evicted) == moved
    assert not story.entries
    assert {pod.mark for pod in story.live if pod.node != NEW} == {""}


def test_a_window_that_was_missed_is_not_caught_up_after_its_end() -> None:
    """M-24: started late inside it, never past it."""
    late = a_story(at=END - HOUR)
    late.run(20 * MINUTE, STEP)
    assert len(on(late, NEW)) == SIZE
    missed = a_story(at=END)
    missed.run(20 * MINUTE, STEP)
    assert missed.evicted == []


def test_who_comes_during_a_maintenance_is_not_included_and_goes_to_updated_nodes() -> None:
    """M-21: so it is not restarted again."""
    story = a_story()
    story.spec = scale_set_spec(replicas=SIZE + 2)
    story.run(MINUTE)
    newcomers = [story.pods[f"web-{n}"] for n in (SIZE + 1, SIZE + 2)]
    assert [pod.node for pod in newcomers] == [NEW, NEW]
    assert [pod.mark for pod in newcomers] == ["", ""]
    assert row_of(story).targeted == SIZE


def test_a_protected_instance_is_left_by_the_pass_and_its_owner_may_still_ask() -> None:
    """R-47, R-50: it stays pending."""
    story = a_story()
    story.change("web-3", protected_from_actions=True)
    story.skip(SCHEDULED)
    story.run(10 * MINUTE, STEP)
    assert [pod.name for pod in story.live if pod.node != NEW] == ["web-3"]
    assert row_of(story).waits_for == "InstanceProtected"
    asked = a_story()
    asked.change("web-3", protected_from_actions=True)
    asked.ask("web-3")
    asked.run(MINUTE)
    assert asked.pods["web-3"].node == NEW


@pytest.mark.parametrize(("share", "included"), [(10, 1), (25, 3), (50, 5), (100, 10)])
def test_an_iteration_includes_no_more_than_its_share(share: int, included: int) -> None:
    """V-06: rounded up, and not more when some of them are done."""
    story = a_story(share=share, at=SCHEDULED)
    story.run(15 * MINUTE, STEP)
    assert sum(bool(pod.mark) for pod in story.live) == included
    assert len(on(story, NEW)) == included
    assert row_of(story).waits_for == "NothingToDo"


def test_an_instance_is_in_one_iteration_at_a_time() -> None:
    """V-04: a second window waits for what the first has."""
    story = UpkeepStory.of(scale_set_spec(replicas=SIZE), SIZE)
    story.windows = [view(), view("other")]
    story.turn()
    marks = {pod.mark.split("/")[0] for pod in story.live}
    assert len(marks) == 1
    story.skip(SCHEDULED)
    for _ in range(60):
        story.run(STEP)
        assert len({entry.mark for entry in story.entries}) <= 1


def test_on_an_updated_node_already_it_is_done_without_an_act() -> None:
    """M-22: somebody has moved it."""
    story = a_story()
    story.change("web-3", node=NEW)
    story.run(STEP)
    assert story.said("web-3").last_operation_result_code is (
        OperationResultCode.MAINTENANCE_COMPLETED
    )
    assert story.evicted == []


def test_with_its_own_work_on_nodes_only_the_node_that_is_emptied_is_moved() -> None:
    """A window with nodeMaintenance goes node by node."""
    story = UpkeepStory.of(scale_set_spec(replicas=SIZE), SIZE)
    for name in ("web-1", "web-6"):
        story.change(name, node="node-here")
    story.windows = [view(works_on_nodes=True, node=None)]
    story.turn()
    story.skip(SCHEDULED)
    story.run(MINUTE)
    assert row_of(story).waits_for == "NodeNotEmptying"
    story.windows = [view(works_on_nodes=True, node="node-here")]
    story.run(5 * MINUTE, STEP)
    assert {name for _, name, _ in story.evicted} == {"web-1", "web-6"}


# --- The owners --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (T0, "NotInSelfService"),
        (SELF_SERVICE, ""),
        (SCHEDULED - timedelta(seconds=1), ""),
        (SCHEDULED, "NotInSelfService"),
    ],
)
def test_owners_may_start_it_in_their_window_and_at_no_other_instant(
    moment: datetime, reason: str
) -> None:
    """M-05, M-10, V-10, V-11, V-12, V-32: half-open; told by time alone."""
    story = a_story()
    story.now = moment
    story.turn()
    allowed = story.said("web-9").is_customer_initiated_maintenance_allowed
    assert allowed is (not reason)
    story.change("web-9", maintenance_asked="patch", protected_from_actions=True)
    story.turn()
    assert waits_for(story, "web-9")[1] in {reason, ""}
    assert bool([e for e in story.entries if e.instance == "web-9"]) is (not reason)


def test_what_can_never_be_met_is_refused_and_taken_off_the_pod() -> None:
    """V-17, X-11: each with its reason."""
    story = a_story(share=50)
    story.ask("web-1")
    story.run(MINUTE)
    story.ask("web-1")
    story.ask("web-9")
    story.ask("web-2", window="unknown")
    story.run(timedelta(seconds=10))
    assert waits_for(story, "web-1") == ("Answered", "AlreadyAttempted")
    assert waits_for(story, "web-9") == ("Answered", "NotIncluded")
    assert waits_for(story, "web-2") == ("Answered", "WindowNotFound")
    assert {pod.maintenance_asked for pod in story.live} == {""}
    assert [name for _, name, _ in story.evicted] == ["web-1"]


def test_what_time_or_room_will_change_waits_on_its_pod(subtests: pytest.Subtests) -> None:
    """V-03, X-02, X-04, M-17: and says for what."""
    story = a_story()
    story.windows = [replace(view(), suspended=True)]
    story.ask("web-1")
    story.run(STEP)
    with subtests.test("suspended"):
        assert waits_for(story, "web-1") == ("Waiting", "WindowSuspended")
        assert story.said("web-2").is_customer_initiated_maintenance_allowed is False
    story.windows = [replace(view(), turn=False, turn_detail="shop/other has its turn")]
    story.run(STEP)
    with subtests.test("the pair's other side"):
        assert waits_for(story, "web-1") == ("Waiting", "PartnerActive")
        assert story.evicted == []
    story.windows = [replace(view(), turn=False, turn_reason=Reason.INVALID_PAIR)]
    story.run(STEP)
    with subtests.test("no pair"):
        assert waits_for(story, "web-1") == ("Waiting", "InvalidPair")
    story.windows = [view()]
    story.ask("web-2", "web-3", "web-4")
    story.run(STEP)
    with subtests.test("the floor"):
        assert len(story.entries) == AT_ONCE
        assert waits_for(story, "web-4") == ("Waiting", "FloorReached")
    story.run(3 * MINUTE, STEP)
    with subtests.test("its turn comes"):
        moved = {name for _, name, _ in story.evicted}
        assert moved == {"web-1", "web-2", "web-3", "web-4"}


def test_owners_are_not_bound_to_one_domain_at_a_time() -> None:
    """M-20: the order and the pace are theirs; the floor holds."""
    story = a_story()
    story.ask("web-1", "web-2")
    story.run(STEP)
    assert {e.update_domain for e in story.entries} == {0, 1}


def test_two_requests_at_once_start_one_operation() -> None:
    """V-18: the ledger is the lock."""
    story = a_story()
    story.ask("web-1")
    story.turn()
    story.ask("web-1")
    story.run(2 * MINUTE, STEP)
    assert [name for _, name, _ in story.evicted] == ["web-1"]
    assert len(story.made) == 1


# --- One floor ---------------------------------------------------------------------------------


def test_the_sick_and_the_moved_are_under_one_floor() -> None:
    """X-02, X-03: with two away by themselves nobody is taken."""
    story = a_story(at=SCHEDULED)
    for name in ("web-1", "web-2"):
        story.change(name, protected_from_actions=True)
    story.tell(Outcome.WRONG_STATUS, "web-1", "web-2")
    story.run(2 * MINUTE, STEP)
    moved = len(story.evicted)
    story.run(5 * MINUTE, STEP)
    assert len(story.evicted) == moved <= AT_ONCE, "none once they show as ill"
    assert row_of(story).waits_for in {"FloorReached", "DomainInProgress"}
    story.tell(Outcome.OK, "web-1", "web-2")
    story.run(20 * MINUTE, STEP)
    assert len(on(story, NEW)) == SIZE - 2


def test_a_rollout_and_a_maintenance_take_no_more_together_than_either_may() -> None:
    """X-02, R-57: whoever is in one's hands is left by the other."""
    story = a_story(at=SCHEDULED)
    story.run(timedelta(seconds=10))
    story.outside["template"] = TemplateView(model="m2")
    least = SIZE
    for _ in range(240):
        story.run(STEP)
        least = min(least, story.available)
    assert least >= SIZE - AT_ONCE
    assert {pod.model for pod in story.live} == {"m2"}
    assert len(story.live) == SIZE


def test_a_set_whose_windows_are_not_all_known_yet_is_left_as_it_is() -> None:
    """X-08: after a start a window that was not heard of is not one that is gone."""
    story = a_story()
    story.run(STEP)
    marks = {pod.name: pod.mark for pod in story.live}
    story.windows = []
    story.outside["windows_unheard"] = True
    story.run(MINUTE)
    assert {pod.name: pod.mark for pod in story.live} == marks
    story.outside["windows_unheard"] = False
    story.run(STEP)
    assert {pod.mark for pod in story.live} == {""}


def test_on_a_view_that_is_old_nothing_moves() -> None:
    """X-07."""
    story = a_story(at=SCHEDULED)
    story.outside["view_is_fresh"] = False
    story.run(MINUTE)
    assert story.evicted == []
    assert not story.entries
