"""One turn of the choice of a rollout: whom it counts, and when it looks again (rule 22)."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.rolloutstatus import MAX_SURGE
from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN, ScaleInVictim
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance, TemplateView
from scaleset_operator.core.rollout import Rollout, roll_out
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE: Final = timedelta(minutes=1)
OLD: Final = instances(20)
GOOD: Final = instance(number=21, model="m2")
YOUNG: Final = instance(number=21, model="m2", health=None, started=None, created=T0 - MINUTE)


def step(number: int, replacement: int) -> dict[str, Any]:
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "replacement": f"web-{replacement}",
        "updateDomain": 0,
        "model": "m2",
    }


def turn(*pods: Instance, scaling: Scaling | None = None, **fields: Any) -> Rollout:
    """What is chosen of twenty on m1, four at once, while the latest model is m2."""
    rolling = fields.pop("rolling", {})
    rollout = {"model": "m2", "startTime": T0.isoformat(), "reason": "RollingOut"}
    record = rollout | fields.pop("record", {})
    status = {"rollout": record, "lastInstanceId": 40} | fields.pop("status", {})
    policy = {"mode": fields.pop("mode", "Rolling"), "rollingUpgradePolicy": rolling}
    wish = scale_set_spec(replicas=fields.pop("replicas", 20), upgradePolicy=policy)
    template = fields.pop("template", TemplateView(model="m2"))
    seen = a_set(instances=pods, status=status, template=template, **fields)
    scene = Scene.of(wish, seen, T0)
    return roll_out(scene, Names.of(seen), scaling or Scaling(), [])


def victims(*numbers: int) -> list[ScaleInVictim]:
    return [ScaleInVictim(name=f"web-{n}", uid=f"uid-web-{n}") for n in numbers]


def going(found: Rollout) -> list[str]:
    return [victim.name for victim in found.taken]


NEW_FIRST: Final[dict[str, Any]] = {"maxSurge": True}
READ: Final = frozenset(f"web-{n}" for n in range(1, MAX_SURGE + 11))
SURGE: Final[dict[str, Any]] = {
    "rolling": NEW_FIRST,
    "record": {"surge": [step(1, 21)]},
}


def test_who_leaves_anyway_is_none_that_the_floor_can_spare() -> None:
    """Protocol rule 22: with sixteen as the floor, twenty-one of which five go spare nobody."""
    kept = turn(*OLD, GOOD, scaling=Scaling(removing=victims(16, 17, 18, 19, 20)), **SURGE)
    assert "web-1" not in going(kept)
    gone = turn(*OLD, GOOD, scaling=Scaling(removing=victims(17, 18, 19, 20)), **SURGE)
    assert going(gone) == ["web-1"]


def test_the_rollout_looks_again_when_a_successor_is_out_of_time() -> None:
    """R-57: whatever else it waits for."""
    assert T0 + 29 * MINUTE in turn(*OLD, YOUNG, **SURGE).again


def test_a_success_ends_the_wait_after_failures_at_once() -> None:
    """R-57: the next ones begin, and nothing says that it is stopped."""
    failed = {"failedSurges": 2, "nextTime": (T0 + 10 * MINUTE).isoformat()}
    record = {"surge": [step(1, 21)], **failed}
    read = frozenset(f"web-{n}" for n in range(1, 21))
    status = turn(*OLD[1:], GOOD, rolling={"maxSurge": True}, record=record, live_reads=read).status
    assert status is not None
    assert (status.failed_surges, status.next_time) == (0, None)
    assert (status.reason, len(status.surge)) == ("RollingOut", 4)


RENEWED: Final = {
    "instance": "web-2",
    "uid": "uid-web-2",
    "model": "m2",
    "fromModel": "m1",
    "startTime": T0.isoformat(),
}


def test_the_record_holds_so_many_and_each_list_of_them_counts() -> None:
    """Protocol rule 24: those that leave, those that a successor follows, those renewed."""
    full = Scaling(removing=victims(*range(101, 100 + MAX_SCALE_IN)))
    assert len(going(turn(*OLD, scaling=full, mode="Automatic"))) == 1
    surging = turn(*OLD, GOOD, scaling=full, mode="Automatic", record=SURGE["record"])
    assert going(surging) == ["web-1"]
    assert not going(turn(*OLD, scaling=full, mode="Automatic", status={"renewals": [RENEWED]}))


def test_those_that_are_lost_take_their_places_of_the_batch() -> None:
    """Protocol rule 22: of four, two are left for successors."""
    ill = instances(20, unhealthy=(19, 20))
    found = turn(*ill, rolling=NEW_FIRST, bad=wrong(19, 20), live_reads=READ)
    assert going(found) == ["web-19", "web-20"]
    assert found.status is not None
    assert len(found.status.surge) == 2
    both = turn(*ill, bad=wrong(19, 20))
    assert going(both) == ["web-19", "web-20", "web-1", "web-6"]


def begun(found: Rollout) -> int:
    """How many steps stand, those that were recorded before included."""
    assert found.status is not None
    return len(found.status.surge)


def test_no_more_successors_stand_than_the_record_holds() -> None:
    """Protocol rule 22: those that are recorded count."""
    many = instances(MAX_SURGE + 10)
    first = many[-1].instance_id + 1
    whole = {"maxSurge": True, "maxBatchInstancePercent": 100}
    wish: dict[str, Any] = {"rolling": whole, "replicas": len(many)}
    found = turn(*many, record={"surge": [step(1, first)]}, live_reads=READ, **wish)
    assert begun(found) == MAX_SURGE


@pytest.mark.parametrize(
    ("record", "steps"),
    [
        ({}, 4),
        ({"failedSurges": 1}, 1),
        ({"failedSurges": 1, "nextTime": T0.isoformat()}, 1),
        ({"failedSurges": 1, "nextTime": (T0 + MINUTE).isoformat()}, 0),
        ({"nextTime": (T0 + MINUTE).isoformat()}, 4),
        ({"failedSurges": 1, "surge": [step(1, 21)]}, 1),
    ],
)
def test_after_a_failure_the_next_successor_comes_alone_once_the_wait_is_over(
    record: dict[str, Any], steps: int
) -> None:
    """R-57: it shows whether more are worth it."""
    assert begun(turn(*OLD, rolling=NEW_FIRST, record=record, live_reads=READ)) == steps


def test_whoever_is_to_be_read_for_a_step_or_for_a_new_one_is_read() -> None:
    """Protocol rule 9: an older one that is not in view, and those that come next."""
    found = turn(*OLD[1:], GOOD, **SURGE)
    assert found.reads == {"web-1", "web-6", "web-11", "web-16"}


COMING: Final = instance(number=22, model="m2", health=None, started=None)


@pytest.mark.parametrize(
    ("more", "fields", "room"),
    [
        ((), {}, 4),
        ((COMING,), {}, 3),
        ((COMING,), {"scaling": Scaling(removing=victims(22))}, 3),
        ((instance(number=22, model="m2"),), {}, 4),
        ((), {"scaling": Scaling(missing=1)}, 3),
        ((), {"scaling": Scaling(missing=4)}, 0),
    ],
)
def test_who_is_under_way_holds_a_place_of_the_batch_and_one_only(
    more: tuple[Instance, ...], fields: dict[str, Any], room: int
) -> None:
    """Protocol rule 22: leaving, missing, or new and not well yet."""
    assert len(going(turn(*OLD, *more, **fields))) == room


def test_a_successor_and_its_step_hold_one_place() -> None:
    """Protocol rule 22."""
    assert begun(turn(*OLD, YOUNG, live_reads=READ, **SURGE)) == 4
    assert begun(turn(*OLD, YOUNG, COMING, live_reads=READ, **SURGE)) == 3


def test_one_under_notice_holds_its_slot_and_no_place_of_the_batch() -> None:
    """X-02, protocol rule 8: its repair makes up for it, though it is well again."""
    due = T0 + MINUTE
    told = instance(number=22, model="m2", terminate_at=due)
    row = entry(22, 23, phase="Notified", terminateAt=due.isoformat())
    status = {"repairs": {"inFlight": [row]}}
    assert len(going(turn(*OLD, told, status=status))) == 4


@pytest.mark.parametrize(
    ("pause", "record", "room"),
    [
        ("PT5M", {}, 3),
        ("PT0S", {"batchTime": T0.isoformat()}, 3),
        ("PT5M", {"batchTime": T0.isoformat()}, 0),
    ],
)
def test_a_pause_follows_a_batch_and_nothing_else(
    pause: str, record: dict[str, Any], room: int
) -> None:
    """R-57: none before the first, and none where none is wanted."""
    rolling = {"pauseTimeBetweenBatches": pause}
    assert len(going(turn(*OLD, COMING, rolling=rolling, record=record))) == room


# --- The pause between batches -----------------------------------------------------------------

PAUSED: Final[dict[str, Any]] = {
    "rolling": {"pauseTimeBetweenBatches": "PT5M"},
    "record": {"batchTime": (T0 - MINUTE).isoformat()},
}
STUCK: Final = instance(number=22, health=None, started=None, protected_from_actions=True)
ILL: Final = instance(number=22, model="m2", health=VMHealth.UNHEALTHY)


@pytest.mark.parametrize(
    ("more", "fields", "healthy"),
    [
        ((), {}, True),
        ((COMING,), {}, False),
        ((STUCK,), {}, True),
        ((), {"scaling": Scaling(missing=1)}, False),
        ((), {"scaling": Scaling(removing=victims(20))}, False),
        ((YOUNG,), {"record": PAUSED["record"] | SURGE["record"]}, False),
        ((), {"status": {"renewals": [RENEWED]}}, False),
    ],
)
def test_the_pause_runs_from_when_nobody_of_the_last_batch_is_waited_for(
    more: tuple[Instance, ...], fields: dict[str, Any], *, healthy: bool
) -> None:
    """R-57: leaving, missing, renewed, in a step, or of the latest model and not well yet."""
    found = turn(*OLD, *more, **(PAUSED | fields)).status
    assert found is not None
    assert found.healthy_time == (T0 if healthy else None)


@pytest.mark.parametrize(
    ("change", "healthy"), [({}, True), ({"record": {}}, False), ({"rolling": {}}, False)]
)
def test_without_a_batch_or_a_pause_nothing_is_kept_of_it(
    change: dict[str, Any], *, healthy: bool
) -> None:
    """R-57: also while the rollout is stopped."""
    found = turn(*OLD, ILL, bad=wrong(22), **(PAUSED | change))
    assert not going(found)
    assert found.status is not None
    assert (found.status.healthy_time is not None) is healthy


def test_the_next_batch_begins_another_pause() -> None:
    """R-57: the moment at which the last one was well is forgotten."""
    before = PAUSED["record"] | {"healthyTime": (T0 - 5 * MINUTE).isoformat()}
    found = turn(*OLD, **(PAUSED | {"record": before}))
    assert found.status is not None
    assert (len(going(found)), found.status.batch_time) == (4, T0)
    assert found.status.healthy_time is None


def test_who_leaves_and_who_is_missing_is_told() -> None:
    """X-11: those that are taken now included."""
    status = turn(*OLD, scaling=Scaling(removing=victims(20), missing=1)).status
    assert status is not None
    assert status.message.endswith("3 leaving, 1 to be created")


def test_while_the_template_is_being_checked_nobody_is_taken_and_nothing_is_stopped() -> None:
    """X-11: no limit is exceeded."""
    found = turn(*OLD, template=TemplateView(model="m2", checked=False))
    assert not going(found)
    assert found.status is not None
    assert found.status.reason == "RollingOut"
