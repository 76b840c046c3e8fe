"""What lies between the record of a move and its acts: failures, crashes, views that are behind.

A place, the floor and the share hold whatever happens in between.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenanceledger import MaintenancePhase
from scaleset_operator.core.decide import decide
from scaleset_operator.core.maintenance_acts import EvictInstance
from scaleset_operator.core.objections import CANCEL_AFTER
from scaleset_operator.core.observed import Observed, Outcome
from scaleset_operator.core.plan import Record
from scaleset_operator.core.windowview import Place
from tests.core._stories import settle
from tests.core._upkeep import MINUTE, NEW, SCHEDULED, UpkeepStory, on, view
from tests.support.builders import MODEL, probe_view, scale_set_spec

SECOND = timedelta(seconds=1)
SHEDDING: dict[str, Any] = {"rotationProbeRef": {"name": "web-lb"}}
SOURCELESS: dict[str, Any] = {"healthProbeRef": None, "repairs": False}


class Watched(UpkeepStory):
    """The same world, with the probes that the set names: also one of rotation, or none."""

    def observe(self) -> Observed:
        seen = super().observe()
        if self.spec.rotation_probe_ref is not None:
            pods = [pod for pod in self.pods.values() if pod.live and pod.ip]
            found = {pod.uid: self._evidence(pod) for pod in pods}
            second = probe_view(name="web-lb", identity="u/2")
            seen = replace(seen, rotation_probe=second, rotation_evidence=found)
        if self.spec.health_probe_ref is None:
            seen = replace(seen, probe=None)
        return seen


def opened(**fields: Any) -> Watched:
    """A set of ten in five domains at the first instant of its scheduled window."""
    story = Watched.of(scale_set_spec(replicas=10, **fields), 10)
    story.windows = [view()]
    story.turn()
    story.skip(SCHEDULED)
    return story


def reached(story: UpkeepStory, phase: MaintenancePhase) -> UpkeepStory:
    """Go on second by second until the first move is there."""
    for _ in range(60):
        story.run(SECOND, SECOND)
        if any(entry.phase is phase for entry in story.entries):
            return story
    raise AssertionError(story.entries)


def recorded(story: UpkeepStory) -> UpkeepStory:
    """A turn whose operator is killed after its record: nothing of it is carried out."""
    settled = settle(story.spec, story.observe(), story.now, story.places)
    story.seen = replace(settled.seen, live_reads=frozenset(), listed=False, places={})
    return story


def fall_sick(story: UpkeepStory, names: list[str]) -> None:
    story.tell(Outcome.WRONG_STATUS, *names)


def stop_being_ready(story: UpkeepStory, names: list[str]) -> None:
    for name in names:
        story.change(name, containers_ready=False, ready=False)


@pytest.mark.parametrize(
    ("fields", "fail"),
    [
        pytest.param({}, fall_sick, id="one probe"),
        pytest.param(SHEDDING, fall_sick, id="a probe of rotation"),
        pytest.param(SOURCELESS, stop_being_ready, id="no source"),
    ],
)
def test_the_floor_is_asked_again_right_before_the_eviction(
    fields: dict[str, Any], fail: Callable[[UpkeepStory, list[str]], None]
) -> None:
    """X-02, M-14: two wait for a budget, out of rotation already, while others fail."""
    story = opened(**fields)
    story.refusing = set(story.pods)
    reached(story, MaintenancePhase.PLACED).run(5 * SECOND, SECOND)
    waiting = {entry.instance for entry in story.entries}
    assert len(waiting) == 2
    others = [name for name in story.pods if name not in waiting]
    fail(story, others[:3])
    for _ in range(40):
        story.run(SECOND, SECOND)
        if story.available < 8 or not story.spec.health_probe_ref:
            break
    story.refusing = set()
    story.turn()
    assert not story.evicted


def test_a_share_is_not_filled_up_while_some_of_it_are_away() -> None:
    """V-06: one that is away comes again with its mark; five of ten stay five of ten."""
    story = UpkeepStory.of(scale_set_spec(replicas=10), 10)
    story.windows = [view(share=50)]
    story.turn()
    story.skip(SCHEDULED)
    story.run(10 * MINUTE)
    assert len(on(story, NEW)) == 5
    assert sum(bool(pod.mark) for pod in story.pods.values()) == 5


def test_one_that_is_away_and_not_wanted_any_more_leaves_no_place_behind() -> None:
    """M-22, M-26: a scale-in gives it up, and then its place."""
    story = opened()
    story.linger = MINUTE
    reached(story, MaintenancePhase.MOVING)
    story.spec = story.spec.model_copy(update={"replicas": 8})
    story.windows = [replace(story.windows[0], suspended=True)]
    story.run(5 * MINUTE)
    assert not story.entries
    assert not story.places
    assert len(story.live) == 8
    assert not story.made


def test_time_without_an_operator_is_no_search_for_a_place() -> None:
    """M-09, M-24: nothing was asked of the scheduler, so no attempt was used up."""
    story = recorded(opened())
    assert [entry.phase for entry in story.entries] == [MaintenancePhase.RECORDED] * 2
    assert not story.places
    story.skip(story.now + 3 * MINUTE)
    story.run(10 * MINUTE)
    (row,) = story.maintenance.iterations
    assert row.aborted == 0
    assert row.completed == 10


def test_a_place_that_was_asked_for_late_has_its_whole_time() -> None:
    """M-26: two minutes from when the scheduler was asked; then the pod is left as it is."""
    story = recorded(opened())
    story.room = 0
    story.skip(story.now + 3 * MINUTE)
    uids = {entry.instance: entry.uid for entry in story.entries}
    story.run(100 * SECOND)
    assert [entry.phase for entry in story.entries] == [MaintenancePhase.RECORDED] * 2
    story.run(2 * MINUTE)
    for name, uid in uids.items():
        assert story.pods[name].uid == uid
        assert "no updated node: 0/2 nodes" in (story.said(name).last_operation_message or "")


@pytest.mark.parametrize(
    "hindrance",
    [
        {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", SCHEDULED + 30 * MINUTE)},
        {"template": None},
    ],
    ids=["a quota", "a template that is refused"],
)
def test_nothing_is_evicted_that_could_not_come_again(hindrance: dict[str, Any]) -> None:
    """M-26: between record and eviction the API server has begun to refuse pods of the set."""
    story = opened()
    story.refusing = set(story.pods)
    reached(story, MaintenancePhase.PLACED)
    if "template" in hindrance:
        bad = replace(story.seen.template, fault=Reason.INVALID_TEMPLATE, fault_message="no")
        hindrance = {"template": bad}
    story.outside |= hindrance
    story.refusing = set()
    story.run(MINUTE)
    assert not story.evicted
    assert story.entries
    good = replace(story.seen.template, model=MODEL, fault=None, fault_message="")
    story.outside = {"template": good}
    story.run(MINUTE)
    assert story.evicted


def test_a_view_that_still_shows_an_evicted_pod_does_not_count_on_it() -> None:
    """Rule 22, X-02: who has heard of the record, and not yet of the pod, takes nobody for it."""
    story = opened()
    story.refusing, story.linger = {"web-6"}, MINUTE
    reached(story, MaintenancePhase.MOVING)
    away = {e.instance: e for e in story.entries if e.phase is MaintenancePhase.MOVING}
    held = next(e for e in story.entries if e.phase is MaintenancePhase.PLACED)
    assert away.keys() == {"web-1"}
    story.change("web-2", protected_from_actions=True)
    fall_sick(story, ["web-2"])
    while story.available > 8:
        story.run(SECOND, SECOND)
    story.refusing = set()
    story.turn()
    assert len(story.evicted) == 1
    behind = replace(story.observe(), windows=tuple(replace(v, live=True) for v in story.windows))
    old = replace(story.pods["web-6"], name="web-1", instance_id=1, uid=away["web-1"].uid)
    pods = (*(pod for pod in behind.instances if pod.name != "web-1"), old)
    good = behind.evidence[held.uid]
    behind = replace(
        behind,
        instances=pods,
        evidence={**behind.evidence, old.uid: good},
        places=dict(story.places),
        live_reads=frozenset({held.instance}),
        view_is_fresh=True,
    )
    plan = decide(story.spec, behind, story.now)
    assert plan.record is not Record.NOW
    assert not [act for act in plan.actions if isinstance(act, EvictInstance)]


def test_an_entry_that_ends_early_outlives_every_act_that_may_be_under_way() -> None:
    """M-26: another operator may be about to hold its place, which nobody would give up."""
    story = recorded(opened())
    late = {entry.placeholder for entry in story.entries}
    story.windows = [replace(story.windows[0], suspended=True)]
    story.run(2 * SECOND, SECOND)
    assert story.entries
    for name in late:
        assert name is not None
        story.places[name] = Place(name=name, uid=f"uid-{name}", since=story.now, node=NEW)
    story.run(CANCEL_AFTER + 5 * SECOND, SECOND)
    assert not story.entries
    assert not story.places
