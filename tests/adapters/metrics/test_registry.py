"""What is counted as it happens, and how the page is given."""

from datetime import timedelta

import pytest

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.registry import UNKNOWN_CAUSE, Metrics
from scaleset_operator.api.ledger import RepairRecord, RepairResult
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase, Origin
from scaleset_operator.api.maintenancestatus import Impact, OperationResultCode
from scaleset_operator.api.repairpolicy import RepairAction
from scaleset_operator.core.plan import Purpose
from scaleset_operator.reconciler.account import EvictionEnd
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.queue import TurnEnd
from tests.support.builders import T0
from tests.support.scraping import scrape

WEB, API = Key("shop", "web"), Key("shop", "api")
IN_WEB = {"namespace": "shop", "scaleset": "web"}
MOVE = MaintenanceEntry(
    instance="web-1",
    uid="uid-web-1",
    window="patch",
    iteration=1,
    mark="patch/1/0b6f6a0c/2026-11-27T08:00:00Z",
    impact=Impact.REDEPLOY,
    origin=Origin.SCHEDULED,
    phase=MaintenancePhase.ENDING,
    start_time=T0,
    phase_time=T0,
    result=OperationResultCode.RETRY_LATER,
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def ended(
    result: RepairResult = RepairResult.SUCCEEDED,
    *,
    cause: str | None = "WrongStatus",
    took: float = 40.0,
) -> RepairRecord:
    return RepairRecord(
        instance="web-1",
        action=RepairAction.REPLACE,
        cause="HTTP 503 for 33m",
        cause_reason=cause,
        result=result,
        start_time=T0,
        end_time=T0 + timedelta(seconds=took),
    )


def test_repairs_are_counted_by_action_cause_and_result(metrics: Metrics) -> None:
    """X-11."""
    for result in (RepairResult.SUCCEEDED, RepairResult.SUCCEEDED, RepairResult.FAILED):
        metrics.repair_ended(WEB, ended(result))
    found = scrape(metrics)
    of_web = IN_WEB | {"action": "Replace", "cause": "WrongStatus"}
    assert found.value(series.REPAIRS, **of_web, result="Succeeded") == 2
    assert found.value(series.REPAIRS, **of_web, result="Failed") == 1


@pytest.mark.parametrize("cause", [None, "", "Whatever"])
def test_a_cause_that_is_no_reason_code_makes_no_series_of_its_own(
    metrics: Metrics, cause: str | None
) -> None:
    """Whoever writes into a status must not be able to fill the memory of those who scrape."""
    metrics.repair_ended(WEB, ended().model_copy(update={"cause_reason": cause}))
    assert [row["cause"] for row in scrape(metrics).rows(series.REPAIRS)] == [UNKNOWN_CAUSE]


def test_a_repair_counts_by_how_long_it_took(metrics: Metrics) -> None:
    metrics.repair_ended(WEB, ended(took=40))
    metrics.repair_ended(WEB, ended(took=-1))
    found = scrape(metrics)
    done = {"action": "Replace", "result": "Succeeded"}
    name = series.REPAIR_DURATION.name
    assert found.value(f"{name}_count", **done) == 2
    assert found.value(f"{name}_sum", **done) == 40
    assert found.value(f"{name}_bucket", **done, le="30.0") == 1
    assert found.value(f"{name}_bucket", **done, le="60.0") == 2


def test_deletions_are_counted_by_purpose(metrics: Metrics) -> None:
    metrics.deleted(WEB, Purpose.SCALE_IN)
    metrics.deleted(WEB, Purpose.SCALE_IN)
    metrics.deleted(WEB, Purpose.REPAIR)
    found = scrape(metrics)
    assert found.value(series.DELETIONS, **IN_WEB, reason="scale_in") == 2
    assert found.value(series.DELETIONS, **IN_WEB, reason="repair") == 1


def test_evictions_are_counted_by_what_was_said_to_them(metrics: Metrics) -> None:
    for end in (EvictionEnd.ACCEPTED, EvictionEnd.DISRUPTION_BUDGET, EvictionEnd.ACCEPTED):
        metrics.evicted(WEB, end)
    found = scrape(metrics)
    assert found.value(series.EVICTIONS, **IN_WEB, outcome="accepted") == 2
    assert found.value(series.EVICTIONS, **IN_WEB, outcome="disruption_budget") == 1


def test_moves_are_counted_by_who_began_them_and_how_they_ended(metrics: Metrics) -> None:
    metrics.move_ended(WEB, MOVE)
    metrics.move_ended(WEB, MOVE.model_copy(update={"result": None}))
    found = scrape(metrics)
    begun = {"origin": "Scheduled", **IN_WEB}
    assert found.value(series.MOVES, **begun, result="RetryLater") == 1
    assert found.value(series.MOVES, **begun, result="None") == 1


def test_the_series_of_a_set_go_with_it_and_those_of_others_stay(metrics: Metrics) -> None:
    for key in (WEB, API):
        metrics.deleted(key, Purpose.REPAIR)
        metrics.repair_ended(key, ended())
        metrics.evicted(key, EvictionEnd.ACCEPTED)
        metrics.move_ended(key, MOVE)
    metrics.forgotten(WEB)
    found = scrape(metrics)
    for one in (series.REPAIRS, series.DELETIONS, series.EVICTIONS, series.MOVES):
        assert [row["scaleset"] for row in found.rows(one)] == ["api"]


def test_turns_are_counted_by_whose_they_are_and_how_they_ended(metrics: Metrics) -> None:
    sets, probes = metrics.turns_of("ScaleSet"), metrics.turns_of("HealthProbe")
    sets(TurnEnd.DONE, 0.01)
    sets(TurnEnd.DONE, 0.2)
    sets(TurnEnd.UNAVAILABLE, 30.0)
    probes(TurnEnd.FAILED, 0.001)
    found = scrape(metrics)
    name = series.TURN_DURATION.name
    assert found.value(f"{name}_count", kind="ScaleSet", result="Done") == 2
    assert found.value(f"{name}_sum", kind="ScaleSet", result="Done") == pytest.approx(0.21)
    assert found.value(f"{name}_count", kind="ScaleSet", result="Unavailable") == 1
    assert found.value(f"{name}_count", kind="HealthProbe", result="Failed") == 1


def test_requests_are_counted_by_verb_and_code(metrics: Metrics) -> None:
    for code in ("200", "200", "409", "none"):
        metrics.api_request("patch", code, 0.02)
    found = scrape(metrics)
    assert found.value(series.API_REQUESTS, verb="patch", code="200") == 2
    assert found.value(series.API_REQUESTS, verb="patch", code="409") == 1
    assert found.value(series.API_REQUESTS, verb="patch", code="none") == 1
    assert found.value(f"{series.API_DURATION.name}_count", verb="patch") == 4


def test_the_version_is_told(metrics: Metrics) -> None:
    assert scrape(metrics).value(series.BUILD, version="1.2.3") == 1


def test_two_registries_share_nothing(metrics: Metrics) -> None:
    Metrics("1.2.3").deleted(WEB, Purpose.REPAIR)
    assert scrape(metrics).rows(series.DELETIONS) == []


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [
        ("", "text/plain", b"\n"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", b"# EOF\n"),
    ],
)
def test_the_page_comes_in_the_format_that_is_asked_for(
    metrics: Metrics, accept: str, kind: str, end: bytes
) -> None:
    body, content_type = metrics.page(accept)
    assert content_type.startswith(kind)
    assert body.endswith(end)
