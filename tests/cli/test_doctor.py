"""`doctor` as a command: what it reads, what it does without a right, its exit code."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import API_VERSION
from scaleset_operator.api.crd import definition_of
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.cli.diagnosis.examination import OPERATOR_LABEL
from scaleset_operator.cli.kinds import (
    DEFINITIONS,
    HEALTH_PROBES,
    LEASES,
    MAINTENANCE_WINDOWS,
    PODS,
    SCALE_SETS,
)
from tests.cli.test_diagnosis import conditioned, scale_set
from tests.support.fake_clock import T0
from tests.support.fake_plugin import FakeEntrance

API = f"/apis/{API_VERSION}"
DEFINED = [definition_of(kind) for kind in KINDS]


@pytest.fixture
def entrance() -> FakeEntrance:
    """A cluster in order: one set, its probe, and an operator that has just written."""
    made = FakeEntrance(namespace="shop")
    made.serve(API, {"resources": [{"name": kind.plural} for kind in KINDS]})
    for definition in DEFINED:
        made.add(DEFINITIONS, definition)
    raw = conditioned("Accepted", "True", "Valid")
    alive = scale_set(changed=timedelta(hours=1), wrote=timedelta(seconds=3))
    status = {**alive["status"], **raw["status"]}
    made.add(SCALE_SETS, {**raw, "metadata": alive["metadata"], "status": status})
    probe = conditioned("Ready", "True", "Probing")
    meta = {"name": "web-http", "namespace": "shop"}
    made.add(HEALTH_PROBES, {**probe, "metadata": meta})
    key, _, value = OPERATOR_LABEL.partition("=")
    pod = {"name": "operator-0", "namespace": "ops", "labels": {key: value}}
    made.add(PODS, {"metadata": pod, "spec": {"serviceAccountName": "so"}})
    return made


def verdicts(entrance: FakeEntrance, *words: str, code: int = 0) -> dict[str, str]:
    """Check -> verdict."""
    found = json.loads(entrance.run("doctor", *words, "-o", "json", code=code).stdout)
    return {row["check"]: row["verdict"] for row in found["items"]}


def test_a_cluster_in_order_passes_every_check(entrance: FakeEntrance) -> None:
    assert set(verdicts(entrance).values()) == {"Ok"}
    said = entrance.run("doctor").stdout
    assert "✔ operator" in said
    assert "✖" not in said
    assert "system:serviceaccount:ops:so holds all" in " ".join(said.split())


def test_a_set_that_is_refused_makes_it_fail(entrance: FakeEntrance) -> None:
    body = entrance.stored(SCALE_SETS, "shop", "web")
    refused = conditioned("Accepted", "False", "SelectorOverlap")["status"]
    entrance.add(SCALE_SETS, {**body, "status": {**body["status"], **refused}})
    said = entrance.run("doctor", code=2).stdout
    assert "✖ scale sets" in said
    assert "SelectorOverlap" in said


def test_a_window_that_is_refused_makes_it_fail_and_one_that_may_not_be_read_does_not(
    entrance: FakeEntrance,
) -> None:
    meta = {"name": "patch", "namespace": "shop"}
    refused = conditioned("Accepted", "False", "InvalidSchedule")
    entrance.add(MAINTENANCE_WINDOWS, {**refused, "metadata": meta})
    said = entrance.run("doctor", code=2).stdout
    assert "✖ maintenance windows" in said
    assert "shop/patch: InvalidSchedule" in said
    entrance.forbidden = {"maintenancewindows"}
    assert verdicts(entrance)["maintenance windows"] == "Unknown"


def test_kinds_that_are_not_served_end_the_examination_there(entrance: FakeEntrance) -> None:
    entrance.serve(API, {"resources": []})
    found = verdicts(entrance, code=2)
    assert found["definitions"] == "Failed"
    assert "scale sets" not in found


def test_what_may_not_be_read_is_unknown_and_no_failure(entrance: FakeEntrance) -> None:
    entrance.forbidden = {"networkpolicies"}
    assert verdicts(entrance)["network policies"] == "Unknown"
    entrance.forbidden = {"customresourcedefinitions", "healthprobes", "leases", "pods"}
    found = verdicts(entrance)
    assert found["definitions"] == "Unknown"
    assert found["health probes"] == "Unknown"
    assert found["rights of the operator"] == "Unknown"
    entrance.forbidden = {"scalesets"}
    assert verdicts(entrance)["scale sets"] == "Unknown"


def test_rights_are_asked_for_each_verb_of_whoever_is_meant(entrance: FakeEntrance) -> None:
    asked: list[tuple[str | None, str]] = []

    def allowed(spec: dict[str, Any]) -> bool:
        what = spec["resourceAttributes"]
        asked.append((spec.get("user"), f"{what['verb']} {what['resource']}"))
        return "user" not in spec or what["verb"] != "delete"

    entrance.allowed = allowed
    found = verdicts(entrance, "--operator", "eve", code=2)
    assert found["rights of the operator"] == "Failed"
    assert found["rights of the plugin"] == "Ok"
    assert ("eve", "delete pods") in asked
    assert (None, "delete pods") in asked


def test_the_rights_on_the_lease_are_asked_for_where_it_is(entrance: FakeEntrance) -> None:
    """Only of an operator that elects a leader."""
    asked: list[tuple[str, str]] = []

    def allowed(spec: dict[str, Any]) -> bool:
        what = spec["resourceAttributes"]
        asked.append((what["resource"], what.get("namespace", "")))
        return what["resource"] != "leases" or what["verb"] in {"get", "list", "watch"}

    entrance.allowed = allowed
    assert verdicts(entrance)["rights of the operator"] == "Ok"
    spec = {"holderIdentity": "so-1", "leaseDurationSeconds": 15}
    meta = {"name": "scaleset-operator", "namespace": "ops"}
    entrance.add(LEASES, {"metadata": meta, "spec": spec})
    assert verdicts(entrance, code=2)["rights of the operator"] == "Failed"
    assert {place for resource, place in asked if resource == "leases"} == {"ops"}


def test_the_rights_on_agents_reports_are_asked_for_where_the_operator_lives(
    entrance: FakeEntrance,
) -> None:
    """S-34: an operator that may not hear of them calls every block a plan."""
    asked: list[tuple[str, str]] = []

    def allowed(spec: dict[str, Any]) -> bool:
        what = spec["resourceAttributes"]
        if what["resource"] == "leases":
            asked.append((what["verb"], what.get("namespace", "")))
        return not (what["resource"] == "leases" and what["verb"] == "watch")

    entrance.allowed = allowed
    assert verdicts(entrance, code=2)["rights of the operator"] == "Failed"
    assert sorted(asked) == [("get", "ops"), ("list", "ops"), ("watch", "ops")]


def test_reviews_that_may_not_be_made_leave_it_open(entrance: FakeEntrance) -> None:
    entrance.forbidden = {"subjectaccessreviews"}
    assert verdicts(entrance)["rights of the operator"] == "Unknown"
    entrance.forbidden = {"selfsubjectaccessreviews", "subjectaccessreviews"}
    assert verdicts(entrance)["rights of the plugin"] == "Unknown"


def test_a_clock_that_is_wrong_makes_it_fail(entrance: FakeEntrance) -> None:
    entrance.said = T0 + timedelta(minutes=5)
    assert verdicts(entrance, code=2)["clock"] == "Failed"


def test_a_cluster_that_is_not_there_is_one_line(entrance: FakeEntrance) -> None:
    entrance.away = "nobody listens"
    assert entrance.run("doctor", code=1).stderr == "error: nobody listens\n"
