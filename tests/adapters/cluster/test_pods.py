"""A pod's JSON becomes an instance: every field, and every doubt about one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from scaleset_operator.adapters.cluster.pods import PodRecord, pod_record
from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.observed import Containers, Instance
from scaleset_operator.reconciler.ports import Key
from tests.adapters.cluster.objects import CREATED, RAN, WEB, condition, container, controller, pod

HEALTHY, UNHEALTHY, UNKNOWN = VMHealth.HEALTHY, VMHealth.UNHEALTHY, VMHealth.UNKNOWN


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def record_of(**changes: Any) -> PodRecord:
    record = pod_record(pod(**changes))
    assert record is not None
    return record


def instance_of(**changes: Any) -> Instance:
    return record_of(**changes).instance


def test_every_field_of_a_plain_pod_arrives() -> None:
    assert instance_of() == Instance(
        name="web-1",
        uid="uid-1",
        resource_version="10",
        instance_id=1,
        update_domain=2,
        model="m1",
        created=at(CREATED),
        ip="127.16.0.1",
        node="node-1",
        started=at(RAN),
        containers_ready=True,
        reports=(("Ready", HEALTHY, at(RAN)),),
        containers=Containers(names=("web",), images=("web:1",), image_ids=("",), restarts=(0,)),
        own_labels=(("app", "web"),),
    )


def test_a_pod_of_this_moment_has_nothing_but_its_name() -> None:
    instance = instance_of(spec={"nodeName": None}, status={"podIP": None, "conditions": None})
    assert (instance.ip, instance.node) == (None, None)
    assert instance.reports == (("Ready", UNKNOWN, at(CREATED)),)
    bare = pod()
    del bare["status"]
    record = pod_record(bare)
    assert record is not None
    assert record.instance.started is None


@pytest.mark.parametrize("value", [None, "", "x", "-1", "+1", "007", "1.0", "1e3", "²", "9" * 11])
def test_a_pod_without_a_valid_instance_id_is_ignored(
    value: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert pod_record(pod(labels={"scaleset.dev/instance-id": value})) is None
    assert "default/web-1 is ignored" in caplog.text


def test_a_pod_without_a_sets_name_is_ignored() -> None:
    stripped = pod()
    del stripped["metadata"]["labels"]["scaleset.dev/name"]
    assert pod_record(stripped) is None
    assert pod_record(pod() | {"metadata": pod()["metadata"] | {"labels": None}}) is None


@pytest.mark.parametrize(
    "reference",
    [
        controller(kind="ReplicaSet", apiVersion="apps/v1"),
        controller(apiVersion="other.dev/v1"),
        controller(kind="HealthProbe"),
    ],
)
def test_a_pod_that_another_kind_controls_is_ignored(reference: dict[str, Any]) -> None:
    assert pod_record(pod(ownerReferences=[reference])) is None


def test_owners_that_do_not_control_do_not_count() -> None:
    assert record_of(ownerReferences=[controller(controller=False)]).owner is None
    owner = record_of(ownerReferences=[controller("other", controller=None), controller()]).owner
    assert owner is not None
    assert owner.uid == "uid-of-web"


def test_the_owner_is_woken_or_else_the_set_of_the_label() -> None:
    assert record_of(labels={"scaleset.dev/name": "label"}).wakes == WEB
    orphan = record_of(labels={"scaleset.dev/name": "label"}, ownerReferences=None)
    assert orphan.wakes == Key("default", "label")


def test_labels_are_shared_between_instances_of_one_model() -> None:
    assert record_of(number=1).labels is record_of(number=2).labels


@pytest.mark.parametrize(
    ("statuses", "started"),
    [
        ([container(running=RAN)], RAN),
        ([container(running="2026-11-21T09:00:00Z", before=RAN)], RAN),
        ([container(before=RAN)], RAN),
        ([container(ended=RAN)], RAN),
        ([container(ended="2026-11-21T09:00:00Z", before=RAN)], RAN),
        ([container()], None),
        ([], None),
        ([{"name": "web"}], None),
        ([container("sidecar", running=RAN)], None),
    ],
)
def test_the_start_is_the_earliest_known_and_a_restart_renews_nothing(
    statuses: list[dict[str, Any]], started: str | None
) -> None:
    """R-24, R-28."""
    instance = instance_of(status={"containerStatuses": statuses})
    assert instance.started == (at(started) if started else None)
    assert not instance.started_is_recorded


def test_the_last_of_several_containers_decides() -> None:
    """R-24."""
    spec = {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "proxy"}]}
    first, late = container("a", running=RAN), container("b", running="2026-11-21T08:01:00Z")
    both = instance_of(spec=spec, status={"containerStatuses": [first, late]})
    assert both.started == at("2026-11-21T08:01:00Z")
    one = instance_of(spec=spec, status={"containerStatuses": [first, container("b")]})
    assert one.started is None


def test_the_recorded_start_stands_above_what_kubelet_says() -> None:
    """R-28."""
    note = {"scaleset.dev/state-change-time": "2026-11-21T07:00:00.250000Z"}
    instance = instance_of(annotations=note)
    assert instance.started == datetime(2026, 11, 21, 7, 0, 0, 250000, tzinfo=UTC)
    assert instance.started_is_recorded


@pytest.mark.parametrize("value", ["soon", "", "2026-11-21T07:00:00", "2026-13-01T00:00:00Z"])
def test_a_recorded_start_that_is_no_time_is_not_believed(value: str) -> None:
    instance = instance_of(annotations={"scaleset.dev/state-change-time": value})
    assert instance.started == at(RAN)
    assert not instance.started_is_recorded


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown", "Failed", "Succeeded"])
def test_a_pod_that_has_ended_is_over(phase: str) -> None:
    assert instance_of(status={"phase": phase}).over is (phase in {"Failed", "Succeeded"})


def test_a_pod_with_a_deletion_time_is_terminating() -> None:
    assert instance_of(deletionTimestamp=RAN).terminating


def test_the_conditions_of_kubelet_are_no_reports_and_those_of_others_are() -> None:
    kinds = ["PodScheduled", "Initialized", "PodReadyToStartContainers", "DisruptionTarget"]
    kinds += ["ContainersReady", "Ready", "PodResizePending", "PodResizeInProgress"]
    kinds += ["scaleset.dev/Healthy", "scaleset.dev/InRotation"]
    said = [condition(kind) for kind in kinds]
    said += [condition("example.com/Disk", "False"), condition("Warm", "Unknown", since="")]
    assert instance_of(status={"conditions": said}).reports == (
        ("Ready", HEALTHY, at(RAN)),
        ("example.com/Disk", UNHEALTHY, at(RAN)),
        ("Warm", UNKNOWN, at(CREATED)),
    )


GATES = {"readinessGates": [{"conditionType": "scaleset.dev/InRotation"}, {"conditionType": "lb"}]}
LATER = "2026-11-21T08:01:00Z"


@pytest.mark.parametrize(
    ("said", "report"),
    [
        ([condition("ContainersReady"), condition("lb", since=LATER)], (HEALTHY, LATER)),
        ([condition("ContainersReady", "False"), condition("lb")], (UNHEALTHY, RAN)),
        (
            [condition("ContainersReady", "False", LATER), condition("lb", "False")],
            (UNHEALTHY, RAN),
        ),
        ([condition("ContainersReady")], (UNKNOWN, CREATED)),
        ([condition("ContainersReady", "False")], (UNHEALTHY, RAN)),
        ([condition("ContainersReady", "Unknown", LATER), condition("lb")], (UNKNOWN, LATER)),
        ([], (UNKNOWN, CREATED)),
    ],
)
def test_ready_is_reported_without_our_own_gate(
    said: list[dict[str, Any]], report: tuple[VMHealth, str]
) -> None:
    instance = instance_of(spec=GATES, status={"conditions": said})
    health, since = report
    assert instance.reports == (("Ready", health, at(since)), *instance.reports[1:])


def test_our_own_gate_and_condition_arrive() -> None:
    said = [
        condition("scaleset.dev/Healthy", "False", reason="WrongStatus"),
        condition("scaleset.dev/InRotation", "False"),
        condition("Ready"),
    ]
    instance = instance_of(status={"conditions": said})
    assert instance.published
    assert instance.published.health is UNHEALTHY
    assert (instance.published.reason, instance.published.since) == ("WrongStatus", at(RAN))
    assert instance.in_rotation is False
    assert instance.ready
    assert not instance.containers_ready


def test_labels_and_annotations_of_ours_arrive() -> None:
    instance = instance_of(
        labels={
            "scaleset.dev/protect-from-scale-in": "true",
            "scaleset.dev/protect-from-scale-set-actions": "yes",
            "scaleset.dev/update-domain": "x",
        },
        annotations={
            "scaleset.dev/repair-attempt": "3",
            "scaleset.dev/replaces": "web-0",
            "scaleset.dev/repair": "requested",
            "scaleset.dev/operation": "x" * 1_000,
        },
    )
    assert instance.protected_from_scale_in
    assert not instance.protected_from_actions
    assert instance.update_domain == 0
    assert (instance.attempt, instance.replaces) == (3, "web-0")
    assert instance.repair_request == "requested"
    assert instance.operation == "x" * 64


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5"])
def test_a_repair_attempt_that_is_no_number_is_none(value: str) -> None:
    assert instance_of(annotations={"scaleset.dev/repair-attempt": value}).attempt == 0


NINE: Final = "2026-11-21T09:00:00Z"
TEN: Final = "2026-11-21T10:00:00Z"


@pytest.mark.parametrize(
    ("status", "started"),
    [
        (container(running=RAN, restarts=2), None),
        (container(before=RAN, restarts=2), None),
        (container(running=NINE, before=RAN, restarts=3), NINE),
        (container(ended=NINE, before=RAN, restarts=3), NINE),
        (container(running=TEN, before=NINE, restarts=4), NINE),
    ],
)
def test_after_a_renewal_only_a_later_run_is_a_start(
    status: dict[str, Any], started: str | None
) -> None:
    """R-24, R-26, R-28: the restart that we made is a state change, kubelet's next one is none."""
    marks = {"scaleset.dev/renewed-from": "2"}
    instance = instance_of(annotations=marks, status={"containerStatuses": [status]})
    assert instance.started == (at(started) if started else None)
    assert instance.renewing


