"""How the pretended kubelets behave: our short stages, and those of the caller, as KWOK's input.

It knows the files under data/ and the shape of KWOK's objects; it must not know how KWOK is
started, nor which cluster it serves.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable

_DATA = resources.files(__package__ or "localcluster") / "data"
_TEMPLATES = {"node": "node-status.gotpl"}
_POD_TEMPLATE = "pod-status.gotpl"

KUBELET_LABEL = "localcluster/kubelet"
"""Nodes with this label at `KUBELET_RUNNING` are kept alive; without it they fall silent."""

KUBELET_RUNNING = "running"

# Enough to keep a thousand pods a few seconds apart from ready, without crowding two cores out.
_WORKERS = 16
_LEASE_SECONDS = 40


def stages(extra: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Give the Stage objects KWOK is to play.

    Args:
        extra: whole Stage objects (`kwok.x-k8s.io/v1alpha1`); one that bears the name of ours
            replaces it, any other is added.
    """
    entries = yaml.safe_load((_DATA / "stages.yaml").read_text())
    named = {entry["name"]: _stage(entry) for entry in entries}
    for stage in extra:
        named[stage["metadata"]["name"]] = dict(stage)
    return list(named.values())


def kwok_config(stage_objects: Iterable[Mapping[str, Any]], *, pod_cidr: str) -> str:
    """Give the text of KWOK's configuration file.

    Args:
        stage_objects: as `stages` gives them.
        pod_cidr: block the pods' addresses are taken from where their node has none of its own.
    """
    options = {
        "cidr": pod_cidr,
        "nodeIP": "127.0.0.1",
        "manageNodesWithLabelSelector": f"{KUBELET_LABEL}={KUBELET_RUNNING}",
        "nodeLeaseDurationSeconds": _LEASE_SECONDS,
        # Each of these at 0 makes KWOK exit.
        "podPlayStageParallelism": _WORKERS,
        "nodePlayStageParallelism": _WORKERS,
        "nodeLeaseParallelism": _WORKERS,
        "podsOnNodeSyncParallelism": _WORKERS,
        "enablePodsOnNodeSyncListPager": False,
        "enablePodsOnNodeSyncStreamWatch": True,
    }
    configuration = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": options,
    }
    return yaml.safe_dump_all([configuration, *map(dict, stage_objects)], sort_keys=False)


def audit_policy() -> Traversable:
    """Give the API server's audit policy, as package data."""
    return _DATA / "audit-policy.yaml"


def _stage(entry: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": entry["kind"]},
        "selector": {
            "matchExpressions": [
                {"key": _words() + entry["when"], "operator": "In", "values": ["true"]}
            ]
        },
        "next": {"delete": True} if entry.get("delete") else _status(entry["status"]),
    }
    if "delay" in entry:
        spec["delay"] = {
            "durationMilliseconds": 0,
            "durationFrom": {"expressionFrom": _words() + entry["delay"]},
        }
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": entry["name"]},
        "spec": spec,
    }


def _words() -> str:
    return (_DATA / "lifecycle.jq").read_text()


def _status(mode: str) -> dict[str, str]:
    body = (_DATA / _TEMPLATES.get(mode, _POD_TEMPLATE)).read_text()
    return {"statusTemplate": f'{{{{ $mode := "{mode}" }}}}\n{body}'}
