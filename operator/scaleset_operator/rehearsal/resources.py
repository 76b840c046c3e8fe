"""The custom resources of a fake API server, as raw objects.

Generation counts changes of the spec only; the status is a server-side apply of the whole by one
manager, merged over what other writers left there (protocol rule 25). A spec that the CRD would
refuse trips an assertion, for no test means to store one.
It must not know pods.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from scaleset_operator.api.base import API_VERSION, Model
from scaleset_operator.api.healthprobe import HealthProbeSpec
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.api.outboundrule import OutboundRuleSpec
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.rehearsal.objects import ObjectKey

SPECS: Final[dict[str, type[Model]]] = {
    "ScaleSet": ScaleSetSpec,
    "HealthProbe": HealthProbeSpec,
    "MaintenanceWindow": MaintenanceWindowSpec,
    "OutboundRule": OutboundRuleSpec,
}
FOREIGN: Final = frozenset({"PodDisruptionBudget"})
"""Kinds of Kubernetes' own; what stands in them is not checked."""

Raw = dict[str, Any]


def checked_spec(kind: str, spec: Mapping[str, Any]) -> Raw:
    """A spec's copy; asserts that its model reads it."""
    assert kind in SPECS or kind in FOREIGN, f"the fake does not know {kind}"
    if kind in SPECS:
        SPECS[kind].model_validate(spec)
    return copy.deepcopy(dict(spec))


def new_resource(key: ObjectKey, uid: str, spec: Mapping[str, Any], created: str) -> Raw:
    """A resource of generation 1, without a status."""
    return {
        "apiVersion": API_VERSION,
        "kind": key.kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": uid,
            "generation": 1,
            "creationTimestamp": created,
            "labels": {},
            "annotations": {},
        },
        "spec": checked_spec(key.kind, spec),
        "status": {},
    }


def with_spec(resource: Raw, spec: Mapping[str, Any]) -> Raw:
    """The resource under another spec, its generation one more if that is a change."""
    changed = copy.deepcopy(resource)
    changed["spec"] = checked_spec(resource["kind"], spec)
    changed["metadata"]["generation"] += changed["spec"] != resource["spec"]
    return changed


def with_annotations(resource: Raw, annotations: Mapping[str, str | None]) -> Raw:
    """The resource with annotations set, or taken away where the value is None."""
    changed = copy.deepcopy(resource)
    merged = {**changed["metadata"]["annotations"], **annotations}
    changed["metadata"]["annotations"] = {k: v for k, v in merged.items() if v is not None}
    return changed


def checked_status(status: Mapping[str, Any]) -> Raw:
    """A ScaleSet's status, as its apply sends it; asserts what the CRD's schema would refuse."""
    read = ScaleSetStatus.model_validate(status)
    types = [condition.type for condition in read.conditions]
    assert len(types) == len(set(types)), f"conditions have one entry a type: {types}"
    sent = copy.deepcopy(dict(status))
    known = read.model_dump(mode="json", by_alias=True)
    assert sent.keys() <= known.keys(), f"unknown fields: {sent.keys() - known.keys()}"
    for name in ("creating", "scaleIn", "orchestrationServices", "unhealthyInstances"):
        assert name in sent, f"status.{name} is left out: others' entries would stand for ever"
    for name in ("inFlight", "stalled", "doubts", "armed", "history"):
        assert name in sent["repairs"], f"status.repairs.{name} is left out (rule 25)"
    return sent


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Raw:
    """Two writers' fields as one status: maps merge, conditions merge by type, `over` wins."""
    result = copy.deepcopy(dict(under))
    for name, value in over.items():
        old = result.get(name)
        if name == "conditions" and isinstance(old, list):
            by_type = {row["type"]: row for row in (*old, *value)}
            result[name] = list(by_type.values())
        elif isinstance(old, dict) and isinstance(value, Mapping):
            result[name] = merged(old, value)
        else:
            result[name] = copy.deepcopy(value)
    return result