def test_a_container_that_is_left_alone_by_a_renewal_keeps_its_start() -> None:
    """R-24: of two, only the second was renewed."""
    spec = {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}
    marks = {"scaleset.dev/renewed-from": "-,0"}
    rows = [container("a", running=RAN), container("b", running=NINE, before=RAN, restarts=1)]
    instance = instance_of(spec=spec, annotations=marks, status={"containerStatuses": rows})
    assert instance.started == at(NINE)
    assert instance.containers.images == ("a:1", "b:2")
    assert instance.containers.restarts == (0, 1)


def test_once_recorded_the_start_of_a_renewal_stands() -> None:
    """R-26: the mark of the renewal may stay; the moment stands beside it."""
    marks = {"scaleset.dev/renewed-from": "0", "scaleset.dev/state-change-time": NINE}
    instance = instance_of(annotations=marks)
    assert (instance.started, instance.renewing) == (at(NINE), False)


@pytest.mark.parametrize("mark", ["", "x", "1,2", "-1", "0;"])
def test_a_mark_that_is_not_ours_is_none(mark: str) -> None:
    """R-28: anybody can write an annotation."""
    instance = instance_of(annotations={"scaleset.dev/renewed-from": mark})
    assert instance.started == at(RAN)
    assert not instance.renewing


def test_equal_containers_are_shared_between_pods() -> None:
    """G7: what the pods of a set have in common is kept once."""
    assert instance_of().containers is instance_of().containers
