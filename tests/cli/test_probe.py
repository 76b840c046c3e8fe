"""`probe`: whom it asks, under which rules, and what it tells of the answers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.api.base import CONDITION_HEALTHY, GATE_IN_ROTATION, LABEL_NAME
from scaleset_operator.cli.kinds import HEALTH_PROBES, PODS, SCALE_SETS
from scaleset_operator.core.attempts import Attempted
from scaleset_operator.core.observed import Outcome
from tests.cli.test_instance_wishes import OWNER
from tests.support.builders import raw_spec
from tests.support.fake_plugin import FakeEntrance

if TYPE_CHECKING:
    from scaleset_operator.reconciler.ports import ProbeTarget

ANSWERS = {
    "10.0.0.1": Attempted(
        outcome=Outcome.OK,
        http_status=200,
        connected=timedelta(milliseconds=1),
        took=timedelta(milliseconds=3),
        first_bytes=b"HTTP/1.1 200 OK\r\n",
    ),
    "10.0.0.2": Attempted(
        outcome=Outcome.WRONG_STATUS,
        http_status=503,
        connected=timedelta(milliseconds=1),
        took=timedelta(milliseconds=4),
        first_bytes=b"HTTP/1.1 503 Busy\r\n\r\n\x1b[2J",
    ),
    "10.0.0.3": Attempted(outcome=Outcome.TIMED_OUT, took=timedelta(seconds=15)),
    "10.0.0.5": Attempted(outcome=None),
}


def pod(name: str, ip: str | None, **metadata: Any) -> dict[str, Any]:
    meta = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "labels": {LABEL_NAME: "web"},
        "ownerReferences": [OWNER | {"uid": "uid-web"}],
    }
    healthy = {"type": CONDITION_HEALTHY, "status": "True"}
    return {"metadata": meta | metadata, "status": {"podIP": ip, "conditions": [healthy]}}


@pytest.fixture
def entrance() -> FakeEntrance:
    """A set with a probe, and instances that answer each in its way."""
    made = FakeEntrance(ends=lambda target: ANSWERS[target.ip])
    meta = {"name": "web", "namespace": "default", "uid": "uid-web", "generation": 1}
    made.add(SCALE_SETS, {"metadata": meta, "spec": raw_spec(), "status": {}})
    probe = {"name": "web-http", "namespace": "default", "uid": "uid-probe", "generation": 1}
    spec = {"protocol": "http", "path": "/healthz", "port": 8080}
    made.add(HEALTH_PROBES, {"metadata": probe, "spec": spec})
    made.add(PODS, pod("web-1", "10.0.0.1"))
    return made


def test_an_instance_that_answers_is_told_in_the_operators_words(entrance: FakeEntrance) -> None:
    """P-14, R-03."""
    said = entrance.run("probe", "web").stdout
    assert "http :8080/healthz" in said
    assert "✔ Answering: answers as expected" in said
    assert "without DNS" in said


@pytest.mark.parametrize(
    ("ip", "said"),
    [
        ("10.0.0.2", "✖ WrongStatus: HTTP 503, 200 is expected"),
        ("10.0.0.3", "✖ ProbeTimedOut: no answer in time; silence from here is no evidence"),
        (None, "✖ NotYetProbed: it has no address yet"),
        ("10.0.0.5", "✖ HealthUnknown: the attempt failed on this side"),
    ],
)
def test_what_does_not_answer_as_expected_has_its_reason_and_exit_code_2(
    entrance: FakeEntrance, ip: str | None, said: str
) -> None:
    """R-04: absent, wrongly configured and unreachable are told apart."""
    entrance.add(PODS, pod("web-2", ip))
    shown = entrance.run("probe", "web", code=2, env={"COLUMNS": "200"}).stdout
    assert said in shown
    assert "✔ Answering" in shown


def test_one_instance_may_be_meant(entrance: FakeEntrance) -> None:
    entrance.add(PODS, pod("web-2", "10.0.0.2"))
    assert "WrongStatus" not in entrance.run("probe", "web", "-i", "web-1").stdout
    said = entrance.run("probe", "web", "--instance", "web-9", code=1).stderr
    assert said == "error: --instance is 'web-9': live instances of web are web-1, web-2\n"


def test_the_first_bytes_are_shown_when_asked_for_and_do_not_drive_the_terminal(
    entrance: FakeEntrance,
) -> None:
    entrance.add(PODS, pod("web-2", "10.0.0.2"))
    assert "HTTP/1.1" not in entrance.run("probe", "web", code=2).stdout
    shown = entrance.run("probe", "web", "-v", code=2, env={"COLUMNS": "200"}).stdout
    assert "HTTP/1.1 503 Busy" in shown
    assert "\x1b" not in shown


def test_data_has_every_number(entrance: FakeEntrance) -> None:
    entrance.add(PODS, pod("web-2", None))
    found = json.loads(entrance.run("probe", "web", "-o", "json", code=2).stdout)
    assert (found["probe"], found["port"]) == ("web-http", 8080)
    assert found["items"][0] == {
        "instance": "web-1",
        "address": "10.0.0.1",
        "answersAsExpected": True,
        "reason": "Answering",
        "message": "answers as expected",
        "published": "Healthy",
        "httpStatus": 200,
        "connectMilliseconds": 1.0,
        "tookMilliseconds": 3.0,
        "firstBytes": "HTTP/1.1 200 OK\r\n",
    }
    assert found["items"][1]["address"] is None


@pytest.mark.parametrize(
    "extra", [{"deletionTimestamp": "2026-11-21T08:00:00Z"}, {"ownerReferences": []}]
)
def test_what_is_no_live_instance_of_the_set_is_not_asked(
    entrance: FakeEntrance, extra: dict[str, Any]
) -> None:
    """A foreign pod with the set's label, and one that is going."""
    entrance.add(PODS, pod("web-2", "10.0.0.2", **extra))
    assert "web-2" not in entrance.run("probe", "web").stdout


