"""Rotation on the real thing: load that is shed, and instances that are being deleted.

One set under two probes, with repairs on and without grace; the tests look at what was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.audit import AuditLog
from tests.integration.waiting import eventually, throughout
from tests.integration.world import (
    HEALTHY,
    IN_ROTATION,
    TIMEOUT_S,
    VERDICT_S,
    names_of,
    new_world,
    uids_of,
    word,
)
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import Json, World

SIZE: Final = 20
PATCH: Final = "pods/status"
STUCK: Final = "localcluster/stuck-terminating"
pytestmark = pytest.mark.timeout(180)


@dataclass(kw_only=True)
class Shift:
    """What was seen.

    Attributes:
        busy: those that shed load; `busy_after` as they then were.
        probes: status of each probe while they shed.
        leaving: the pods that were deleted by a person and by a scale-in, once out of rotation.
        leaving_writes: how often each was patched after its deletion.
    """

    before: list[Json] = field(default_factory=list)
    busy: list[Json] = field(default_factory=list)
    busy_after: list[Json] = field(default_factory=list)
    status: Json = field(default_factory=dict)
    probes: dict[str, Json] = field(default_factory=dict)
    decisions: dict[str, Json] = field(default_factory=dict)
    returned: list[Json] = field(default_factory=list)
    leaving: list[Json] = field(default_factory=list)
    leaving_writes: dict[str, int] = field(default_factory=dict)


def pods_by_rotation(world: World, rotation: str) -> list[Json]:
    return [p for p in world.pods("busy") if word(p, IN_ROTATION).status == rotation]


@pytest.fixture(scope="module")
def shift(operator: OperatorProcess) -> Iterator[Shift]:
    """Five shed load and take it again; two are deleted and get stuck."""
    with new_world(operator.cluster, "shift") as world:
        audit = AuditLog(operator.cluster.audit_log)
        world.probe("web-lb", path="/lb")
        world.scale_set(
            "busy",
            SIZE,
            repairs={"gracePeriod": "PT0S"},
            rotationProbeRef={"name": "web-lb"},
        )
        world.await_ready("busy")
        seen = Shift(before=world.pods("busy"))
        shed(world, seen)
        leave(world, seen, audit)
        yield seen
        stick(world, seen.leaving, None)


def stick(world: World, pods: list[Json], mark: str | None) -> None:
    """Have the kubelets keep these pods when they are deleted, or let them go."""
    for pod in pods:
        path = path_of("Pod", world.namespace, pod["metadata"]["name"])
        world.api.merge(path, {"metadata": {"labels": {STUCK: mark}}})


def shed(world: World, seen: Shift) -> None:
    """Five answer 503 to the probe of rotation, for longer than any repair would wait."""
    seen.busy = seen.before[:5]
    world.endpoints.tell(seen.busy, "ok lb:503")
    eventually(
        lambda: uids_of(pods_by_rotation(world, "False")) == uids_of(seen.busy),
        "five are out of rotation",
        seconds=VERDICT_S,
        told=lambda: world.told("busy"),
    )
    throughout(1.5 * TIMEOUT_S, lambda: None)
    seen.status = world.await_status(
        "busy", lambda s: s.get("rotation", {}).get("outOfRotation") == 5, "status counts them"
    )
    seen.busy_after = pods_by_rotation(world, "False")
    seen.decisions = world.decisions("busy")
    for name in ("web-http", "web-lb"):
        seen.probes[name] = world.await_status(
            name, lambda s: s.get("scaleSets") == 1, "the probe shows its user", kind="HealthProbe"
        )
    world.endpoints.heal(seen.busy)
    world.await_ready("busy")
    seen.returned = world.pods("busy")


def leave(world: World, seen: Shift, audit: AuditLog) -> None:
    """A person deletes two in rotation that go on answering 200; their end takes its time."""
    victims = seen.before[-2:]
    stick(world, victims, "true")
    audit.mark()
    for pod in victims:
        world.delete("Pod", pod["metadata"]["name"])

    def out() -> list[Json]:
        there = [p for p in world.everything_of("busy") if p["metadata"].get("deletionTimestamp")]
        done = [p for p in there if word(p, IN_ROTATION).status == "False"]
        return done if uids_of(done) == uids_of(victims) else []

    seen.leaving = eventually(out, "both are out of rotation", seconds=10)
    throughout(TIMEOUT_S, lambda: None)
    patched = [r.name for r in audit.writes(PATCH) if r.namespace == world.namespace]
    seen.leaving_writes = {name: patched.count(name) for name in names_of(victims)}


def test_those_that_shed_load_leave_rotation_and_are_never_repaired(shift: Shift) -> None:
    """P-29, P-17: 503 on /lb, 200 on /healthz, repairs on without grace."""
    assert uids_of(shift.busy_after) == uids_of(shift.busy)
    for pod in shift.busy_after:
        assert word(pod, IN_ROTATION)[:2] == ("False", "WrongStatus")
        assert word(pod, HEALTHY)[:2] == ("True", "Answering")
        assert word(pod, "Ready").status == "False"
    assert shift.decisions == {}
    assert shift.status["unhealthyReplicas"] == 0
    assert shift.status["rotation"] == {"inRotation": 15, "outOfRotation": 5, "unknown": 0}


def test_both_probes_show_the_set(shift: Shift) -> None:
    """P-22, P-29."""
    assert {name: status["scaleSets"] for name, status in shift.probes.items()} == {
        "web-http": 1,
        "web-lb": 1,
    }
    assert shift.probes["web-http"]["healthyInstances"] == SIZE


def test_the_first_success_brings_them_back(shift: Shift) -> None:
    """P-16: the very same pods."""
    assert uids_of(shift.returned) == uids_of(shift.before)
    assert all(word(pod, IN_ROTATION).status == "True" for pod in shift.returned)


def test_what_is_being_deleted_leaves_rotation_at_once_by_one_write(shift: Shift) -> None:
    """P-20: though it answers 200 to both probes until its end."""
    assert len(shift.leaving) == 2
    for pod in shift.leaving:
        assert word(pod, IN_ROTATION)[:2] == ("False", "Terminating")
        assert word(pod, HEALTHY).status == "True"
    assert set(shift.leaving_writes.values()) == {1}
