"""One turn of the steps of a surge: what each waits for, and how each ends (protocol rule 22)."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scalesetstatus import ScaleInVictim
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance, TemplateView
from scaleset_operator.core.plan import CreateInstance
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.surge import Surge, advance, wait_after
from tests.core._stories import a_set, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
OLD: Final = instances(20)
GOOD: Final = instance(number=21, model="m2")
YOUNG: Final = instance(number=21, model="m2", health=None, started=None, created=T0 - MINUTE)


def step(number: int = 1, replacement: int = 21, **fields: Any) -> dict[str, Any]:
    """The successor of this instance is recorded."""
    values = {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "replacement": f"web-{replacement}",
        "updateDomain": 3,
        "model": "m2",
    }
    return values | fields


def turn(
    *pods: Instance,
    steps: Any = None,
    spare: int = 4,
    removing: tuple[ScaleInVictim, ...] = (),
    grace: Any = "PT30M",
    **fields: Any,
) -> Surge:
    """What becomes of the steps, by default of one for web-1."""
    rollout = {
        "model": "m2",
        "startTime": T0.isoformat(),
        "reason": "RollingOut",
        "surge": [step()] if steps is None else steps,
    }
    status = {"rollout": rollout, "lastInstanceId": 30}
    template = fields.pop("template", TemplateView(model="m2"))
    seen = a_set(instances=pods, status=status, template=template, **fields)
    spec = scale_set_spec(
        replicas=20,
        grace=grace,
        upgradePolicy={"rollingUpgradePolicy": {"maxSurge": True}},
    )
    scene = Scene.of(spec, seen, T0)
    return advance(scene, Names.of(seen), Scaling(removing=list(removing)), spare)


def victim(number: int, purpose: str) -> ScaleInVictim:
    return ScaleInVictim.model_validate(
        {"name": f"web-{number}", "uid": f"uid-web-{number}", "purpose": purpose}
    )


def going(found: Surge) -> list[str]:
    return [one.name for one in found.leaving]


# --- The older one -----------------------------------------------------------------------------


def test_an_older_one_that_is_not_in_view_is_read_before_its_step_ends() -> None:
    """Protocol rule 9: a cache that is behind looks like one whose pod is gone."""
    unread = turn(*OLD[1:], GOOD)
    assert (unread.reads, unread.done, len(unread.steps)) == ({"web-1"}, 0, 1)
    read = turn(*OLD[1:], GOOD, live_reads=frozenset({"web-1"}))
    assert (read.reads, read.done, read.steps) == (set(), 1, [])
    assert not read.leaving, "the successor has taken its place"


def test_every_step_that_ends_well_is_counted() -> None:
    """Protocol rule 22: gone, on its way, or sent away now."""
    second, fourth = (instance(number=n, terminating=True) for n in (2, 4))
    pods = (OLD[0], second, OLD[2], fourth, *OLD[4:], GOOD)
    steps = [step(2, 22), step(3, 23), step(4, 24), step(1, 21)]
    found = turn(*pods, steps=steps, removing=(victim(3, "Rollout"),))
    assert (found.done, found.failed, found.steps) == (4, 0, [])
    assert going(found) == ["web-1"]


@pytest.mark.parametrize("purpose", ["ScaleIn", "Witness"])
def test_one_that_leaves_for_another_reason_takes_its_successor_with_it(purpose: str) -> None:
    """Protocol rule 24: fewer are wanted, so no successor is."""
    found = turn(*OLD, GOOD, removing=(victim(1, purpose),))
    assert (found.done, going(found)) == (0, ["web-21"])


@pytest.mark.parametrize(
    ("first", "fields"),
    [
        (OLD[0], {"template": TemplateView(model="m3")}),
        (instance(number=1, model="m2"), {}),
        (instance(number=1, protected_from_actions=True), {}),
    ],
    ids=["a newer model", "a way back", "protection"],
)
def test_a_step_that_nobody_wants_any_more_ends_and_its_successor_goes(
    first: Instance, fields: dict[str, Any]
) -> None:
    """R-47, R-58: but for one that is protected itself."""
    found = turn(first, *OLD[1:], GOOD, **fields)
    assert (found.done, found.steps, going(found)) == (0, [], ["web-21"])
    kept = instance(number=21, model="m2", protected_from_actions=True)
    assert not going(turn(first, *OLD[1:], kept, **fields))
    assert not going(turn(first, *OLD[1:], **fields))


# --- The successor -----------------------------------------------------------------------------


def test_a_successor_is_made_under_its_recorded_name() -> None:
    """Protocol rules 3 and 7: recorded by the decision before."""
    found = turn(*OLD)
    assert found.acts == [
        CreateInstance(name="web-21", instance_id=21, update_domain=3, model="m2")
    ]
    assert [one.replacement for one in found.steps] == ["web-21"]


@pytest.mark.parametrize(("left", "made"), [(MINUTE, False), (0 * MINUTE, True)])
def test_while_creates_are_refused_it_waits(left: timedelta, *, made: bool) -> None:
    """Protocol rule 9."""
    found = turn(*OLD, create_refused=(Reason.CREATE_FORBIDDEN, "quota", T0 + left))
    assert (bool(found.acts), found.again) == (made, [] if made else [T0 + MINUTE])
    assert len(found.steps) == 1


@pytest.mark.parametrize(
    ("pods", "fields", "reads"),
    [
        (OLD, {"steps": [step(replacementUID="uid-web-21")]}, {"web-21"}),
        (OLD, {"unusable": frozenset({"web-21"})}, {"web-21"}),
        ((*OLD, instance(number=21, model="m2", terminating=True)), {}, set()),
        ((*OLD, instance(number=21, model="m2", over=True)), {}, set()),
    ],
    ids=["it was there", "its name is taken", "it goes", "it has ended"],
)
def test_a_successor_that_is_lost_is_followed_by_the_next_name(
    pods: Any, fields: dict[str, Any], reads: set[str]
) -> None:
    """Protocol rule 7: read live first, where it cannot be seen."""
    found = turn(*pods, **fields)
    assert found.reads == reads
    after = turn(*pods, live_reads=frozenset(reads), **fields)
    (kept,) = after.steps
    assert (kept.replacement, kept.replacement_uid) == ("web-31", None)
    assert (after.reads, after.acts) == (set(), [])


def test_a_step_knows_the_successor_that_has_come() -> None:
    """Protocol rule 7: by UID; looked at again when its time is over."""
    found = turn(*OLD, YOUNG)
    (kept,) = found.steps
    assert (kept.replacement_uid, found.acts) == ("uid-web-21", [])
    assert found.again == [T0 + 29 * MINUTE]
    started = instance(number=21, model="m2", health=None, started=T0)
    assert turn(*OLD, started).again == [T0 + 30 * MINUTE]
    assert turn(*OLD, started, grace="PT1M").again == [T0 + 10 * MINUTE], "patience at least"


@pytest.mark.parametrize(("spare", "gone"), [(0, []), (1, ["web-1"]), (2, ["web-1", "web-2"])])
def test_older_ones_go_as_the_floor_has_room_once_their_successors_serve(
    spare: int, gone: list[str]
) -> None:
    """Protocol rule 22: each takes one of the spare ones with it."""
    second = instance(number=22, model="m2")
    found = turn(*OLD, GOOD, second, steps=[step(), step(2, 22)], spare=spare)
    assert (going(found), found.done) == (gone, len(gone))
    assert len(found.steps) == 2 - len(gone)


def test_an_older_one_that_is_lost_goes_at_once_and_costs_nothing() -> None:
    """Protocol rule 22: it is not available anyway."""
    pods = (*instances(20, unhealthy=(1,)), YOUNG, instance(number=22, model="m2"))
    found = turn(*pods, steps=[step(), step(2, 22)], spare=1, bad=wrong(1))
    assert (going(found), found.done) == (["web-1", "web-2"], 2)
    held = turn(*pods, steps=[step(), step(2, 22)], spare=0, bad=wrong(1))
    assert going(held) == ["web-1"]


@pytest.mark.parametrize(("age", "failed"), [(30 * MINUTE, 1), (30 * MINUTE - MINUTE, 0)])
def test_a_successor_that_is_not_healthy_in_time_has_failed_and_goes(
    age: timedelta, failed: int
) -> None:
    """R-57: at the very end of its grace."""
    ill = instance(number=21, model="m2", health=VMHealth.UNHEALTHY, started=T0 - age)
    found = turn(*OLD, ill, bad=wrong(21))
    assert (found.failed, found.done) == (failed, 0)
    assert going(found) == ["web-21"] * failed
    assert len(found.steps) == 1 - failed


def test_one_that_is_well_and_only_waits_for_room_never_fails() -> None:
    """Protocol rule 22."""
    old = instance(number=21, model="m2", started=T0 - 60 * MINUTE)
    found = turn(*OLD, old, spare=0)
    assert (found.failed, len(found.steps)) == (0, 1)


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (500, 60)]
)
def test_after_failures_in_a_row_it_waits_twice_as_long_up_to_an_hour(
    failures: int, minutes: int
) -> None:
    assert wait_after(failures) == minutes * MINUTE
