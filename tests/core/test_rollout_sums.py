"""One turn of the choice of a rollout: whom it counts, and when it looks again (rule 22)."""

from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN, ScaleInVictim
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance, TemplateView
from scaleset_operator.core.rollout import Rollout, roll_out
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, wrong
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
    seen = a_set(instances=pods, status=status, template=TemplateView(model="m2"), **fields)
    scene = Scene.of(scale_set_spec(replicas=20, upgradePolicy=policy), seen, T0)
    return roll_out(scene, Names.of(seen), scaling or Scaling(), [])


def victims(*numbers: int) -> list[ScaleInVictim]:
    return [ScaleInVictim(name=f"web-{n}", uid=f"uid-web-{n}") for n in numbers]


def going(found: Rollout) -> list[str]:
    return [victim.name for victim in found.taken]


SURGE: Final[dict[str, Any]] = {
    "rolling": {"maxSurge": True},
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
    read = frozenset(pod.name for pod in ill)
    found = turn(*ill, rolling={"maxSurge": True}, bad=wrong(19, 20), live_reads=read)
    assert going(found) == ["web-19", "web-20"]
    assert found.status is not None
    assert len(found.status.surge) == 2
