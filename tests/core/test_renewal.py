"""What is held of an instance that was told to restart in place, until its new containers speak."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.health import Verdict
from scaleset_operator.core.observed import Evidence, Instance, Observed, Outcome
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, published, settle
from tests.support.builders import evidence, instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec()
BAD, GOOD, NOT_KNOWN = VMHealth.UNHEALTHY, VMHealth.HEALTHY, VMHealth.UNKNOWN


def renewing(health: VMHealth | None = GOOD, **fields: Any) -> Instance:
    """web-1, told to restart; its containers do not run yet."""
    values: dict[str, Any] = {"renewing": True, "started_is_recorded": False}
    return replace(instance(health=health), **(values | {"started": None} | fields))


def seen(pod: Instance, found: Evidence | Outcome = Outcome.OK) -> Observed:
    return a_set(instances=(pod, *instances(40)[1:]), bad={1: found})


def verdict(pod: Instance, found: Evidence | Outcome = Outcome.OK) -> Verdict:
    return Scene.of(SPEC, seen(pod, found), T0).verdicts[pod.uid]


def answered(ago: timedelta) -> Evidence:
    """Its last attempt was a success, so long ago."""
    return evidence(now=T0, last_ended=T0 - ago, last_success=T0 - ago)


def test_a_healthy_instance_that_restarts_is_not_known_and_out_of_rotation() -> None:
    """R-24, rule 10: what was known was said by containers that are gone."""
    held = verdict(renewing())
    assert (held.health, held.reason) == (NOT_KNOWN, Reason.RESTARTING)
    assert held.in_rotation is False
    act = published(settle(SPEC, seen(renewing())).plan)["web-1"]
    assert (act.health, act.in_rotation, act.state_change_time) == (NOT_KNOWN, False, None)


def test_what_is_said_of_one_that_restarts_is_said_of_the_version_that_was_seen() -> None:
    """Rules 5, 8: else one that lags takes out of rotation what another has brought back."""
    act = published(settle(SPEC, seen(renewing())).plan)["web-1"]
    assert act.resource_version == renewing().resource_version
    bad = published(settle(SPEC, a_set(instances=instances(40), bad={1: Outcome.REFUSED})).plan)
    assert bad["web-1"].resource_version is None


def test_an_unhealthy_instance_that_restarts_stays_unhealthy() -> None:
    """Nothing better is known of it, and nothing is written twice."""
    held = verdict(renewing(BAD, in_rotation=False), Outcome.REFUSED)
    assert held.health is BAD
    assert not published(settle(SPEC, seen(renewing(BAD))).plan)
    out = renewing(BAD, in_rotation=False)
    assert not published(settle(SPEC, seen(out, Outcome.REFUSED)).plan)


@pytest.mark.parametrize(
    ("ago", "health"),
    [(11 * SECOND, NOT_KNOWN), (10 * SECOND, NOT_KNOWN), (9 * SECOND, GOOD)],
)
def test_only_a_success_of_the_new_containers_makes_it_healthy(
    ago: timedelta, health: VMHealth
) -> None:
    """R-24, rule 9: started ten seconds ago; a success in that very second may be an old one's."""
    pod = renewing(started=T0 - 10 * SECOND)
    assert verdict(pod, answered(ago)).health is health


def test_the_new_start_is_recorded_with_the_first_health_after_it() -> None:
    """R-24, R-26, rule 10: and the lineage's count goes with the first Healthy."""
    pod = renewing(NOT_KNOWN, started=T0 - 10 * SECOND, attempt=2, in_rotation=False)
    act = published(settle(SPEC, seen(pod)).plan)["web-1"]
    assert act.health is GOOD
    assert act.in_rotation
    assert act.state_change_time == T0 - 10 * SECOND
    assert act.clear_attempt


def test_an_instance_that_is_not_heard_after_its_restart_is_looked_at_again() -> None:
    """R-33: the next success is no news to the prober and wakes nobody."""
    held = verdict(renewing(started=T0 - 2 * SECOND), answered(3 * SECOND))
    assert held.changes_at == T0 + 5 * SECOND


