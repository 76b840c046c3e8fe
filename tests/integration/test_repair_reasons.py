"""Why an unhealthy instance is not repaired: one reason each, and what opens the gate.

All the sets break at one moment and each test looks at its own, so that their waiting overlaps.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.waiting import eventually, throughout
from tests.integration.world import PREFIX, moment, names_of, new_world, uids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import Json, World

AT_ONCE: Final = {"gracePeriod": "PT0S"}
SETS: Final[dict[str, dict[str, Any]]] = {
    "protected": {"repairs": AT_ONCE},
    "suspended": {"repairs": AT_ONCE | {"serviceState": "Suspended"}},
    "observed": {"repairs": AT_ONCE | {"mode": "Observe"}},
    "disabled": {"repairs": AT_ONCE | {"enabled": False}},
    "graced": {"repairs": {"gracePeriod": "PT1H"}},
    "lapsing": {"repairs": AT_ONCE},
}
REASONS: Final = {
    "protected": ("InstanceProtected", "Skipped"),
    "suspended": ("SuspendedByUser", "Deferred"),
    "observed": ("ObserveMode", "Skipped"),
    "disabled": ("Disabled", "Skipped"),
    "graced": ("InGracePeriod", "Deferred"),
    "lapsing": ("SuspendedByUser", "Deferred"),
}


class Scene:
    """The sets after they broke.

    Attributes:
        sick: in each, the first two of four instances.
        told: what status said of these, once each had its reason; before any gate was opened.
        kept: how many of them were still there then.
    """

    def __init__(self, world: World, sick: dict[str, list[Json]]) -> None:
        self.world = world
        self.sick = sick
        self.told = {
            name: [world.await_reason(name, pod, reason) for pod in sick[name]]
            for name, (reason, _) in REASONS.items()
        }
        self.kept = {name: len(uids_of(world.pods(name)) & uids_of(sick[name])) for name in REASONS}

    def are_gone(self, name: str, pods: list[Json]) -> bool:
        return not uids_of(self.world.pods(name)) & uids_of(pods)


def in_so_long(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture(scope="module")
def scene(operator: OperatorProcess) -> Iterator[Scene]:
    """Two of four instances of each set answer 500."""
    with new_world(operator.cluster, "reasons") as world:
        for name, fields in SETS.items():
            world.scale_set(name, 4, **fields)
        world.await_ready(*SETS)
        sick = {name: world.pods(name)[:2] for name in SETS}
        first, second = sick["protected"]
        world.label(first, __protect_from_scale_in="true")
        world.label(second, __protect_from_scale_set_actions="true")
        mark = {"repairs_suspended_until": in_so_long(3600)}
        world.annotate("lapsing", **mark, repairs_suspended_reason="migration")
        eventually(lambda: world.status("protected")["protectedReplicas"] == 2, "two are protected")
        world.await_word("lapsing", "RepairsAllowed", "False", "SuspendedByUser")
        for pods in sick.values():
            world.endpoints.tell(pods, "status:500")
        yield Scene(world, sick)


@pytest.mark.parametrize("name", REASONS)
def test_each_unhealthy_instance_that_waits_has_its_reason(scene: Scene, name: str) -> None:
    """R-09, R-32, R-37, R-39, R-47, R-48, X-11: health is shown all the same, and nothing is
    deleted."""
    rows = scene.told[name]
    assert {row["vmHealth"] for row in rows} == {"Unhealthy"}
    assert {(row["reason"], row["repairDecision"]) for row in rows} == {REASONS[name]}
    assert all(row.get("sinceTime") for row in rows)
    assert scene.kept[name] == 2


def test_a_protected_instance_is_repaired_once_it_is_released(scene: Scene) -> None:
    """R-47, R-49, R-50: either flag holds; a person may delete it, and its successor has none."""
    world, (first, second) = scene.world, scene.sick["protected"]
    world.kubectl("delete", "pod", first["metadata"]["name"], "--wait=false")
    world.label(second, __protect_from_scale_set_actions=None)
    eventually(lambda: scene.are_gone("protected", [first, second]), "both are gone")
    world.await_ready("protected")
    flags = {f"{PREFIX}protect-from-scale-in", f"{PREFIX}protect-from-scale-set-actions"}
    for pod in world.pods("protected"):
        assert not pod["metadata"]["labels"].keys() & flags
    history = world.status("protected")["repairs"]["history"]
    assert [record["instance"] for record in history] == names_of([second])


def test_a_suspension_by_the_owner_ends_with_its_word(scene: Scene) -> None:
    """R-37, R-38, R-39, R-46: Suspended by User in status; Running in the spec ends it."""
    world, sick = scene.world, scene.sick["suspended"]
    (service,) = world.status("suspended")["orchestrationServices"]
    assert service["serviceName"] == "AutomaticRepairs"
    assert (service["serviceState"], service["suspendedBy"]) == ("Suspended", "User")
    world.change("suspended", automaticRepairsPolicy={"serviceState": "Running"})
    eventually(lambda: scene.are_gone("suspended", sick), "both are repaired")
    world.await_ready("suspended")
    (service,) = world.status("suspended")["orchestrationServices"]
    assert service["serviceState"] == "Running"
    assert "suspendedBy" not in service
    assert "RepairsResumed" in world.events("suspended")


def test_a_suspension_until_a_time_lapses_by_itself(scene: Scene) -> None:
    """R-33, R-37, R-39, R-46: who, until when and why; no event is needed when its time has come;
    then a value that is no time is answered and holds nothing up."""
    world, sick = scene.world, scene.sick["lapsing"]
    (service,) = world.status("lapsing")["orchestrationServices"]
    assert (service["serviceState"], service["suspendedBy"]) == ("Suspended", "User")
    assert (service["message"], "untilTime" in service) == ("migration", True)
    world.annotate("lapsing", repairs_suspended_until=in_so_long(5))
    eventually(lambda: scene.are_gone("lapsing", sick), "both are repaired")
    world.await_ready("lapsing")
    world.annotate("lapsing", repairs_suspended_until="tomorrow")
    refused = eventually(lambda: world.events("lapsing").get("RequestRefused"), "it is answered")
    assert "'tomorrow'" in refused
    (service,) = world.status("lapsing")["orchestrationServices"]
    assert (service["serviceState"], service["message"]) == ("Running", refused)


def test_enabling_repairs_gives_everyone_a_grace_from_then(scene: Scene) -> None:
    """R-07, R-36, R-37: NotRunning while they are off; on, the sick wait for their grace."""
    world, sick = scene.world, scene.sick["disabled"]
    (service,) = world.status("disabled")["orchestrationServices"]
    assert service["serviceState"] == "NotRunning"
    world.change("disabled", automaticRepairsPolicy={"enabled": True, "gracePeriod": "PT8S"})
    status = world.await_status(
        "disabled",
        lambda s: all("eligibleTime" in row for row in s["unhealthyInstances"]),
        "in grace, with its end",
    )
    row = status["unhealthyInstances"][0]
    assert row["reason"] == "InGracePeriod"
    enabled = moment(status["repairs"]["enabledTime"])
    assert (moment(row["eligibleTime"]) - enabled).total_seconds() == pytest.approx(8, abs=1)
    eventually(lambda: scene.are_gone("disabled", sick), "both are repaired")
    world.await_ready("disabled")


def test_observing_decides_and_touches_nothing_until_it_may_act(scene: Scene) -> None:
    """X-11: nothing is deleted in mode Observe, and everything in mode Act."""
    world, sick = scene.world, scene.sick["observed"]

    def nothing_is_touched() -> None:
        assert uids_of(sick) <= uids_of(world.pods("observed"))

    throughout(4, nothing_is_touched)
    world.change("observed", automaticRepairsPolicy={"mode": "Act"})
    eventually(lambda: scene.are_gone("observed", sick), "both are repaired")
    world.await_ready("observed")


def test_a_shorter_grace_counts_from_the_same_start(scene: Scene) -> None:
    """R-35, R-27: with a grace that has long passed since the start, repair follows at once."""
    world, sick = scene.world, scene.sick["graced"]
    world.change("graced", automaticRepairsPolicy={"gracePeriod": "PT1S"})
    eventually(lambda: scene.are_gone("graced", sick), "both are repaired")
    world.await_ready("graced")
