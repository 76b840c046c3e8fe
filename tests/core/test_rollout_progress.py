"""How far a rollout is, in one reason and one message, and which of its changes are Events."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.rolloutstatus import RolloutStatus, SurgeStep
from scaleset_operator.core.observed import Instance, TemplateView
from scaleset_operator.core.plan import Note
from scaleset_operator.core.rollout_progress import Standing, awaited, rollout_notes, told
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
LATER = T0 + HOUR
NEW: Final = TemplateView(model="m2", images=(("web", "instance:2"),))
OLD: Final = instances(20)
"""Of m1; all of them are well."""
STEP: Final = SurgeStep(instance="web-1", uid="uid-web-1", replacement="web-21", model="m2")


def scene(*pods: Instance, rolling: Any = None, mode: str = "Rolling", **fields: Any) -> Scene:
    policy = {"mode": mode, "rollingUpgradePolicy": rolling or {}}
    spec = scale_set_spec(replicas=20, upgradePolicy=policy)
    values: dict[str, Any] = {"instances": pods or OLD, "template": NEW}
    return Scene.of(spec, a_set(**(values | fields)), T0)


def record(**fields: Any) -> RolloutStatus:
    values: dict[str, Any] = {
        "model": "m2",
        "start_time": T0,
        "reason": "RollingOut",
        "message": "before",
    }
    return RolloutStatus(**(values | fields))


def standing(**fields: Any) -> Standing:
    values: dict[str, Any] = {"behind": OLD, "leaving": 0, "held": 0, "missing": 0}
    values |= {"renewing": (), "objection": "", "pause_until": None}
    return Standing(**(values | fields))


def said(
    scene_: Scene | None = None, record_: RolloutStatus | None = None, **fields: Any
) -> RolloutStatus:
    found = told(scene_ or scene(), record_ or record(), standing(**fields))
    assert found is not None
    return found


# --- Whether there is one ----------------------------------------------------------------------

YOUNG: Final = instance(number=20, model="m2", health=None, started=T0 - SECOND)


@pytest.mark.parametrize(
    ("record_", "change", "pods"),
    [
        (record(), {"behind": OLD[:1]}, OLD),
        (record(surge=(STEP,)), {}, OLD),
        (record(), {"leaving": 1}, OLD),
        (record(), {"missing": 1}, OLD),
        (record(), {"renewing": ("web-1",)}, OLD),
        (record(), {}, (*OLD[:19], YOUNG)),
    ],
)
def test_a_rollout_lasts_as_long_as_anything_of_it_is_under_way(
    record_: RolloutStatus, change: dict[str, Any], pods: tuple[Instance, ...]
) -> None:
    """Instances behind, in steps, leaving, missing, renewed or starting."""
    here = scene(*pods)
    assert told(here, record_, standing(**({"behind": ()} | change))) is not None
    assert told(scene(), record(), standing(behind=())) is None


@pytest.mark.parametrize(
    ("record_", "change", "stands"),
    [
        (record(), {}, False),
        (record(), {"missing": 1}, False),
        (record(surge=(STEP,)), {}, True),
        (record(), {"leaving": 1}, True),
        (record(), {"renewing": ("web-1",)}, True),
    ],
)
def test_mode_manual_is_a_rollout_only_while_it_takes_somebody(
    record_: RolloutStatus, change: dict[str, Any], *, stands: bool
) -> None:
    """What is behind waits for a person."""
    found = told(scene(mode="Manual"), record_, standing(**change))
    assert (found is not None) is stands


def test_those_are_awaited_for_whom_there_is_hope() -> None:
    """Rule 22: neither the Unhealthy, nor what replaces another, nor one under notice."""
    due = T0 + HOUR
    status = ledger(
        entry(9, 3, deleted=T0),
        entry(4, 51, phase="Notified", terminateAt=due.isoformat()),
        last=60,
    )
    pods = (
        instance(number=1),
        instance(number=2, health=None, started=None),
        instance(number=3, health=None, started=None),
        instance(number=4, health=None, started=None, terminate_at=due),
        instance(number=5, health=VMHealth.UNHEALTHY),
    )
    found = awaited(scene(*pods, status=status, bad=wrong(5)))
    assert [pod.name for pod in found] == ["web-2"]


# --- Why it waits ------------------------------------------------------------------------------

HOW_FAR: Final = "0 of 20 on model m2; "
PAUSED: Final[dict[str, Any]] = {"pause_until": LATER}
FAILED: Final[dict[str, Any]] = {"failed_surges": 2, "next_time": LATER}
AGAIN: Final = "2 new instances in a row were not healthy in time; next try at 2026-11-21T09:00:00Z"
SEVEN: Final = tuple(f"web-{n}" for n in range(1, 8))


@pytest.mark.parametrize(
    ("fields", "record_", "reason", "why"),
    [
        ({}, {}, "RollingOut", "at most 4 at once"),
        ({"leaving": 2}, {}, "RollingOut", "2 leaving"),
        ({"leaving": 2, "held": 1}, {}, "RollingOut", "2 leaving, 1 of them held by the floor"),
        ({"missing": 3}, {}, "RollingOut", "3 to be created"),
        ({"renewing": SEVEN[:1]}, {}, "RollingOut", "renewing web-1 in place"),
        (
            {"renewing": SEVEN[:5]},
            {},
            "RollingOut",
            "renewing web-1, web-2, web-3, web-4, web-5 in place",
        ),
        (
            {"renewing": SEVEN},
            {},
            "RollingOut",
            "renewing web-1, web-2, web-3, web-4, web-5 and 2 more in place",
        ),
        ({"leaving": 1} | PAUSED, {}, "RollingOut", "1 leaving"),
        (PAUSED, {}, "RolloutPaused", "paused until 2026-11-21T09:00:00Z"),
        ({"pause_until": T0}, {}, "RollingOut", "at most 4 at once"),
        (PAUSED | {"objection": "x"}, {}, "RolloutPaused", "paused until 2026-11-21T09:00:00Z"),
        ({"objection": "too many are ill"}, {}, "RolloutStopped", "too many are ill"),
        ({"objection": "too many are ill"}, FAILED, "RolloutStopped", "too many are ill"),
        ({}, FAILED, "RolloutStopped", AGAIN),
        ({}, FAILED | {"next_time": T0}, "RollingOut", "at most 4 at once"),
        ({}, {"surge": (STEP,)}, "RollingOut", "waiting for web-21"),
    ],
)
def test_of_all_that_it_waits_for_the_first_is_told(
    fields: dict[str, Any], record_: dict[str, Any], reason: str, why: str
) -> None:
    """X-11: one stable reason, in the order in which it is waited for."""
    found = said(record_=record(**record_), **fields)
    assert (found.reason, found.message) == (reason, HOW_FAR + why)


@pytest.mark.parametrize(
    ("fields", "reason", "why"),
    [
        ({"overlaps_with": "older"}, "SelectorOverlap", "overlaps older"),
        (
            {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", LATER)},
            "CreateForbidden",
            "quota",
        ),
        (
            {
                "template": TemplateView(
                    model="m2", fault=Reason.INVALID_TEMPLATE, fault_message="no such field"
                )
            },
            "InvalidTemplate",
            "no such field",
        ),
    ],
)
def test_what_keeps_the_latest_model_from_being_made_comes_first(
    fields: dict[str, Any], reason: str, why: str
) -> None:
    """X-11: whatever else is under way."""
    found = said(scene(**fields), leaving=2, objection="x", **PAUSED)
    assert (found.reason, found.message) == (reason, HOW_FAR + why)


@pytest.mark.parametrize(("ill", "stopped"), [(3, False), (4, True), (5, True)])
def test_at_the_floor_nobody_more_may_be_taken(ill: int, *, stopped: bool) -> None:
    """Rule 22: of twenty sixteen; where that many are left, the rollout has stopped."""
    numbers = range(1, ill + 1)
    here = scene(*instances(20, unhealthy=numbers), bad=wrong(*numbers))
    found = said(here)
    assert (found.reason == "RolloutStopped") is stopped
    held = f"{20 - ill} are available and the floor is 16: no further one may be taken"
    assert not stopped or found.message == HOW_FAR + held


def test_starting_instances_are_named_in_order_and_the_renewed_once() -> None:
    """X-11."""
    young = [instance(number=n, model="m2", health=None, started=None) for n in (3, 2)]
    found = said(scene(*OLD[3:], *young), renewing=("web-2",))
    assert found.message == "2 of 20 on model m2; renewing web-2 in place, waiting for web-3"


def test_how_far_it_is_names_the_revision_and_why_instances_are_replaced() -> None:
    """X-11: the commonest of the whys."""
    assert said().revision is None
    images = {"inPlaceIfPossible": True}
    never = instance(number=1, model="m1", started=None, health=None)
    here = scene(never, *OLD[1:], rolling=images, revisions={"m2": 7, "m1": 6})
    found = said(here, behind=(never, *OLD[1:3]), leaving=1)
    assert found.revision == 7
    assert found.message.startswith(
        "0 of 20 on model m2, revision 7 (3 are replaced: the models differ in more than images); "
    )
    alone = said(here, behind=OLD[:1], leaving=1)
    assert "(1 is replaced: " in alone.message
    assert "replaced" not in said(here, behind=(), leaving=1).message


def test_a_message_is_bounded() -> None:
    """X-11: 256 characters, as every cause in the status."""
    assert len(said(objection="x" * 300).message) == 256


@pytest.mark.parametrize(
    ("record_", "fields", "expected"),
    [
        ({}, {}, None),
        ({}, PAUSED, LATER),
        ({"next_time": T0 + 2 * HOUR}, PAUSED, LATER),
        ({"next_time": LATER}, {}, None),
        (FAILED, {}, LATER),
        (FAILED | {"next_time": T0 + 2 * HOUR}, PAUSED, T0 + 2 * HOUR),
        (FAILED, {"pause_until": T0 + 2 * HOUR}, T0 + 2 * HOUR),
        ({}, PAUSED | {"leaving": 1}, None),
    ],
)
def test_when_time_alone_lets_it_go_on_is_told_while_that_is_what_it_waits_for(
    record_: dict[str, Any], fields: dict[str, Any], expected: Any
) -> None:
    """X-11: the end of the pause, or of the wait after a failure; the later of both."""
    assert said(record_=record(**record_), **fields).next_time == expected


# --- Events ------------------------------------------------------------------------------------


def note(reason: str, message: str, *, warning: bool = False) -> Note:
    return Note(reason=reason, message=message, warning=warning)


BEGUN: Final = record(batch_time=T0)
STOPPED: Final = record(batch_time=T0, reason="RolloutStopped", message="too many are ill")
STARTED: Final = note("RolloutStarted", "before")
ALL_NEW: Final = instances(20, model="m2")


@pytest.mark.parametrize(
    ("before", "after", "pods", "expected"),
    [
        (None, None, ALL_NEW, []),
        (None, record(), OLD, []),
        (None, BEGUN, OLD, [STARTED]),
        (record(), BEGUN, OLD, [STARTED]),
        (BEGUN, BEGUN, OLD, []),
        (record(model="m3", batch_time=T0), BEGUN, OLD, [STARTED]),
        (BEGUN, STOPPED, OLD, [note("RolloutStopped", "too many are ill", warning=True)]),
        (STOPPED, STOPPED, OLD, []),
        (STOPPED, BEGUN, OLD, []),
        (
            None,
            record(reason="RolloutStopped", message="too many are ill"),
            OLD,
            [note("RolloutStopped", "too many are ill", warning=True)],
        ),
        (BEGUN, None, ALL_NEW, [note("RolloutCompleted", "every instance is on model m2")]),
        (BEGUN, None, (*ALL_NEW[:19], OLD[19]), []),
        (record(model="m3"), None, ALL_NEW, []),
    ],
)
def test_an_event_tells_of_a_rollout_that_takes_its_first_stops_or_ends(
    before: RolloutStatus | None, after: RolloutStatus | None, pods: Any, expected: list[Note]
) -> None:
    """X-11, G8: each once; a set that is given up half-way has completed nothing."""
    assert list(rollout_notes(scene(*pods), before, after)) == expected