def test_a_full_timeout_without_success_after_the_restart_makes_it_unhealthy() -> None:
    """P-11, rule 9: counted from the new start."""
    early = renewing(started=T0 - 10 * SECOND)
    late = renewing(started=T0 - 12 * SECOND)
    assert verdict(early, Outcome.WRONG_STATUS).health is NOT_KNOWN
    assert verdict(late, Outcome.WRONG_STATUS).health is BAD


@pytest.mark.parametrize(("started", "health"), [(None, NOT_KNOWN), (T0 - 10 * SECOND, GOOD)])
def test_a_report_of_its_own_counts_once_all_containers_run(started: Any, health: VMHealth) -> None:
    """R-24: only its containers can have given it."""
    spec = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "App"})
    pod = renewing(started=started, reports=(("App", GOOD, T0 - SECOND),))
    observation = a_set(instances=(pod, *instances(40)[1:]), probe=None, evidence={})
    assert Scene.of(spec, observation, T0).verdicts[pod.uid].health is health


def test_a_set_without_a_source_follows_the_containers() -> None:
    """P-19: there is no health to forget."""
    spec = scale_set_spec(repairs=False, healthProbeRef=None)
    pod = renewing(None, containers_ready=False)
    observation = a_set(instances=(pod,), probe=None, evidence={})
    assert Scene.of(spec, observation, T0).verdicts[pod.uid].reason is Reason.NO_PROBE


HOUR_AGO = T0 - timedelta(hours=1)
RUNS = {"reason": Reason.WAITING_FOR_HEALTH, "message": "renewed in place; not heard since"}
STARTS = {"reason": Reason.RESTARTING, "message": "its containers are restarting"}
AGAIN = T0 + 5 * SECOND


@pytest.mark.parametrize(
    ("health", "started", "expected"),
    [
        (GOOD, T0 - 10 * SECOND, RUNS | {"health": NOT_KNOWN, "since": T0, "changes_at": AGAIN}),
        (NOT_KNOWN, T0 - 10 * SECOND, RUNS | {"since": HOUR_AGO, "changes_at": AGAIN}),
        (None, T0 - 10 * SECOND, RUNS | {"since": T0, "changes_at": AGAIN}),
        (BAD, T0 - 10 * SECOND, RUNS | {"health": BAD, "since": HOUR_AGO, "changes_at": AGAIN}),
        (GOOD, None, STARTS | {"since": T0, "changes_at": AGAIN + SECOND / 2}),
    ],
)
def test_what_is_held_of_one_that_was_not_heard_since(
    health: VMHealth | None, started: Any, expected: dict[str, Any]
) -> None:
    """R-24, R-33, rule 10: nothing that a repair may build on, in whole seconds, looked at again.

    Its last success is of the second of its start, and may be the old containers'.
    """
    now = T0 + SECOND / 2 if started is None else T0
    pod = renewing(health, started=started)
    held = Scene.of(SPEC, seen(pod, answered(10 * SECOND)), now).verdicts[pod.uid]
    values: dict[str, Any] = {"health": NOT_KNOWN, "in_rotation": False, "fresh": False}
    assert held == Verdict(**(values | expected))
    assert held.fresh is False


def test_the_gate_of_one_that_restarts_is_not_its_second_probe_s_matter() -> None:
    """P-29, rule 10: it is out whatever that one hears."""
    busy = replace(probe_view(), name="busy", identity="u/9/8080")
    pod = renewing(started=T0 - 10 * SECOND)
    shedding = {pod.uid: evidence(outcome=Outcome.WRONG_STATUS)}
    found = replace(
        seen(pod, answered(10 * SECOND)), rotation_probe=busy, rotation_evidence=shedding
    )
    held = Scene.of(SPEC, found, T0).verdicts[pod.uid]
    assert (held.in_rotation, held.rotation) == (False, None)


def test_a_report_that_is_still_to_come_is_waited_for_without_a_clock() -> None:
    """R-24, R-33: no probe asks for it; the pod's own change is the news."""
    spec = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "App"})
    pod = renewing(started=T0 - 10 * SECOND)
    observation = a_set(instances=(pod, *instances(40)[1:]), probe=None, evidence={})
    held = Scene.of(spec, observation, T0).verdicts[pod.uid]
    assert (held.reason, held.changes_at) == (Reason.WAITING_FOR_HEALTH, None)
