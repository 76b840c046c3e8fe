"""Instances whose containers never come up: an image that cannot be pulled, a program that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.sets import uids_of
from tests.integration.waiting import eventually
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.kind.world import KindWorld

NO_IMAGE: Final = "127.0.0.1:9/nothing:1"
TOLD_S: Final = 90.0
REPAIRS: Final = {"gracePeriod": "PT0S", "suspendAfterFailedRepairs": 1}


def test_an_image_that_cannot_be_pulled_is_no_case_for_repair(world: KindWorld) -> None:
    """R-10, R-58: each says that it never started; a template that can be pulled cures all."""
    world.scale_set("web", 3, template=world.template("web", image=NO_IMAGE), repairs=REPAIRS)
    eventually(lambda: len(world.pods("web")) == 3, "three are there")
    first = world.pods("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        for pod in first:
            world.await_reason("web", pod, "NeverStarted", seconds=TOLD_S)
        assert uids_of(world.pods("web")) == uids_of(first)
        world.change("web", template=world.template("web"))
        world.await_ready("web", seconds=TOLD_S)
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []


def test_a_program_that_keeps_ending_is_told_and_cured_by_a_good_template(world: KindWorld) -> None:
    """R-58: never more than one repair at a time, and a good template cures all."""
    broken = world.template("web", args=["no-port"])
    world.scale_set("web", 3, template=broken, repairs=REPAIRS)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.await_status("web", lambda s: s.get("replicas") == 3, "three are there")
        world.await_word("web", "InstancesHealthy", "False", "InstancesUnhealthy")
        world.change("web", template=world.template("web"))
        world.await_ready("web", seconds=TOLD_S)
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight <= 1
