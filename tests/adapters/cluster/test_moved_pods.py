"""An instance that is moved, as it is sent to the API server, and what is read of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.adapters.cluster import bodies
from scaleset_operator.adapters.cluster.pods import pod_record
from scaleset_operator.api.base import MAX_NAME_LENGTH
from scaleset_operator.core.plan import CreateInstance
from tests.adapters.cluster.objects import OWNER, pod

if TYPE_CHECKING:
    from scaleset_operator.core.observed import Instance

MOVED: Final = CreateInstance(
    name="web-3",
    instance_id=3,
    update_domain=4,
    model="m2",
    labels=(("team", "shop"), ("scaleset.dev/protect-from-scale-in", "true"), ("app", "old")),
    node="worker-3",
    node_labels=(("maintenance/updated", "yes"),),
    mark="patch/1/0b6f6a0c/2026-11-27T08:00:00Z",
    maintenance='{"isCustomerInitiatedMaintenanceAllowed":false}',
)


def instance_of(**changes: Any) -> Instance:
    record = pod_record(pod(**changes))
    assert record is not None
    return record.instance


def test_a_moved_instance_keeps_its_own_labels_and_no_others_win() -> None:
    """V-21: what people put on it stays; the template's and ours are those of now."""
    labels = bodies.new_pod(OWNER, MOVED)["metadata"]["labels"]
    assert labels["team"] == "shop"
    assert labels["scaleset.dev/protect-from-scale-in"] == "true"
    assert labels["app"] == "web"
    stale = replace(MOVED, labels=(("scaleset.dev/model", "m1"), ("scaleset.dev/instance-id", "9")))
    labels = bodies.new_pod(OWNER, stale)["metadata"]["labels"]
    assert (labels["scaleset.dev/model"], labels["scaleset.dev/instance-id"]) == ("m2", "3")


def test_a_moved_instance_stays_in_its_iteration() -> None:
    """V-04, V-21: both annotations stand on it from its first moment."""
    assert bodies.new_pod(OWNER, MOVED)["metadata"]["annotations"] == {
        "scaleset.dev/maintenance-iteration": MOVED.mark,
        "scaleset.dev/maintenance-redeploy-status": MOVED.maintenance,
    }


def test_a_moved_instance_is_sent_to_an_updated_node() -> None:
    """M-26; the template, which other creates share, is left alone."""
    spec = bodies.new_pod(OWNER, MOVED)["spec"]
    nodes = spec["affinity"]["nodeAffinity"]
    (term,) = nodes["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["yes"]
    assert nodes["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"] == 100
    assert spec["readinessGates"] == [{"conditionType": "scaleset.dev/InRotation"}]
    assert "affinity" not in OWNER.template["spec"]


def test_what_maintenance_says_of_a_pod_arrives() -> None:
    """V-04, V-16, M-05."""
    said = '{"isCustomerInitiatedMaintenanceAllowed":true}'
    marks = {
        "scaleset.dev/maintenance-iteration": "patch/1/0b6f6a0c/2026-11-27T08:00:00Z",
        "scaleset.dev/maintenance-redeploy-status": said,
        "scaleset.dev/perform-maintenance": "patch",
    }
    instance = instance_of(annotations=marks)
    assert instance.mark == "patch/1/0b6f6a0c/2026-11-27T08:00:00Z"
    assert (instance.maintenance, instance.maintenance_asked) == (said, "patch")
    plain = instance_of()
    assert (plain.mark, plain.maintenance, plain.maintenance_asked) == ("", "", "")


def test_what_anybody_may_write_is_kept_only_so_far() -> None:
    """G7: an annotation may have 256 KiB."""
    names = ("maintenance-iteration", "maintenance-redeploy-status", "perform-maintenance")
    instance = instance_of(annotations={f"scaleset.dev/{name}": "x" * 9_000 for name in names})
    assert len(instance.mark) == 400
    assert len(instance.maintenance) == 1_024
    assert len(instance.maintenance_asked) == MAX_NAME_LENGTH


def test_the_marks_of_an_iteration_are_shared_between_pods() -> None:
    """G7: they are alike on all that it includes."""
    marks = {
        f"scaleset.dev/maintenance-{name}": "x" * 50 for name in ("iteration", "redeploy-status")
    }
    one, other = (
        instance_of(annotations=dict(marks)),
        instance_of(number=2, annotations=dict(marks)),
    )
    assert one.mark is other.mark
    assert one.maintenance is other.maintenance
    assert one.own_labels is other.own_labels


def test_of_our_own_labels_only_protection_stays_with_an_instance() -> None:
    """V-21: its id, domain and model are given anew."""
    labels = {
        "team": "shop",
        "scaleset.dev/protect-from-scale-in": "true",
        "scaleset.dev/protect-from-scale-set-actions": "true",
    }
    assert instance_of(labels=labels).own_labels == (
        ("app", "web"),
        *((key, labels[key]) for key in sorted(labels)),
    )


def test_of_very_many_labels_the_first_stay() -> None:
    """V-21: as many as a status has room for."""
    instance = instance_of(labels={f"own-{n:03}": "x" for n in range(60)})
    assert len(instance.own_labels) == 32
    assert instance.own_labels[1] == ("own-000", "x")
