"""Instances moved in a rehearsal, and such a run recorded and replayed (X-12)."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api import base
from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from tests.rehearsal.moving import UPDATED, moving, on_updated
from tests.rehearsal.recorded_runs import difference, recorded
from tests.rehearsal.runs import KEY, acts

DONE = "MaintenanceCompleted"


def at(run: Rehearsal, minutes: float, act: Callable[[], object]) -> None:
    """Have something happen at a moment of the rehearsal."""

    def do() -> None:
        act()

    run.clock.after(timedelta(minutes=minutes), do)


def ask(run: Rehearsal, name: str) -> None:
    """The instance's owner asks for its maintenance."""
    pod = run.server.pod(KEY.namespace, name)
    marks = {**pod.annotations, base.ANNOTATION_PERFORM_MAINTENANCE: "patch"}
    run.server.change_pod(pod, annotations=marks)


async def whole(run: Rehearsal) -> list[str]:
    """Twenty minutes of it, recorded."""
    lines = recorded(run)
    await run.run(timedelta(minutes=20))
    return lines


async def test_every_instance_comes_again_under_its_name_on_the_updated_node() -> None:
    """M-26, V-21: and nothing is left of the places that were held."""
    run = moving()
    before = {pod.name for pod in run.instances()}
    await run.run(timedelta(minutes=20))
    assert len(on_updated(run)) == 6
    assert [how for _, how in acts(run, ActKind.MOVED)] == [DONE] * 6
    assert len(run.server.pods(KEY.namespace)) == 6
    assert before <= set(on_updated(run))


async def test_a_move_is_a_place_an_eviction_and_a_create_in_this_order() -> None:
    """M-26: nothing is touched before there is a place for it."""
    run = moving()
    await run.run(timedelta(minutes=20))
    of_one = [a.kind for a in run.acts if a.instance == "web-1" and a.at > run.begin + MINUTE]
    moved = [kind for kind in of_one if kind not in (ActKind.PUBLISH, ActKind.MARK)]
    assert moved == ["Move", "Hold", "Evict", "Create", "Moved"]


MINUTE = timedelta(minutes=1)


async def test_without_room_nobody_is_touched() -> None:
    """M-09, V-19: what has no place stays where it is, with its UID."""
    run = moving(room=0)
    await run.run(timedelta(minutes=3))
    before = {pod.name: pod.uid for pod in run.instances()}
    await run.run(timedelta(minutes=20))
    assert {pod.name: pod.uid for pod in run.instances()} == before
    assert acts(run, ActKind.EVICT) == []
    assert {how for _, how in acts(run, ActKind.MOVED)} == {"MaintenanceAborted"}


async def test_a_budget_without_room_keeps_its_instances() -> None:
    """X-02: no eviction is asked for in vain, and nobody leaves rotation for one."""
    run = moving()
    run.disruption.make("all", KEY.namespace, minAvailable=7)
    await run.run(timedelta(minutes=20))
    assert on_updated(run) == []
    assert "RetryLater" in {how for _, how in acts(run, ActKind.MOVED)}
    assert acts(run, ActKind.EVICT) == []
    assert all(pod.ready for pod in run.instances())


def asked(run: Rehearsal) -> None:
    at(run, 3, lambda: ask(run, "web-2"))


def suspended(run: Rehearsal) -> None:
    at(run, 5, lambda: announce_again(run, suspend=True))
    at(run, 9, lambda: announce_again(run, suspend=False))


def announce_again(run: Rehearsal, **changes: Any) -> None:
    spec = run.server.resource("MaintenanceWindow", KEY.namespace, "patch")["spec"]
    run.server.apply("MaintenanceWindow", KEY.namespace, "patch", {**spec, **changes})


def dropped(run: Rehearsal) -> None:
    drop = run.server.delete_resource
    at(run, 5, lambda: drop("MaintenanceWindow", KEY.namespace, "patch"))


def guarded(run: Rehearsal) -> None:
    run.disruption.make("all", KEY.namespace, minAvailable=7)
    at(run, 8, lambda: run.disruption.make("all", KEY.namespace, minAvailable=4))


def labelled(run: Rehearsal) -> None:
    def change() -> None:
        pod = run.server.pod(KEY.namespace, "web-3")
        labels = {**pod.labels, "team": "shop", base.LABEL_PROTECT_FROM_SCALE_IN: "true"}
        run.server.change_pod(pod, labels=labels)

    at(run, 3, change)


def removed(run: Rehearsal) -> None:
    at(run, 4.05, lambda: run.server.delete_pod(KEY.namespace, "web-4"))


STORIES: dict[str, Callable[[Rehearsal], None]] = {
    "as announced": lambda _: None,
    "an owner asks": asked,
    "suspended for a while": suspended,
    "its window is deleted": dropped,
    "a budget without room": guarded,
    "labels of people": labelled,
    "somebody deletes one": removed,
}


@pytest.mark.parametrize("story", STORIES)
async def test_a_replay_moves_what_was_moved(story: str) -> None:
    """X-12: windows, nodes and places are inputs like any other."""
    run = moving()
    STORIES[story](run)
    lines = await whole(run)
    kinds = Counter(act.kind for act in run.acts)
    assert kinds[ActKind.MOVE] > 0
    assert await difference(lines) is None


async def test_a_replay_finds_no_place_where_none_was_found() -> None:
    """X-12."""
    lines = await whole(moving(room=2))
    assert await difference(lines) is None


async def test_another_window_shows_as_the_first_act_that_differs() -> None:
    """X-12: the comparison can fail."""
    rows = [json.loads(line) for line in await whole(moving())]
    for row in rows:
        if row["is"] == "window":
            row["value"]["spec"]["suspend"] = True
    found = await difference([json.dumps(row) + "\n" for row in rows])
    assert found is not None
    assert found.recorded is not None
    assert found.recorded.kind is ActKind.MARK
    assert found.recorded.what.endswith(", allowed")


async def test_nodes_that_were_labelled_otherwise_show() -> None:
    """X-12: what is on an updated node needs no move."""
    rows = [json.loads(line) for line in await whole(moving())]
    for row in rows:
        if row["is"] == "labels":
            row["value"] = dict.fromkeys(("node-1", "node-2", "node-3"), UPDATED)
    found = await difference([json.dumps(row) + "\n" for row in rows])
    assert found is not None
