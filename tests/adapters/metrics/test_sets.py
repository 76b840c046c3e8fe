"""The gauges of each set, read off plans that the rules themselves made."""

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.registry import Metrics
from scaleset_operator.adapters.metrics.sets import SetGauges
from scaleset_operator.api.base import format_time
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.plan import Plan
from scaleset_operator.reconciler.ports import Key
from tests.support.builders import T0, instances, observed, scale_set_spec
from tests.support.scraping import Scrape, scrape

WEB = Key("shop", "web")
IN_WEB = {"namespace": "shop", "scaleset": "web"}


def plan_of(unhealthy: int = 0, **policy: Any) -> Plan:
    """Of a set of 40 of which so many answer 500, past their grace."""
    pods = instances(40, unhealthy=range(1, unhealthy + 1))
    bad = {f"web-{number}": Outcome.WRONG_STATUS for number in range(1, unhealthy + 1)}
    seen = observed(instances=pods, bad=bad, live_reads=frozenset(bad))
    return decide(scale_set_spec(policy=policy), seen, T0)


class Fleet:
    """The last plans, as the loop would have them."""

    def __init__(self) -> None:
        self.plans: dict[Key, Plan] = {}
        self.metrics = Metrics("1")
        self.metrics.watch(SetGauges(self.plans.copy))

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_instances_are_counted_by_health(fleet: Fleet) -> None:
    fleet.plans[WEB] = plan_of(unhealthy=3)
    found = fleet.scrape()
    counted = {
        health: found.value(series.INSTANCES, **IN_WEB, health=health)
        for health in ("Healthy", "Unhealthy", "Unknown")
    }
    assert counted == {"Healthy": 37, "Unhealthy": 3, "Unknown": 0}


def test_the_batch_and_what_waits_for_it_are_told(fleet: Fleet) -> None:
    """X-11: each instance that is not repaired counts under its one reason."""
    fleet.plans[WEB] = plan_of(unhealthy=5)
    found = fleet.scrape()
    assert found.value(series.REPAIR_BATCH_LIMIT, **IN_WEB) == 2
    assert found.value(series.REPAIRS_IN_FLIGHT, **IN_WEB) == 2
    waiting = found.value(series.REPAIR_DEFERRED, **IN_WEB, reason="BatchLimitReached")
    assert waiting == 3
    assert found.total(series.REPAIR_DEFERRED, **IN_WEB) == 3


def test_a_suspension_moves_a_series_when_it_begins_and_when_it_ends(fleet: Fleet) -> None:
    """R-46: it can be alerted on."""
    running = {"state": "Running", "by": ""}
    suspended = {"state": "Suspended", "by": "User"}
    for wish, stands, stands_not in (
        ("Running", running, suspended),
        ("Suspended", suspended, running),
        ("Running", running, suspended),
    ):
        fleet.plans[WEB] = plan_of(serviceState=wish)
        found = fleet.scrape()
        assert found.value(series.SERVICE_STATE, **IN_WEB, **stands) == 1
        assert found.value(series.SERVICE_STATE, **IN_WEB, **stands_not) is None


def test_a_suspension_by_the_platform_tells_who(fleet: Fleet) -> None:
    """R-46."""
    since = format_time(T0 - timedelta(hours=1))
    repairs = {"repairs": {"suspendedSince": since, "suspendedCause": "web-4 failed 3 in a row"}}
    seen = observed(instances=instances(40), status=repairs)
    fleet.plans[WEB] = decide(scale_set_spec(), seen, T0)
    by = {"state": "Suspended", "by": "Platform"}
    assert fleet.scrape().value(series.SERVICE_STATE, **IN_WEB, **by) == 1


def test_each_condition_has_the_one_series_of_its_status(fleet: Fleet) -> None:
    for unhealthy, status in ((0, "True"), (3, "False")):
        fleet.plans[WEB] = plan_of(unhealthy)
        found = fleet.scrape()
        rows = [row for row in found.rows(series.CONDITION) if row["type"] == "InstancesHealthy"]
        assert [row["status"] for row in rows] == [status]
        types = [row["type"] for row in found.rows(series.CONDITION)]
        assert sorted(types) == sorted(c.type for c in fleet.plans[WEB].status.conditions)


def test_series_of_a_set_that_is_gone_vanish(fleet: Fleet) -> None:
    fleet.plans[WEB] = fleet.plans[Key("shop", "api")] = plan_of(unhealthy=3)
    fleet.scrape()
    del fleet.plans[WEB]
    left = {dict(labels).get("scaleset") for _, labels in fleet.scrape().samples}
    assert left == {"api", None}


def test_a_set_without_a_policy_has_no_service_state(fleet: Fleet) -> None:
    """R-37."""
    spec = scale_set_spec(automaticRepairsPolicy=None)
    fleet.plans[WEB] = decide(spec, observed(instances=instances(3)), T0)
    assert fleet.scrape().rows(series.SERVICE_STATE) == []
