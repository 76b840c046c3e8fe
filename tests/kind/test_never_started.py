"""Instances whose containers never come up: an image that cannot be pulled, a program that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.alongside import alongside
from tests.integration.sets import uids_of
from tests.integration.waiting import eventually
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

SIZE: Final = 3
NO_IMAGE: Final = "127.0.0.1:9/nothing:1"
TOLD_S: Final = 120.0
CURED_S: Final = 240.0
"""A rollout takes one of three at a time: each is ended, started and probed before the next."""
REPAIRS: Final = {"gracePeriod": "PT0S", "suspendAfterFailedRepairs": 1}

pytestmark = pytest.mark.timeout(600)


@alongside
def test_an_image_that_cannot_be_pulled_is_no_case_for_repair(world: KindWorld) -> None:
    """R-10, R-58: each says that it never started; a template that can be pulled cures all."""
    world.scale_set("web", SIZE, template=world.template("web", image=NO_IMAGE), repairs=REPAIRS)
    first = await_three(world)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        for pod in first:
            world.await_reason("web", pod, "NeverStarted", seconds=TOLD_S)
        assert uids_of(world.pods("web")) == uids_of(first)
        world.change("web", template=world.template("web"))
        world.await_ready("web", seconds=CURED_S)
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []


@alongside
def test_a_program_that_keeps_ending_is_told_and_cured_by_a_good_template(world: KindWorld) -> None:
    """R-58: never more than one repair at a time, and a good template cures all."""
    broken = world.template("web", args=["no-port"])
    world.scale_set("web", SIZE, template=broken, repairs=REPAIRS)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        await_three(world)
        unhealthy = ("InstancesHealthy", "False", "InstancesUnhealthy")
        world.await_word("web", *unhealthy, seconds=TOLD_S)
        world.change("web", template=world.template("web"))
        world.await_ready("web", seconds=CURED_S)
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight <= 1


def await_three(world: KindWorld) -> list[Json]:
    """Wait until as many are there as are wanted, and give them."""
    return eventually(
        lambda: pods if len(pods := world.pods("web")) == SIZE else [],
        "three are there",
        seconds=TOLD_S,
        told=lambda: world.told("web"),
    )
