"""The pod that holds a place: what it takes from the template, what it is, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from scaleset_operator.adapters.cluster.placeholders import LONGEST_WORDS, place_of, placeholder
from scaleset_operator.adapters.cluster.placing import REQUIRED
from scaleset_operator.adapters.cluster.pods import pod_record
from scaleset_operator.core.maintenance_acts import HoldPlace
from tests.adapters.cluster.objects import CREATED, OWNER, controller

PAUSE: Final = "pause:1"
HOLD: Final = HoldPlace(
    name="web-7-place",
    instance="web-7",
    model="m1",
    node_labels=(("maintenance/updated", "yes"),),
)
ASKED: Final = {"key": "maintenance/updated", "operator": "In", "values": ["yes"]}
CLAIM: Final = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
ONE: Final = {
    "name": "web",
    "image": "web:1",
    "command": ["serve"],
    "env": [{"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
    "lifecycle": {"preStop": {"exec": {"command": ["drain"]}}},
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "32Mi"}},
}


def made_for(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The placeholder of a set with such a template."""
    whole = {"metadata": metadata or {}, "spec": {"containers": [ONE], **spec}}
    return placeholder(replace(OWNER, template=whole), HOLD, PAUSE)


def stored(**changes: Any) -> dict[str, Any]:
    """A placeholder as the API server shows it; a change of None takes a field away."""
    made = made_for()
    metadata = {**made["metadata"], "uid": "uid-place", "creationTimestamp": CREATED}
    status = {"phase": "Pending", **changes.pop("status", {})}
    spec = {**made["spec"], **changes.pop("spec", {})}
    named = {key: value for key, value in (metadata | changes).items() if value is not None}
    return {**made, "metadata": named, "spec": spec, "status": status}


def unscheduled(words: str) -> dict[str, Any]:
    row = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    return {"conditions": [{"type": "Ready", "status": "False", "message": "other"}, row]}


def test_it_runs_nothing_of_the_instances_own() -> None:
    """M-26: what it holds is a place; it mounts, starts and reads nothing."""
    (one,) = made_for()["spec"]["containers"]
    assert one == {
        "name": "web",
        "image": PAUSE,
        "imagePullPolicy": "IfNotPresent",
        "resources": ONE["resources"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def test_it_is_as_harmless_as_a_pod_can_be_and_leaves_at_once() -> None:
    """M-26: admitted where only restricted pods are, whatever the template runs as."""
    spec = made_for(
        securityContext={"runAsUser": 0},
        serviceAccountName="web",
        terminationGracePeriodSeconds=600,
        hostNetwork=True,
    )["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65_535,
        "runAsGroup": 65_535,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["terminationGracePeriodSeconds"] == 0
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert not spec.keys() & {"serviceAccountName", "hostNetwork", "readinessGates"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tolerations", [{"key": "gpu", "operator": "Exists"}]),
        ("nodeSelector", {"disk": "ssd"}),
        ("topologySpreadConstraints", [{"maxSkew": 1, "topologyKey": "zone"}]),
        ("runtimeClassName", "gvisor"),
        ("schedulerName", "mine"),
        ("imagePullSecrets", [{"name": "registry"}]),
        ("overhead", {"cpu": "10m"}),
    ],
)
def test_it_is_as_choosy_as_the_instance(field: str, value: Any) -> None:
    """M-26: a place where the instance may not go is none."""
    assert made_for(**{field: value})["spec"][field] == value


def test_it_asks_for_updated_nodes_in_each_term_of_the_template() -> None:
    """M-26."""
    ssd = {"key": "disk", "operator": "In", "values": ["ssd"]}
    terms = [{"matchExpressions": [ssd]}, {"matchExpressions": []}]
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}
    asked = made_for(affinity=affinity)["spec"]["affinity"]["nodeAffinity"][REQUIRED]
    assert asked["nodeSelectorTerms"] == [
        {"matchExpressions": [ssd, ASKED]},
        {"matchExpressions": [ASKED]},
    ]


def test_of_the_volumes_it_takes_those_that_bind_to_a_place() -> None:
    """M-26: a disk is in a zone; a Secret that is not there yet holds nobody up."""
    volumes = [CLAIM, {"name": "tls", "secret": {"secretName": "tls"}}, {"name": "x"}]
    assert made_for(volumes=volumes)["spec"]["volumes"] == [CLAIM]


def test_it_belongs_to_the_set_and_is_none_of_its_instances() -> None:
    """M-26: no controller, none of its labels or marks; and it goes with the set."""
    metadata = {"labels": {"app": "web"}, "annotations": {"prometheus.io/scrape": "true"}}
    made = made_for(metadata)["metadata"]
    assert made["labels"].keys() == {"scaleset.dev/place-for", "scaleset.dev/place-of"}
    assert made.get("annotations", {}) == {}
    (owner,) = made["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        OWNER.uid,
        False,
        False,
    )
    assert pod_record(stored(namespace="default", resourceVersion="7")) is None


def test_a_place_that_the_scheduler_has_found_is_told() -> None:
    """M-26."""
    found = place_of(OWNER, stored(spec={"nodeName": "worker-3"}))
    assert found is not None
    assert (found.name, found.uid, found.node) == ("web-7-place", "uid-place", "worker-3")
    assert found.since == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert (found.refused, found.terminating) == ("", False)


def test_where_there_is_none_the_schedulers_words_are_told() -> None:
    """M-09: of the condition that is about it, and not without end."""
    found = place_of(OWNER, stored(status=unscheduled("0/3 nodes are available: 3 x " + "y" * 500)))
    assert found is not None
    assert found.node is None
    assert found.refused.startswith("0/3 nodes are available")
    assert len(found.refused) == LONGEST_WORDS


@pytest.mark.parametrize(
    "gone",
    [{"deletionTimestamp": CREATED}, {"status": {"phase": "Failed"}}],
    ids=["leaving", "over"],
)
def test_a_place_that_is_going_is_none_to_rely_on(gone: dict[str, Any]) -> None:
    """M-26: an eviction from the updated node, say."""
    found = place_of(OWNER, stored(**gone))
    assert found is not None
    assert found.terminating


@pytest.mark.parametrize(
    "other",
    [
        {"labels": {"app": "web"}},
        {"labels": None},
        {"ownerReferences": None},
        {"ownerReferences": [controller("uid-of-another", controller=False)]},
    ],
    ids=["no mark", "no labels", "nobody's", "another set's"],
)
def test_a_pod_that_is_not_ours_holds_no_place(other: dict[str, Any]) -> None:
    """M-26: it is neither counted on nor deleted."""
    assert place_of(OWNER, stored(**other)) is None