def test_the_port_is_found_as_the_operator_finds_it(entrance: FakeEntrance) -> None:
    """P-05: the template's one port; none or several are refused."""
    asked: list[ProbeTarget] = []

    def ends(target: ProbeTarget) -> Attempted:
        asked.append(target)
        return ANSWERS["10.0.0.1"]

    entrance.ends = ends
    probe = entrance.stored(HEALTH_PROBES, "default", "web-http")
    entrance.add(HEALTH_PROBES, {**probe, "spec": {"protocol": "tcp"}})
    body = entrance.stored(SCALE_SETS, "default", "web")
    for ports, code in (([9000], 0), ([], 1), ([1, 2], 1)):
        container = {"name": "c", "ports": [{"containerPort": port} for port in ports]}
        spec = raw_spec(template={"spec": {"containers": [container]}})
        entrance.add(SCALE_SETS, {**body, "spec": spec})
        said = entrance.run("probe", "web", code=code).stderr
        assert code == 0 or f"the template declares {len(ports)}" in said
    assert [target.key.port for target in asked] == [9000]


def test_the_probe_of_rotation_is_asked_when_it_is_meant(entrance: FakeEntrance) -> None:
    """P-29: a set may name a second one; without one, that of health decides over traffic too."""
    assert "InRotation" not in entrance.run("probe", "web").stdout
    assert ":8080/healthz" in entrance.run("probe", "web", "--rotation").stdout
    body = entrance.stored(SCALE_SETS, "default", "web")
    spec = raw_spec(rotationProbeRef={"name": "web-lb"})
    entrance.add(SCALE_SETS, {**body, "spec": spec})
    said = entrance.run("probe", "web", "--rotation", code=1).stderr
    assert "names HealthProbe web-lb in spec.rotationProbeRef" in said
    probe = entrance.stored(HEALTH_PROBES, "default", "web-http")
    meta = {**probe["metadata"], "name": "web-lb"}
    entrance.add(HEALTH_PROBES, {"metadata": meta, "spec": {"protocol": "tcp", "port": 81}})
    gate = {"type": GATE_IN_ROTATION, "status": "False"}
    raw = pod("web-1", "10.0.0.1")
    entrance.add(PODS, {**raw, "status": {**raw["status"], "conditions": [gate]}})
    said = entrance.run("probe", "web", "--rotation", env={"COLUMNS": "200"}).stdout
    assert "tcp :81" in said
    assert "OutOfRotation" in said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"healthProbeRef": {"name": "gone"}}, "names HealthProbe gone in spec.healthProbeRef"),
        ({"healthProbeRef": None}, "its source is readiness alone"),
        (
            {"healthProbeRef": None, "applicationHealth": {"podConditionType": "Ready"}},
            "its source is pod condition Ready",
        ),
    ],
)
def test_a_set_without_a_probe_is_told_what_its_source_is(
    entrance: FakeEntrance, fields: dict[str, Any], said: str
) -> None:
    """P-21: which source is in force."""
    body = entrance.stored(SCALE_SETS, "default", "web")
    entrance.add(SCALE_SETS, {**body, "spec": raw_spec(**fields)})
    assert said in entrance.run("probe", "web", code=1).stderr
