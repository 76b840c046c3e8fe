"""The API server refuses what the CRDs do not allow, and says which field and what is allowed.

Must not know: the operator; it does not run here, the rules are the API server's to check.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.api import ApiError
from localcluster.cluster import KubectlError
from tests.api.accepted import ACCEPTED
from tests.api.manifests import ABSENT, PLURALS, PROBE, SET, WINDOW, manifest
from tests.api.refusal import GRACE, POLICY
from tests.api.refused_others import PROBES, RULES, WINDOWS
from tests.api.refused_scalesets import REPAIRS, SETS, SPANS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcluster.api import ApiClient
    from localcluster.cluster import LocalCluster
    from tests.api.manifests import Manifest
    from tests.api.refusal import Case

DRY: Final = "?dryRun=All&fieldValidation=Strict"
"""Checked as a real write is, kept by nobody."""
REFUSED: Final = (*SPANS, *REPAIRS, *SETS, *PROBES, *WINDOWS, *RULES)


def collection(kind: str, namespace: str = "default") -> str:
    return f"/apis/scaleset.dev/v1alpha1/namespaces/{namespace}/{PLURALS[kind]}"


def refusal(error: pytest.ExceptionInfo[ApiError]) -> str:
    """What the API server answered, as a person reads it."""
    body = str(error.value).partition(": ")[2]
    return str(json.loads(body)["message"])


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_wrong_input_is_refused_with_the_field_and_what_is_allowed(
    api: ApiClient, case: Case
) -> None:
    """R-01, R-02, R-05, R-08, R-30, R-31, R-38, P-02, P-03, P-04, P-07, P-08, P-32, M-05, M-11,
    V-01, V-13, V-28, S-33."""
    body = manifest(case.kind, name=case.name, changes=case.changes)
    with pytest.raises(ApiError) as refused:
        api.create(collection(case.kind) + DRY, body)
    said = refusal(refused)
    assert refused.value.status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST}, said
    assert case.field in said
    assert case.allowed in said


@pytest.mark.parametrize(
    ("what", "kind", "changes"), ACCEPTED, ids=[f"{a[1]}: {a[0]}" for a in ACCEPTED]
)
def test_what_lies_on_a_bound_is_accepted(
    api: ApiClient, what: str, kind: str, changes: Manifest
) -> None:
    """R-05, R-07, R-30, R-31, P-04, P-06, P-07, P-08, P-10, M-05, M-11, V-13."""
    assert api.create(collection(kind) + DRY, manifest(kind, changes=changes)), what


def stored(api: ApiClient, namespace: str, body: Manifest) -> str:
    """Creates an object for real and gives its path."""
    api.create(collection(body["kind"], namespace), body)
    return f"{collection(body['kind'], namespace)}/{body['metadata']['name']}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.selector"),
        ({"selector": {"matchLabels": {"extra": "label"}}}, "spec.selector"),
    ],
    ids=["another value", "one label more"],
)
def test_the_selector_never_changes(
    api: ApiClient, namespace: str, changes: Mapping[str, Any], field: str
) -> None:
    path = stored(api, namespace, manifest(SET))
    with pytest.raises(ApiError) as refused:
        api.merge(path, {"spec": changes})
    assert refused.value.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f"{field} is immutable" in refusal(refused)


def test_scaling_beyond_200_is_refused_on_every_way_while_repairs_are_on(
    kinds: LocalCluster, api: ApiClient, namespace: str
) -> None:
    """R-05: by kubectl scale and by an edit; 200 itself is allowed on both."""
    path = stored(api, namespace, manifest(SET, changes={"spec.replicas": 199}))
    kinds.kubectl("scale", "scaleset/sample", "--replicas=200", "-n", namespace)
    with pytest.raises(KubectlError, match=r"spec\.replicas must be 0 to 200"):
        kinds.kubectl("scale", "scaleset/sample", "--replicas=201", "-n", namespace)
    with pytest.raises(ApiError, match=r"spec\.replicas must be 0 to 200"):
        api.merge(path, {"spec": {"replicas": 201}})
    assert api.get(path)["spec"]["replicas"] == 200


def test_enabling_repairs_on_201_instances_is_refused(api: ApiClient, namespace: str) -> None:
    """R-05: the other path to the same state; Extended lifts the limit."""
    off = {"spec.replicas": 201, f"{POLICY}.enabled": False}
    path = stored(api, namespace, manifest(SET, changes=off))
    with pytest.raises(ApiError, match=r"spec\.replicas must be 0 to 200"):
        api.merge(path, {"spec": {"automaticRepairsPolicy": {"enabled": True}}})
    extended = {"enabled": True, "limits": "Extended"}
    api.merge(path, {"spec": {"automaticRepairsPolicy": extended}})
    with pytest.raises(ApiError, match=r"spec\.replicas must be 0 to 200"):
        api.merge(path, {"spec": {"automaticRepairsPolicy": {"limits": "Standard"}}})


def test_removing_the_source_of_health_while_repairs_are_on_is_refused(
    api: ApiClient, namespace: str
) -> None:
    """R-02."""
    path = stored(api, namespace, manifest(SET))
    with pytest.raises(ApiError, match=r"set spec\.healthProbeRef or spec\.applicationHealth"):
        api.merge(path, {"spec": {"healthProbeRef": None}})


@pytest.mark.parametrize(
    "change",
    [{"once": {"scheduled": {"endTime": "2026-11-27T09:00:00Z"}}}, {"impact": "None"}],
    ids=["its times", "its impact"],
)
def test_an_announced_maintenance_is_not_moved_only_suspended(
    api: ApiClient, namespace: str, change: Manifest
) -> None:
    """M-23: what is announced stands; before that it may still be moved."""
    path = stored(api, namespace, manifest(WINDOW))
    api.merge(path, {"spec": {"once": {"scheduled": {"endTime": "2026-11-27T08:30:00Z"}}}})
    api.merge(f"{path}/status", {"status": {"announcedTime": "2026-10-21T00:00:00Z"}})
    with pytest.raises(ApiError, match="must stay as it was announced"):
        api.merge(path, {"spec": change})
    assert api.merge(path, {"spec": {"suspend": True}})["spec"]["suspend"] is True


def test_defaults_are_filled_in_one_by_one(api: ApiClient) -> None:
    """P-07, P-08, P-09, R-07, R-30: a time-out of 11 alone leaves the interval at 15."""
    short = {"spec.timeoutInSeconds": 11, "spec.port": ABSENT}
    probe = api.create(collection(PROBE) + DRY, manifest(PROBE, changes=short))["spec"]
    assert (probe["intervalInSeconds"], probe["timeoutInSeconds"]) == (15, 11)
    assert "port" not in probe
    bare = manifest(SET, changes={"spec.replicas": ABSENT, POLICY: {}})
    spec = api.create(collection(SET) + DRY, bare)["spec"]
    policy = spec["automaticRepairsPolicy"]
    assert (spec["replicas"], spec["updateDomainCount"]) == (1, 5)
    assert (policy["enabled"], policy["gracePeriod"], policy["limits"]) == (
        False,
        "PT30M",
        "Standard",
    )
    assert spec["upgradePolicy"]["mode"] == "Rolling"
    assert spec["upgradePolicy"]["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 20


def test_a_status_holds_only_what_was_sent(api: ApiClient, namespace: str) -> None:
    """R-37: no defaults in a status, and an empty list stays an empty list."""
    path = stored(api, namespace, manifest(SET))
    sent = {"replicas": 3, "repairs": {"inFlight": [], "batchLimit": 1}, "creating": []}
    assert api.merge(f"{path}/status", {"status": sent})["status"] == sent


def test_the_bounds_hold_after_a_change_as_well(api: ApiClient, namespace: str) -> None:
    """R-30, R-31: an edit is checked as a creation is."""
    path = stored(api, namespace, manifest(SET))
    field = GRACE.rpartition(".")[2]
    for span in ("PT29M59S", "P1M", "30m"):
        with pytest.raises(ApiError) as refused:
            api.merge(path, {"spec": {"automaticRepairsPolicy": {field: span}}})
        assert refused.value.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert GRACE in refusal(refused)
