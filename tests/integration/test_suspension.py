"""Repairs that keep failing stop by themselves, and go on when a person says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually, throughout
from tests.integration.world import VERDICT_S, instance_id, template, uids_of

if TYPE_CHECKING:
    from tests.integration.world import Json, World


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def service(world: World) -> Json:
    (found,) = world.status("web")["orchestrationServices"]
    told: Json = found
    return told


@alongside
def test_repairs_that_keep_failing_stop_until_a_person_resumes_them(world: World) -> None:
    """R-40, R-42, R-43, R-44, R-46: one failure in a line is enough here; a new spec resumes
    nothing, nor does an old request; a new one does, and clears the counters."""
    # So that whatever comes new is told to be sick before it is asked.
    slow = template("web", marks={"localcluster/start-delay": "2"})
    repairs = {"gracePeriod": "PT0S", "suspendAfterFailedRepairs": 1}
    world.scale_set("web", 4, template=slow, repairs=repairs)
    world.await_ready("web")
    world.endpoints.tell(world.pods("web")[:1], "status:500")

    def still_failing() -> bool:
        """Whatever comes in its place is as sick as it was."""
        new = [pod for pod in world.pods("web") if instance_id(pod) > 4]
        world.endpoints.tell([pod for pod in new if pod["status"].get("podIP")], "status:500")
        return bool(service(world)["serviceState"] == "Suspended")

    eventually(
        still_failing, "suspended by the platform", seconds=90, told=lambda: world.status("web")
    )
    assert service(world)["reason"] == "SuspendedByPlatform"
    assert service(world)["suspendedBy"] == "Platform"
    told = {"RepairsSuspended", "RepairFailed"}
    eventually(lambda: world.events("web").keys() >= told, "it is told")
    assert "web" in world.events("web")["RepairsSuspended"]
    world.change("web", automaticRepairsPolicy={"serviceState": "Running"}, replicas=5)
    world.annotate("web", repairs_resume_requested_at=ago(600))
    eventually(lambda: "ResumeIgnored" in world.events("web"), "an old request is told off")
    world.await_status("web", lambda s: s["replicas"] == 5, "the set goes on")
    assert_suspended(world)
    world.annotate("web", repairs_resume_requested_at=ago(0))
    eventually(lambda: service(world)["serviceState"] == "Running", "resumed")
    assert world.status("web")["repairs"]["consecutiveFailed"] == 0
    world.await_ready("web", seconds=VERDICT_S + 60)


def assert_suspended(world: World) -> None:
    """The sick one has its reason, and nothing is deleted."""
    eventually(
        lambda: world.reasons("web") == {"SuspendedByPlatform"},
        "one is sick, and that is why it waits",
        told=lambda: world.told("web"),
    )
    before = uids_of(world.pods("web"))

    def nothing_is_deleted() -> None:
        assert before <= uids_of(world.pods("web"))

    throughout(3, nothing_is_deleted)
