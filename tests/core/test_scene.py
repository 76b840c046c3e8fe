"""The sums that every rule shares: who counts, who is available, what the cap is a share of."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import RotationWord, Verdict
from scaleset_operator.core.observed import Instance, ProberView
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger, wrong
from tests.support.builders import evidence, instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OWN: Final[dict[str, Any]] = {
    "healthProbeRef": None,
    "applicationHealth": {"podConditionType": "Warm"},
}
NO_SOURCE: Final[dict[str, Any]] = {"healthProbeRef": None, "repairs": False}


def scene(*pods: Instance, spec: dict[str, Any] | None = None, **fields: Any) -> Scene:
    return Scene.of(scale_set_spec(**(spec or {})), a_set(instances=pods, **fields), T0)


def judged(*verdicts: Verdict) -> Scene:
    """A scene in which these are the verdicts."""
    return replace(scene(), verdicts={str(n): verdict for n, verdict in enumerate(verdicts)})


def verdict(
    doubt: Doubtfulness | None = None, reason: Reason = Reason.ANSWERING, **fields: Any
) -> Verdict:
    values: dict[str, Any] = {"health": VMHealth.UNKNOWN, "message": "words", "since": T0}
    return Verdict(reason=reason, doubt=doubt, **(values | fields))


# --- Suspension, as now decided ----------------------------------------------------------------


def test_what_suspends_repairs_in_this_decision_is_seen_by_its_gates() -> None:
    """Protocol rule 12: and nothing else of the ledger is."""
    before = scene(*instances(3), status=ledger(entry(1, 4), last=4))
    repairs = before.observed.status.repairs
    decided = {"suspended_since": T0, "suspended_cause": "three in a row", "resumed_time": T0}
    after = before.with_repairs(repairs.model_copy(update={**decided, "in_flight": ()}))
    known = after.observed.status.repairs
    assert known == repairs.model_copy(update=decided)
    assert after.entries == before.entries
    assert before.with_repairs(repairs.model_copy(update={"in_flight": ()})) is before


# --- The source of health ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "probe", "source"),
    [
        ({}, probe_view(identity="u/1/80"), "probe/u/1/80"),
        ({}, probe_view(fault=Reason.PROBE_NOT_FOUND), ""),
        ({}, None, ""),
        (OWN, None, "condition/Warm"),
        (NO_SOURCE, None, ""),
    ],
)
def test_the_source_of_health_is_named_by_its_rules(
    spec: dict[str, Any], probe: Any, source: str
) -> None:
    assert scene(spec=spec, probe=probe).health_source == source


BROKEN = probe_view(fault=Reason.PROBE_NOT_FOUND, fault_message="web-http is not there")
BUSY = probe_view(name="busy", fault=Reason.AMBIGUOUS_PORT, fault_message="two ports")


@pytest.mark.parametrize(
    ("spec", "probe", "rotation", "fault"),
    [
        ({}, probe_view(), None, None),
        ({}, BROKEN, BUSY, (Reason.PROBE_NOT_FOUND, "web-http is not there")),
        ({}, probe_view(), BUSY, (Reason.AMBIGUOUS_PORT, "two ports")),
        (OWN, BROKEN, None, None),
        (OWN, BROKEN, BUSY, (Reason.AMBIGUOUS_PORT, "two ports")),
    ],
)
def test_of_two_probes_with_a_fault_that_of_health_is_told(
    spec: dict[str, Any], probe: Any, rotation: Any, fault: Any
) -> None:
    """X-11, P-29: one that nobody asks has none."""
    assert scene(spec=spec, probe=probe, rotation_probe=rotation).probe_fault == fault


@pytest.mark.parametrize(
    ("started", "success", "counts"),
    [(T0, T0, True), (T0, T0 - SECOND, False), (T0 - HOUR, T0, True), (T0 - HOUR, None, False)],
)
def test_a_success_counts_from_the_very_start_of_the_containers(
    started: Any, success: Any, *, counts: bool
) -> None:
    """armAfterHealthyPercent."""
    seen = evidence(watched_for=HOUR, outcome=None, last_success=success)
    found = scene(instance(started=started, health=None), bad={1: seen})
    assert found.healthy_once["m1"] == counts
    nobody = replace(found, observed=replace(found.observed, evidence={}))
    assert nobody.healthy_once["m1"] == 0


# --- Silence of the whole ----------------------------------------------------------------------


@pytest.mark.parametrize("doubt", [None, *Doubtfulness])
def test_a_set_is_silent_as_a_whole_to_either_probe(doubt: Doubtfulness | None) -> None:
    """Protocol rule 18: and to no other doubt."""
    silent = doubt is Doubtfulness.SET_SILENT
    assert judged(verdict(), verdict(doubt)).is_silent is silent
    gate = RotationWord(reason=Reason.PROBE_INCONCLUSIVE, message="silent", doubt=doubt)
    assert bool(judged(verdict(), verdict(rotation=gate)).is_silent) is silent


def test_why_it_is_silent_is_told_where_that_is_known() -> None:
    """S-31, X-11."""
    assert judged(verdict()).silence == (Reason.PROBE_INCONCLUSIVE, "the whole set is silent")
    shut = verdict(reason=Reason.PROBE_BLOCKED, message="NetworkPolicy deny")
    told = "the whole set is silent: NetworkPolicy deny"
    assert judged(verdict(), shut).silence == (Reason.PROBE_BLOCKED, told)


def test_a_successor_is_beside_the_wanted_number_while_the_older_one_lives() -> None:
    """Protocol rule 22: once that is on its way, or gone, it has taken its place."""
    steps = [
        {"instance": f"web-{n}", "uid": f"uid-web-{n}", "replacement": f"web-{10 + n}"}
        | {"model": "m2"}
        for n in (1, 2, 3, 4)
    ]
    rollout = {"model": "m2", "startTime": T0.isoformat(), "reason": "RollingOut", "surge": steps}
    going = (instance(number=2, terminating=True), instance(number=3, over=True))
    found = scene(instance(number=1), *going, status={"rollout": rollout})
    assert found.surplus == {"web-11"}


# --- Slots -------------------------------------------------------------------------------------


def test_without_a_probe_the_grace_of_a_slot_is_the_owner_s() -> None:
    """Protocol rule 9."""
    assert scene(spec=OWN | {"grace": 0 * SECOND}, probe=None).slot_grace == timedelta(0)
    assert scene(spec={"grace": 0 * SECOND}).slot_grace == 16 * SECOND


def gone(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    """Repairs of these whose DELETE was accepted; web-51 is to follow web-1, and so on."""
    return [entry(n, 50 + n, deleted=T0 - MINUTE) | fields for n in numbers]


STARTING = instance(number=51, health=None, started=None)
RESTARTS: Final = {
    "action": "Restart",
    "phase": "Restarting",
    "replacement": None,
    "targetImages": ["docker.io/library/instance:1"],
}
UNREPLACED: Final = {"terminateAt": T0.isoformat(), "replacement": None}
RENEWING = instance(renewing=True, started=None)


@pytest.mark.parametrize(
    ("pods", "flight", "limit"),
    [
        (instances(40), [], 2),
        (instances(39), [], 1),
        (instances(39), [entry(1, 51)], 1),
        (instances(40)[1:], gone(1), 2),
        ((*instances(40)[1:], STARTING), gone(1), 2),
        (instances(40)[2:], gone(1), 1),
        (instances(40)[2:], gone(1, 2), 2),
        ((*instances(40)[2:], replace(STARTING, started=T0)), gone(1), 1),
        ((*instances(40)[2:], replace(STARTING, started=T0)), gone(1, 2), 2),
        ((*instances(40)[1:], replace(STARTING, started=T0, terminating=True)), gone(1), 2),
        (instances(40)[1:], gone(1, **UNREPLACED), 1),
        ((RENEWING, *instances(40)[1:]), [entry(1) | RESTARTS], 2),
        ((RENEWING, *instances(40)[1:]), [entry(1, 51)], 1),
        ((replace(RENEWING, renewing=False), *instances(40)[1:]), [entry(1) | RESTARTS], 1),
        (
            (replace(RENEWING, renewing=False, started=T0), *instances(39)[1:]),
            [entry(1) | RESTARTS],
            1,
        ),
    ],
)
def test_the_cap_is_a_share_of_those_that_ran_and_of_those_that_repairs_owe(
    pods: tuple[Instance, ...], flight: list[dict[str, Any]], limit: int
) -> None:
    """R-11, R-13, protocol rule 1: of forty two, of thirty-nine one; each is counted once."""
    assert scene(*pods, status=ledger(*flight, last=60)).allowance == limit


def test_a_victim_under_notice_counts_as_gone_and_a_repair_owes_one() -> None:
    """R-53, protocol rules 6 and 8."""
    due = T0 + MINUTE
    row = entry(1, 51, phase="Notified", terminateAt=due.isoformat())
    told = instance(terminate_at=due)
    seen = scene(told, *instances(40)[1:], status=ledger(row, last=60))
    assert seen.noticed == {"uid-web-1"}
    assert len(seen.staying) == 39
    assert seen.allowance == 2
    assert not seen.is_available(told)
    (kept,) = seen.entries
    assert seen.owes(kept)
    assert not seen.owes(RepairEntry.model_validate(row | {"replacement": None}))


@pytest.mark.parametrize(
    ("replicas", "limit", "bad", "storm"),
    [
        (40, None, 40, False),
        (40, 10, 4, False),
        (40, 10, 5, True),
        (200, 50, 100, False),
        (200, 50, 101, True),
        (1, 60, 1, True),
        (0, 99, 1, True),
        (0, 99, 0, False),
    ],
)
def test_a_storm_is_more_than_the_share_of_the_wanted(
    replicas: int, limit: int | None, bad: int, *, storm: bool
) -> None:
    """R-60: at the share itself there is none yet."""
    policy = {} if limit is None else {"maxUnhealthyPercent": limit}
    size = max(replicas, bad)
    spec = {"replicas": replicas, "policy": policy}
    found = scene(*instances(size), spec=spec, bad=wrong(*range(1, bad + 1)))
    assert found.unhealthy == bad
    assert found.in_storm is storm


@pytest.mark.parametrize(("ago", "too_often"), [(10, True), (11, False)])
def test_an_operator_that_starts_too_often_has_watched_enough_after_one_timeout(
    ago: int, *, too_often: bool
) -> None:
    """Protocol rule 21."""
    prober = ProberView(beating_since=T0 - ago * SECOND, frequent_restarts=True)
    assert scene(prober=prober).restarts_too_often is too_often
    assert scene(prober=ProberView(frequent_restarts=True)).restarts_too_often


# --- Who is available --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "fields", "available"),
    [
        (instance(), {}, True),
        (instance(in_rotation=False), {}, True),
        (instance(health=VMHealth.UNHEALTHY), {}, False),
        (instance(health=None), {}, False),
        (instance(), {"bad": wrong(1)}, False),
        (instance(), {"rotation_probe": probe_view(name="busy")}, True),
        (instance(in_rotation=False), {"rotation_probe": probe_view(name="busy")}, False),
        (instance(in_rotation=None), {"rotation_probe": probe_view(name="busy")}, False),
        (instance(ready=True, health=None), {"spec": NO_SOURCE, "probe": None}, True),
        (instance(ready=False), {"spec": NO_SOURCE, "probe": None}, False),
    ],
)
def test_who_is_available_is_what_a_service_sends_traffic_to(
    pod: Instance, fields: dict[str, Any], *, available: bool
) -> None:
    """Protocol rule 22, P-29: Healthy on the pod and still; without a source, Ready."""
    assert scene(pod, **fields).is_available(pod) is available
