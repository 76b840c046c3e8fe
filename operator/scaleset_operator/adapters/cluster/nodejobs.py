"""The Job that works on one node: what is made of a window's template, and how one is read. Pure.

Must not know: when a Job is made, or what follows from its end.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from scaleset_operator.api.base import ANNOTATION_NODE_MAINTENANCE, API_VERSION
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.noderecord import claim_of
from scaleset_operator.core.nodeview import CreateJob, JobView

Json = dict[str, Any]

KEPT_S: Final = 7 * 24 * 3600
"""How long an ended Job stays to be looked at, where its template does not say."""
KEPT_AT_LEAST_S: Final = 3600
"""One that goes sooner could be gone before its end was seen."""
TOLERATIONS: Final = (
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
    # Its pod outlives the reboot that it causes; nodeMaintenance.timeout is what ends it.
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
)


def job_body(window: MaintenanceWindow, act: CreateJob, template: Mapping[str, Any]) -> Json:
    """The Job: the template, on this node alone, owned by the window."""
    meta = window.metadata
    given = copy.deepcopy(dict(template))
    spec = _map(given.get("spec"))
    pod = _map(spec.get("template"))
    spec["template"] = {**pod, "spec": _on_node(_map(pod.get("spec")), act.node)}
    kept = spec.get("ttlSecondsAfterFinished", KEPT_S)
    spec["ttlSecondsAfterFinished"] = max(kept, KEPT_AT_LEAST_S) if isinstance(kept, int) else kept
    own = _map(given.get("metadata"))
    claim = claim_of(window, act.iteration)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": act.name,
            "namespace": meta.namespace,
            "labels": own.get("labels") or {},
            "annotations": (own.get("annotations") or {}) | {ANNOTATION_NODE_MAINTENANCE: claim},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "MaintenanceWindow",
                    "name": meta.name,
                    "uid": meta.uid,
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }


def job_view(job: Mapping[str, Any], window_uid: str) -> JobView:
    """Maps one Job."""
    meta = job["metadata"]
    conditions = (job.get("status") or {}).get("conditions") or ()
    held = {c["type"]: c.get("message") or "" for c in conditions if c["status"] == "True"}
    owners = meta.get("ownerReferences") or ()
    return JobView(
        name=meta["name"],
        uid=meta["uid"],
        ours=any(one["uid"] == window_uid and one.get("controller") for one in owners),
        complete="Complete" in held,
        failed="Failed" in held,
        message=held.get("Failed", ""),
        terminating="deletionTimestamp" in meta,
    )


def _on_node(spec: Mapping[str, Any], node: str) -> Json:
    """A pod's spec, held to one node by its name, as a DaemonSet's pods are; the scheduler places.

    A node's label for its host name may be another than its name.
    """
    affinity = _map(spec.get("affinity"))
    near = _map(affinity.get("nodeAffinity"))
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = _map(near.get(required)).get("nodeSelectorTerms") or [{}]
    by_name = {"key": "metadata.name", "operator": "In", "values": [node]}
    near[required] = {
        "nodeSelectorTerms": [
            {**term, "matchFields": [*(term.get("matchFields") or ()), by_name]} for term in terms
        ]
    }
    affinity["nodeAffinity"] = near
    tolerated = list(spec.get("tolerations") or ())
    tolerated += [one for one in TOLERATIONS if one not in tolerated]
    restart = spec.get("restartPolicy") or "Never"
    return {**spec, "affinity": affinity, "tolerations": tolerated, "restartPolicy": restart}


def _map(value: Any) -> Json:
    """A map of a template, a copy; what is none is left out, for the API server to miss."""
    return dict(value) if isinstance(value, Mapping) else {}
