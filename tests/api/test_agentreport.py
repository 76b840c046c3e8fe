"""What agents and the operator tell each other: survives the way, is bounded, and never crashes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scaleset_operator.api.agentreport import (
    ANNOTATION_REPORT,
    MAX_REPORTED,
    AgentReport,
    Hottest,
    InstanceReport,
    PauseReport,
    PauseState,
    RuleReport,
    lease_name,
    program_of,
)
from scaleset_operator.api.base import ObjectMeta
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from tests.api.manifests import RULE, manifest

T0 = datetime(2026, 11, 28, 7, 20, 44, tzinfo=UTC)
BUSY = InstanceReport(
    first_port=1024,
    last_port=2047,
    used=1024,
    peak=1024,
    flows=10_000,
    hottest=Hottest(address="203.0.113.255", port=65_535, protocol="tcp"),
    refused=2**31 - 1,
)
REPORT = AgentReport(
    version="1.2.3",
    node="worker",
    frontends=("192.0.2.10",),
    rules={"shop/web": RuleReport(program="0123456789abcdef")},
    instances={"shop/web-7": BUSY},
    pauses={"u7": PauseReport(id="r1", state=PauseState.PAUSED, until=T0)},
)
REQUEST = PauseRequest(id="r1", deadline=T0, seconds=30)
OF_ALL_ANNOTATIONS = 256 * 1024
"""Bytes that the API server allows."""


def rule(**status: object) -> OutboundRule:
    whole = OutboundRule.model_validate(manifest(RULE, changes={"status": status}))
    return whole.model_copy(update={"metadata": ObjectMeta(name="web", uid="u")})


def allocation(instance: str, first: int) -> dict[str, object]:
    ports = {"firstPort": first, "lastPort": first + 1023}
    return {"instance": instance, "frontendIP": "192.0.2.10", **ports}


def test_a_report_and_a_request_survive_the_way_there_and_back() -> None:
    assert AgentReport.of({ANNOTATION_REPORT: REPORT.text()}) == REPORT
    assert PauseRequest.of({ANNOTATION_PAUSE: REQUEST.text()}) == REQUEST


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"node": "worker"}'])
def test_a_report_that_cannot_be_read_is_none(text: str) -> None:
    assert AgentReport.of({ANNOTATION_REPORT: text}) is None
    assert AgentReport.of({}) is None


def test_a_request_that_cannot_be_read_says_which_field_is_wrong() -> None:
    assert PauseRequest.of({}) is None
    said = PauseRequest.of({ANNOTATION_PAUSE: '{"id": "a", "seconds": 301}'})
    assert isinstance(said, str)
    assert "deadline: Field required" in said
    assert "seconds: Input should be less than or equal to 300" in said
    assert isinstance(PauseRequest.of({ANNOTATION_PAUSE: "soon"}), str)


def test_the_longest_report_fits_into_an_annotation() -> None:
    node, name = "n" * 253, f"{'s' * 63}/{'w' * 63}"
    pause = PauseReport(id="r" * 64, state=PauseState.FAILED, until=T0, message="m" * 256)
    longest = AgentReport(
        version="1.2.3",
        node=node,
        frontends=tuple(f"192.0.2.{at}" for at in range(16)),
        rules={f"{name}{at}": RuleReport(program="0" * 16) for at in range(20)},
        instances={f"{name}{at:03}": BUSY for at in range(MAX_REPORTED)},
        pauses={f"{at:036}": pause for at in range(110)},
    )
    assert len(longest.text()) < OF_ALL_ANNOTATIONS


def test_a_program_changes_with_all_that_an_agent_carries_out_and_with_nothing_else() -> None:
    first = rule(allocations=[allocation("web-1", 1024), allocation("web-2", 2048)])
    turned = rule(allocations=[allocation("web-2", 2048), allocation("web-1", 1024)], poolSize=9)
    moved = rule(allocations=[allocation("web-1", 1024), allocation("web-2", 3072)])
    denied = first.model_copy(update={"status": rule(denied=["web-3"]).status})
    patient = first.spec.model_copy(update={"idle_timeout": timedelta(minutes=9)})
    anew = first.model_copy(update={"metadata": ObjectMeta(name="web", uid="v")})
    others = [moved, denied, first.model_copy(update={"spec": patient}), anew, rule()]
    assert program_of(turned) == program_of(first)
    assert len({program_of(one) for one in [first, *others]}) == 1 + len(others)


def test_every_node_has_a_lease_of_its_own() -> None:
    assert lease_name("worker-1") == "scaleset-agent-worker-1"
    one, other = lease_name("n" * 252 + "1"), lease_name("n" * 252 + "2")
    assert one != other
    assert max(len(one), len(other)) <= 253
