"""`why`, `activities` and `status -w`: what is published, explained to a person and to a script."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scaleset_operator.api.base import format_time
from scaleset_operator.cli.kinds import EVENTS, HEALTH_PROBES, PODS, SCALE_SETS
from scaleset_operator.core.model import model_of
from tests.support.builders import TEMPLATE, raw_probe, raw_spec
from tests.support.fake_clock import T0
from tests.support.fake_plugin import FakeEntrance

MINUTE = timedelta(minutes=1)
Json = dict[str, Any]


def condition(kind: str, status: str, reason: str, **fields: Any) -> Json:
    at = fields.pop("since", T0 - 60 * MINUTE)
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "lastTransitionTime": format_time(at),
        **fields,
    }


def pod(number: int, *, healthy: bool = True, age: timedelta = 90 * MINUTE, **labels: str) -> Json:
    """One that has run for so long; an unhealthy one has answered 503 for 19 minutes."""
    shown = condition("scaleset.dev/Healthy", "True", "Answering", message="answers as expected")
    if not healthy:
        since = T0 - 19 * MINUTE
        words = {"since": since, "message": "HTTP 503, 200 is expected; no success for 11s"}
        shown = condition("scaleset.dev/Healthy", "False", "WrongStatus", **words)
    own = {"scaleset.dev/name": "web", "scaleset.dev/instance-id": str(number)}
    return {
        "metadata": {
            "name": f"web-{number}",
            "namespace": "default",
            "uid": f"uid-web-{number}",
            "resourceVersion": str(number),
            "creationTimestamp": format_time(T0 - age),
            "annotations": {"scaleset.dev/state-change-time": format_time(T0 - age)},
            "labels": {"app": "web", **own, "scaleset.dev/model": model_of(TEMPLATE), **labels},
            "ownerReferences": [
                {
                    "apiVersion": "scaleset.dev/v1alpha1",
                    "kind": "ScaleSet",
                    "name": "web",
                    "uid": "uid-web",
                    "controller": True,
                }
            ],
        },
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": "Running", "conditions": [shown]},
    }


def scale_set(*, in_flight: list[Json] | None = None, **status: Any) -> Json:
    repairs = {
        "enabledTime": format_time(T0 - 120 * MINUTE),
        "batchLimit": 2,
        "inFlight": in_flight or [],
        **status.pop("repairs", {}),
    }
    conditions = [condition("Accepted", "True", "Valid"), condition("Ready", "True", "AllHealthy")]
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "uid-web", "generation": 1},
        "spec": raw_spec(replicas=40),
        "status": {
            "observedGeneration": 1,
            "latestModel": model_of(TEMPLATE),
            "lastInstanceId": 60,
            "conditions": conditions,
            "repairs": repairs,
            **status,
        },
    }


def entry(number: int, replacement: int) -> Json:
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "replacement": f"web-{replacement}",
        "action": "Replace",
        "cause": "HTTP 503",
        "phase": "Replacing",
        "startTime": format_time(T0 - MINUTE),
    }


def young(number: int) -> Json:
    """One that has run for a minute, of which nothing is published."""
    made = pod(number, age=MINUTE)
    made["status"]["conditions"] = []
    return made


def world(*pods: Json, raw: Json | None = None, gone: tuple[int, ...] = ()) -> FakeEntrance:
    """Forty instances less those gone, these among them, and the probe."""
    entrance = FakeEntrance()
    entrance.add(SCALE_SETS, raw or scale_set())
    probe = {"metadata": {"name": "web-http", "namespace": "default", "uid": "p", "generation": 1}}
    entrance.add(HEALTH_PROBES, probe | {"spec": raw_probe()})
    for number in sorted({*range(1, 41)} - {*gone}):
        entrance.add(PODS, pod(number))
    for one in pods:
        entrance.add(PODS, one)
    return entrance


def test_one_in_grace_is_told_until_when_and_which_gates_are_open() -> None:
    """X-11."""
    shown = world(pod(19, healthy=False, age=19 * MINUTE)).run("why", "web-19").stdout
    assert shown.startswith(
        "Instance default/web-19 of ScaleSet web  Unhealthy since 07:41:00Z (19m ago): HTTP 503"
    )
    assert re.search(" ✔ +repairs are enabled", shown)
    assert re.search(" ✖ +its grace is over +until 08:11:00Z \\(in 11m\\)", shown)
    assert "0 of 2 in flight" in shown
    assert shown.splitlines()[-1] == (
        "Decision: Deferred/InGracePeriod: not before 08:11:00Z (in 11m); then it needs a free "
        "slot."
    )


def test_one_that_is_due_is_told_so() -> None:
    shown = world(pod(7, healthy=False)).run("why", "web-7").stdout
    assert "✖" not in shown
    assert shown.splitlines()[-1].startswith("Decision: Repair: every gate is open")


def test_one_that_waits_for_a_slot_is_told_who_holds_them() -> None:
    raw = scale_set(in_flight=[entry(38, 51), entry(39, 52)])
    entrance = world(pod(7, healthy=False), young(51), young(52), raw=raw, gone=(38, 39))
    shown = entrance.run("why", "web-7").stdout
    assert "2 of 2 in flight" in shown
    assert "Deferred/BatchLimitReached: until a slot is free." in shown


def test_what_only_the_operator_knows_is_taken_from_its_word() -> None:
    """X-11: a DELETE that was refused, evidence that is not yet fresh."""
    row = {
        "name": "web-7",
        "vmHealth": "Unhealthy",
        "repairDecision": "Deferred",
        "reason": "RepairBackOff",
        "eligibleTime": format_time(T0 + MINUTE),
    }
    for reason in ("RepairBackOff", "HealthUnknown"):
        raw = scale_set(unhealthyInstances=[row | {"reason": reason}])
        data = world(pod(7, healthy=False), raw=raw).run("why", "web-7", "-o", "json").stdout
        found = json.loads(data)
        assert (found["decision"], found["reason"]) == ("Deferred", reason)
        assert found["until"] == format_time(T0 + MINUTE)


def test_a_healthy_one_has_nothing_to_do_because() -> None:
    shown = world().run("why", "web-1").stdout
    assert "Were it unhealthy, these would be asked:" in shown
    assert shown.splitlines()[-1] == (
        "Decision: Nothing to do, because it is Healthy: answers as expected."
    )


def test_a_victim_that_is_gone_is_told_of_its_repair() -> None:
    raw = scale_set(in_flight=[entry(40, 51)])
    entrance = world(young(51), raw=raw, gone=(40,))
    shown = entrance.run("why", "web-40").stdout
    assert "Repair of web-40 by web-51: Replace, Replacing, begun 07:59:00Z (60s ago)" in shown
    assert "It replaces web-40" in entrance.run("why", "web-51").stdout


def test_one_that_was_repaired_is_remembered_and_one_that_never_was_is_told_so() -> None:
    record = {
        **{k: v for k, v in entry(4, 19).items() if k not in ("uid", "phase")},
        "instance": "web-50",
        "result": "Succeeded",
        "endTime": format_time(T0),
    }
    entrance = world(raw=scale_set(repairs={"history": [record]}))
    said = entrance.run("why", "web-50", code=1).stderr
    assert "its repair ended at 2026-11-21T08:00:00Z: Succeeded, replaced by web-19" in said
    assert "web has 40 others" in entrance.run("why", "web-99", code=1).stderr
    assert "no Pod nonsense" in entrance.run("why", "nonsense", code=1).stderr


def test_a_pod_of_nobody_is_no_instance() -> None:
    entrance = world()
    entrance.add(PODS, {"metadata": {"name": "other", "namespace": "default", "labels": {}}})
    assert "is no instance" in entrance.run("why", "other", code=1).stderr


@pytest.mark.parametrize("words", [("why",), ("repair",), ("protect",), ("approve",)])
def test_a_set_in_the_place_of_an_instance_is_told_from_a_typing_error(
    words: tuple[str, ...],
) -> None:
    said = world().run(*words, "web", code=1).stderr
    assert "web is a ScaleSet; an instance of it is meant, such as web-1" in said


def test_rights_in_one_namespace_are_enough() -> None:
    """Neither nodes nor probes can be read, and no Events."""
    entrance = world(pod(7, healthy=False))
    entrance.forbidden |= {"nodes", "healthprobes", "events"}
    assert "Decision: Repair" in entrance.run("why", "web-7").stdout
    assert "Nothing has happened" in entrance.run("activities", "web").stdout


def test_data_has_every_gate_in_order_and_a_sentence() -> None:
    """X-11: for scripts."""
    found = json.loads(world(pod(7, healthy=False)).run("why", "web-7", "-o", "json").stdout)
    assert found["fate"] == "Repair"
    assert found["gates"][0] == {
        "question": "it is not healthy",
        "open": True,
        "reason": "WrongStatus",
        "detail": "",
        "until": None,
    }
    assert [gate["reason"] for gate in found["gates"]][-1] == "BatchLimitReached"
    assert found["sentence"].startswith("Repair: ")


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_shows_numbers_below_their_question(width: int) -> None:
    entrance = world(pod(7, healthy=False))
    shown = entrance.run("why", "web-7", env={"COLUMNS": str(width)}).stdout
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    assert (re.search("is free +[01] of 2 in flight", shown) is None) == (width == 40)


# --- activities --------------------------------------------------------------------------------


def event(reason: str, at: datetime, **fields: Any) -> Json:
    return {
        "metadata": {"name": f"web.{reason}", "namespace": "default"},
        "involvedObject": {"kind": "ScaleSet", "namespace": "default", "name": "web"},
        "reason": reason,
        "message": "web-7: HTTP 503",
        "type": "Normal",
        "eventTime": format_time(at),
        **fields,
    }


def busy() -> FakeEntrance:
    """One repair made two hours ago, one under way, one that waits, an Event told three times."""
    record = {
        "instance": "web-4",
        "replacement": "web-19",
        "action": "Replace",
        "cause": "no answer",
        "result": "Failed",
        "reason": "GraceExpired",
        "startTime": format_time(T0 - 120 * MINUTE),
        "endTime": format_time(T0 - 80 * MINUTE),
    }
    row = {
        "name": "web-12",
        "vmHealth": "Unhealthy",
        "sinceTime": format_time(T0 - 50 * MINUTE),
        "repairDecision": "Deferred",
        "reason": "InGracePeriod",
        "eligibleTime": format_time(T0 + MINUTE),
    }
    status = {"repairs": {"history": [record]}, "unhealthyInstances": [row]}
    entrance = world(raw=scale_set(in_flight=[entry(7, 41)], **status))
    series = {"count": 3, "lastObservedTime": format_time(T0 - 2 * MINUTE)}
    entrance.add(EVENTS, event("RepairStarted", T0 - 9 * MINUTE, series=series))
    other = event("Else", T0) | {"involvedObject": {"namespace": "default", "name": "other"}}
    entrance.add(EVENTS, other)
    return entrance


def test_activities_are_repairs_decisions_and_events_newest_first() -> None:
    """X-11."""
    rows = json.loads(busy().run("activities", "web", "-o", "json").stdout)["items"]
    assert [(row["instance"], row["result"]) for row in rows] == [
        ("web-7", "InProgress"),
        (None, "Event"),
        ("web-12", "Deferred"),
        ("web-4", "Failed"),
    ]
    assert rows[1]["cause"] == "RepairStarted: web-7: HTTP 503 (x3)"
    assert rows[2]["cause"].endswith("Until 2026-11-21T08:01:00Z.")
    assert rows[3]["cause"] == "no answer; GraceExpired"
    assert rows[3]["tookSeconds"] == 40 * 60


def test_since_leaves_out_what_is_over_and_never_what_stands() -> None:
    rows = json.loads(busy().run("activities", "--since", "30m", "-o", "json").stdout)["items"]
    assert [row["instance"] for row in rows] == ["web-7", None, "web-12"]
    said = busy().run("activities", "--since", "soon", code=1).stderr
    assert said.startswith("error: --since is 'soon': allowed is a span such as 30m")


@pytest.mark.parametrize("width", [40, 100])
def test_activities_fit_the_terminal(width: int) -> None:
    shown = busy().run("activities", env={"COLUMNS": str(width)}).stdout
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "web-12" in shown
    assert ("REPLACEMENT" in shown) == (width == 100)


# --- status -w ---------------------------------------------------------------------------------


def test_a_set_is_followed_until_it_is_healthy() -> None:
    entrance = world(raw=scale_set(observedGeneration=0))
    entrance.changes = [scale_set(observedGeneration=0), scale_set(observedGeneration=0)]
    entrance.changes.append(scale_set())
    shown = entrance.run("status", "web", "-w", "--timeout", "1m").stdout
    assert shown.count("ScaleSet") == 2
    assert "✔ AllHealthy" in shown


def test_a_set_that_does_not_become_healthy_ends_with_4() -> None:
    entrance = world(raw=scale_set(observedGeneration=0))
    entrance.changes = [scale_set(observedGeneration=0)]
    entrance.run("status", "web", "-w", "--timeout", "PT0S", code=4)


def test_a_set_that_is_deleted_meanwhile_ends_the_watch() -> None:
    entrance = world()
    gone = scale_set()
    gone["metadata"]["deletionTimestamp"] = format_time(T0)
    entrance.changes = [gone]
    assert "ScaleSet web was deleted" in entrance.run("status", "web", "-w", code=1).stderr


@pytest.mark.parametrize("words", [["-w"], ["web", "--timeout", "5m"]])
def test_options_that_do_not_go_together_are_refused(words: list[str]) -> None:
    assert world().run("status", *words, code=1).stderr.startswith("error: -")


# --- README ------------------------------------------------------------------------------------


def test_the_readme_shows_what_is_really_printed() -> None:
    shown = world(pod(19, healthy=False, age=19 * MINUTE)).run("why", "web-19").stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert "\n".join(["$ kubectl scaleset why web-19", *lines]) in readme
