"""A MaintenanceWindow on a real API server: told about by a live operator, as previewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.manifests import WINDOW, manifest
from tests.api.refused_others import recurring
from tests.integration.test_plugin_acts import Plugin
from tests.integration.waiting import eventually, throughout
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from tests.integration.world import World

NAME = "patch"


@pytest.fixture
def plugin(world: World) -> Plugin:
    return Plugin(world)


def window_of(world: World, name: str = NAME) -> dict[str, Any]:
    return world.api.get(path_of(WINDOW, world.namespace, name))


def condition(world: World, kind: str, name: str = NAME) -> dict[str, Any]:
    rows = window_of(world, name).get("status", {}).get("conditions", ())
    return next((row for row in rows if row["type"] == kind), {})


def create(world: World, name: str = NAME, *, urgent: bool = False, **changes: Any) -> None:
    body = manifest(WINDOW, name=name, changes=recurring(**changes) | {"spec.urgent": urgent})
    world.api.create(path_of(WINDOW, world.namespace), body)


def test_a_window_is_told_about_as_it_was_previewed(world: World, plugin: Plugin) -> None:
    """M-23, V-08: the same starts from the file's calendar and from the operator."""
    create(world, schedule="30 2 * * SUN", blackoutDates=["2030-01-06"], urgent=True)
    assert eventually(lambda: condition(world, "Accepted"), "Accepted")["status"] == "True"
    status = window_of(world)["status"]
    previewed = plugin.data("maintenance", "preview", NAME)["items"]
    told = [status["maintenanceWindowStartTime"], *status["upcoming"]]
    assert told[:5] == [item["scheduled"]["startTime"] for item in previewed]
    assert len(status["upcoming"]) == 5
    assert status["observedGeneration"] == 1
    announced = condition(world, "Announced")
    assert (announced["status"], announced["reason"]) == ("True", "Announced")
    ready = condition(world, "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Valid")
    (listed,) = plugin.data("maintenance", "list")["items"]
    assert (listed["ready"], listed["scheduled"]) == ("Valid", previewed[0]["scheduled"])
    version = window_of(world)["metadata"]["resourceVersion"]

    def nothing_is_written() -> None:
        assert window_of(world)["metadata"]["resourceVersion"] == version

    throughout(3, nothing_is_written)


def test_a_schedule_that_cannot_be_used_is_told_and_can_be_mended(
    world: World, plugin: Plugin
) -> None:
    """M-23: what CEL cannot see fails closed, with field, value and what is allowed."""
    create(world, schedule="0 25 * * *")
    accepted = eventually(lambda: condition(world, "Accepted"), "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "InvalidSchedule")
    assert accepted["message"].startswith("spec.recurring.schedule is '0 25 * * *': bad hour")
    assert accepted["message"] in plugin.refused("maintenance", "preview", NAME)
    path = path_of(WINDOW, world.namespace, NAME)
    world.api.merge(path, {"spec": {"recurring": {"schedule": "0 2 * * *"}}})
    eventually(lambda: condition(world, "Accepted")["status"] == "True", "it is mended")
    assert window_of(world)["status"]["observedGeneration"] == 2
    world.api.delete(path)


def test_two_windows_are_a_pair_once_each_names_the_other(world: World) -> None:
    """M-18: the first is refused until the second is there, and again when that one goes."""

    def reason(name: str) -> str | None:
        return condition(world, "Accepted", name).get("reason")

    create(world, "east")
    create(world, "west")
    eventually(lambda: reason("east") == reason("west") == "Valid", "each by itself")
    east, west = (path_of(WINDOW, world.namespace, name) for name in ("east", "west"))
    world.api.merge(east, {"spec": {"pairedWith": {"name": "west"}}})
    eventually(lambda: reason("east") == "InvalidPair", "one-sided")
    assert reason("west") == "Valid"
    world.api.merge(west, {"spec": {"pairedWith": {"name": "east"}}})
    eventually(lambda: reason("east") == reason("west") == "Valid", "a pair")
    world.api.delete(west)
    eventually(lambda: reason("east") == "InvalidPair", "alone again")
    assert "no such window can be seen" in condition(world, "Accepted", "east")["message"]
