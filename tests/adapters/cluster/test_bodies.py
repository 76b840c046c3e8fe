"""What is sent to the API server, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from scaleset_operator.adapters.cluster import bodies
from scaleset_operator.adapters.cluster.pods import pod_record
from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.plan import (
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    PublishHealth,
    Purpose,
    ReleaseInstance,
    RenewInstance,
)
from tests.adapters.cluster.objects import OWNER, condition, pod

NOW: Final = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
CREATE: Final = CreateInstance(name="web-3", instance_id=3, update_domain=4, model="m2")
PUBLISH: Final = PublishHealth(
    name="web-1", uid="uid-1", health=VMHealth.HEALTHY, reason="Answering", message="200"
)


def body_for(template: dict[str, Any], action: CreateInstance = CREATE) -> dict[str, Any]:
    return bodies.new_pod(replace(OWNER, template=template), action)


def test_a_new_pod_is_the_template_and_our_marks() -> None:
    """R-50: no finalizer is among them, so whoever deletes it need not wait for us."""
    assert bodies.new_pod(OWNER, CREATE) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-3",
            "namespace": "default",
            "labels": {
                "app": "web",
                "scaleset.dev/name": "web",
                "scaleset.dev/instance-id": "3",
                "scaleset.dev/update-domain": "4",
                "scaleset.dev/model": "m2",
            },
            "annotations": {},
            "finalizers": [],
            "ownerReferences": [
                {
                    "apiVersion": "scaleset.dev/v1alpha1",
                    "kind": "ScaleSet",
                    "name": "web",
                    "uid": "uid-of-web",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "containers": [{"name": "web", "image": "web:1"}],
            "readinessGates": [{"conditionType": "scaleset.dev/InRotation"}],
        },
    }


def test_nothing_of_ours_is_copied_from_the_template() -> None:
    """R-49."""
    ours = {
        "scaleset.dev/protect-from-scale-in": "true",
        "scaleset.dev/protect-from-scale-set-actions": "true",
        "scaleset.dev/name": "stolen",
    }
    requests = {"scaleset.dev/terminate-at": "now", "scaleset.dev/repair": "requested"}
    metadata = {"labels": ours | {"a": "b"}, "annotations": requests | {"c": "d"}}
    made = body_for({"metadata": metadata, "spec": {}})["metadata"]
    assert made["labels"]["scaleset.dev/name"] == "web"
    assert made["labels"]["a"] == "b"
    assert not any("protect" in label for label in made["labels"])
    assert made["annotations"] == {"c": "d"}


def test_the_lineage_goes_with_a_replacement() -> None:
    made = body_for({}, replace(CREATE, replaces="web-1", attempt=2))
    assert made["metadata"]["annotations"] == {
        "scaleset.dev/replaces": "web-1",
        "scaleset.dev/repair-attempt": "2",
    }


def test_our_gate_is_added_once_and_the_template_is_left_alone() -> None:
    gates = [{"conditionType": "lb"}]
    template = {"spec": {"readinessGates": gates}}
    assert body_for(template)["spec"]["readinessGates"] == [
        {"conditionType": "lb"},
        {"conditionType": "scaleset.dev/InRotation"},
    ]
    assert gates == [{"conditionType": "lb"}]
    ours = {"spec": {"readinessGates": [{"conditionType": "scaleset.dev/InRotation"}]}}
    assert body_for(ours)["spec"]["readinessGates"] == ours["spec"]["readinessGates"]


def test_a_delete_names_the_pod_that_was_read() -> None:
    """Protocol rule 5."""
    action = DeleteInstance(name="web-1", uid="u", resource_version="5", purpose=Purpose.REPAIR)
    assert bodies.deletion(action)["preconditions"] == {"uid": "u", "resourceVersion": "5"}


def test_the_status_is_applied_on_the_version_of_the_plan() -> None:
    """Protocol rule 25."""
    assert bodies.status_apply(OWNER, {"replicas": 1}) == {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": "ScaleSet",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": "uid-of-web",
            "resourceVersion": "7",
        },
        "status": {"replicas": 1},
    }


def test_adoption_and_release_name_the_pod_that_was_read() -> None:
    meant = {"uid": "u", "resourceVersion": "5"}
    adopted = bodies.adoption(OWNER, AdoptInstance(name="web-1", uid="u", resource_version="5"))
    assert adopted["metadata"].items() >= meant.items()
    assert adopted["metadata"]["ownerReferences"][0]["controller"] is True
    released = bodies.release(OWNER, ReleaseInstance(name="web-1", uid="u", resource_version="5"))
    assert released["metadata"].items() >= meant.items()
    assert released["metadata"]["ownerReferences"] == [{"$patch": "delete", "uid": "uid-of-web"}]


def test_a_first_publication_has_the_time_of_the_change_in_whole_seconds() -> None:
    """Protocol rule 26."""
    body = bodies.publication(replace(PUBLISH, in_rotation=True), None, NOW)
    said = {"status": "True", "reason": "Answering", "message": "200"}
    time = {"lastTransitionTime": "2026-11-21T09:00:00Z"}
    assert body == {
        "metadata": {"uid": "uid-1"},
        "status": {
            "conditions": [
                {"type": "scaleset.dev/Healthy"} | said | time,
                {"type": "scaleset.dev/InRotation"} | said | time,
            ]
        },
    }


@pytest.mark.parametrize(
    ("health", "in_rotation", "changed"),
    [
        (VMHealth.HEALTHY, "True", [False, False]),
        (VMHealth.HEALTHY, "False", [False, True]),
        (VMHealth.UNHEALTHY, "True", [True, False]),
        (VMHealth.UNKNOWN, "False", [True, True]),
    ],
)
def test_the_time_of_the_change_is_sent_only_with_a_change(
    health: VMHealth,
    in_rotation: str,
    changed: list[bool],
) -> None:
    said = [condition("scaleset.dev/Healthy"), condition("scaleset.dev/InRotation")]
    known = pod_record(pod(status={"conditions": said}))
    assert known is not None
    action = replace(PUBLISH, health=health, in_rotation=in_rotation == "True")
    sent = bodies.publication(action, known.instance, NOW)["status"]["conditions"]
    assert ["lastTransitionTime" in one for one in sent] == changed
    assert [one["status"] for one in sent] == [
        {"Healthy": "True", "Unhealthy": "False", "Unknown": "Unknown"}[health],
        in_rotation,
    ]


def test_annotations_go_in_the_same_patch() -> None:
    """Protocol rule 26."""
    action = replace(
        PUBLISH,
        health=None,
        state_change_time=NOW + timedelta(seconds=1),
        clear_attempt=True,
    )
    body = bodies.publication(action, None, NOW)
    assert body["metadata"]["annotations"] == {
        "scaleset.dev/state-change-time": "2026-11-21T09:00:01.123456Z",
        "scaleset.dev/repair-attempt": None,
    }
    assert body["status"]["conditions"] == []


def test_a_renewal_changes_images_and_marks_in_one_patch_of_the_pod_that_was_read() -> None:
    """R-24, R-26, protocol rules 5 and 10: strategic merge; what is not named stays."""
    action = RenewInstance(
        name="web-1",
        uid="uid-1",
        resource_version="10",
        images=(("web", "docker.io/library/web:1"),),
        renewed_from="2,-",
        model="m2",
        attempt=3,
        purpose=Purpose.REPAIR,
    )
    metadata = bodies.renewal(action)["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("uid-1", "10")
    assert metadata["labels"] == {"scaleset.dev/model": "m2"}
    assert metadata["annotations"] == {
        "scaleset.dev/renewed-from": "2,-",
        "scaleset.dev/repair-attempt": "3",
        "scaleset.dev/state-change-time": None,
        "scaleset.dev/repair": None,
        "scaleset.dev/operation": None,
    }
    named = [{"name": "web", "image": "docker.io/library/web:1"}]
    assert bodies.renewal(action)["spec"] == {"containers": named}
    unnumbered = bodies.renewal(replace(action, attempt=0))["metadata"]["annotations"]
    assert unnumbered["scaleset.dev/repair-attempt"] is None


def test_a_notice_is_one_patch_on_exactly_the_pod_that_was_read() -> None:
    """Protocol rules 5, 8 and 26: the deadline and the gate, and nothing of the health."""
    action = GiveNotice(
        name="web-1", uid="uid-1", resource_version="10", terminate_at=NOW.replace(microsecond=0)
    )
    body = bodies.notice(action, None, NOW)
    assert body["metadata"] == {
        "uid": "uid-1",
        "resourceVersion": "10",
        "annotations": {"scaleset.dev/terminate-at": "2026-11-21T09:00:00Z"},
    }
    (gate,) = body["status"]["conditions"]
    assert gate == {
        "type": "scaleset.dev/InRotation",
        "status": "False",
        "reason": "TerminationDelayed",
        "message": "to be deleted at 2026-11-21T09:00:00Z or when it approves",
        "lastTransitionTime": "2026-11-21T09:00:00Z",
    }
    record = pod_record(pod(status={"conditions": [condition("scaleset.dev/InRotation", "False")]}))
    assert record is not None
    (gate,) = bodies.notice(action, record.instance, NOW)["status"]["conditions"]
    assert "lastTransitionTime" not in gate, "it was out of rotation before"


def test_coming_back_into_rotation_is_on_the_version_that_was_seen() -> None:
    """Protocol rule 8."""
    assert "resourceVersion" not in bodies.publication(PUBLISH, None, NOW)["metadata"]
    back = replace(PUBLISH, in_rotation=True, resource_version="10")
    assert bodies.publication(back, None, NOW)["metadata"]["resourceVersion"] == "10"


def test_an_answer_takes_the_requests_alone_off_the_pod_that_was_read() -> None:
    """Protocol rule 5."""
    body = bodies.answer(AnswerRequest(name="web-1", uid="uid-1", resource_version="10"))
    assert body == {
        "metadata": {
            "uid": "uid-1",
            "resourceVersion": "10",
            "annotations": {"scaleset.dev/repair": None, "scaleset.dev/operation": None},
        }
    }
