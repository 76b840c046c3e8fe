"""The pod that holds a place for an instance: as large and as choosy, and nothing else. Pure.

It bears none of the set's labels, so that no Service, budget or set counts it; what it runs does
not matter, for only the scheduler's answer is wanted (M-26). So it need not get past its init
containers either, whose size counts as the instance's own does.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from scaleset_operator.adapters.cluster.companions import repelling
from scaleset_operator.adapters.cluster.placing import only_on
from scaleset_operator.adapters.cluster.pods import SCALE_SET
from scaleset_operator.api.base import API_VERSION, LABEL_PLACE_FOR, LABEL_PLACE_OF
from scaleset_operator.core.maintenance_acts import HoldPlace
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.ports import Owner

Body = dict[str, Any]

CHOOSY: Final = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "preemptionPolicy",
    "runtimeClassName",
    "schedulerName",
    "imagePullSecrets",
    "overhead",
    "resources",
    "resourceClaims",
)
"""What of a pod's spec decides where it may go."""
NOBODY: Final = 65_535
"""The user and group of the pause image."""
LONGEST_WORDS: Final = 200


def placeholder(owner: Owner, action: HoldPlace, image: str) -> Body:
    """The pod to be created.

    Args:
        owner: the set.
        action: which name, for whom, on which nodes.
        image: of a program that waits, which every node has.
    """
    template = owner.template.get("spec") or {}
    spec = {key: template[key] for key in CHOOSY if key in template}
    claims = [v for v in template.get("volumes") or () if "persistentVolumeClaim" in v]
    first = template.get("initContainers") or ()
    on_host = template.get("hostNetwork") is True
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": action.name,
            "namespace": owner.key.namespace,
            "labels": {LABEL_PLACE_FOR: action.instance, LABEL_PLACE_OF: owner.key.name},
            "ownerReferences": [_reference(owner)],
        },
        "spec": {
            **only_on(repelling(spec, owner), action.node_labels),
            "containers": [_container(one, image, on_host) for one in template["containers"]],
            "initContainers": [_container(one, image, on_host) for one in first],
            "volumes": claims,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": NOBODY,
                "runAsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


def place_of(owner: Owner, pod: Mapping[str, Any]) -> Place | None:
    """What a pod says of the place that it holds; None where it is no placeholder of this set."""
    meta, status = pod["metadata"], pod.get("status") or {}
    ours = any(ref.get("uid") == owner.uid for ref in meta.get("ownerReferences") or ())
    if not ours or LABEL_PLACE_FOR not in (meta.get("labels") or {}):
        return None
    words = (
        str(c.get("message") or "")
        for c in status.get("conditions") or ()
        if c["type"] == "PodScheduled"
    )
    return Place(
        name=meta["name"],
        uid=meta["uid"],
        since=datetime.fromisoformat(meta["creationTimestamp"]),
        node=pod["spec"].get("nodeName") or None,
        refused=next(words, "")[:LONGEST_WORDS],
        terminating="deletionTimestamp" in meta or status.get("phase") in {"Failed", "Succeeded"},
    )


def _container(one: Mapping[str, Any], image: str, on_host: bool) -> Body:  # noqa: FBT001 - one of three facts
    """As large as the instance's own, with its ports of the node, and harmless."""
    ports = [_taken(port) for port in one.get("ports") or () if on_host or port.get("hostPort")]
    kept = {key: one[key] for key in ("resources", "restartPolicy") if key in one}
    return {
        "name": one["name"],
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **kept,
        **({"ports": ports} if ports else {}),
    }


def _taken(port: Mapping[str, Any]) -> Body:
    """A port of the node; on the node's network each port of a container is one."""
    return {"hostPort": port["containerPort"], **port}


def _reference(owner: Owner) -> Body:
    """It goes with its set; the set does not count it, for it is not its controller."""
    return {
        "apiVersion": API_VERSION,
        "kind": SCALE_SET,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": False,
        "blockOwnerDeletion": False,
    }
