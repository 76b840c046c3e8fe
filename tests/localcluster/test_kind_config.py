"""kind's configuration: its own choices on an ordinary machine, and each workaround by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcluster.kind import config
from localcluster.kind.machine import Restrictions

POLICY = Path("/state/audit-policy.yaml")
NOTHING_LACKS = Restrictions(no_sys_resource=False, cgroup_v1=False)


def rendered(restrictions: Restrictions | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config.render(restrictions, POLICY))
    return found


def patches(restrictions: Restrictions) -> dict[str, dict[str, Any]]:
    found = [json.loads(text) for text in rendered(restrictions)["kubeadmConfigPatches"]]
    return {patch.pop("kind"): patch for patch in found}


def test_an_ordinary_machine_gets_nodes_and_nothing_else() -> None:
    found = rendered(None)
    assert [node["role"] for node in found.pop("nodes")] == ["control-plane", "worker", "worker"]
    assert found.keys() == {"kind", "apiVersion", "name", "kubeadmConfigPatchesJSON6902"}


def test_the_nodes_have_the_names_that_kind_gives_them() -> None:
    assert config.nodes() == ["scaleset-control-plane", "scaleset-worker", "scaleset-worker2"]


@pytest.mark.parametrize("restrictions", [None, NOTHING_LACKS])
def test_the_api_server_keeps_an_audit_log_beside_what_kind_has_it_do(
    restrictions: Restrictions | None,
) -> None:
    found = rendered(restrictions)
    (mount,) = found["nodes"][0]["extraMounts"]
    assert (mount["hostPath"], mount["readOnly"]) == (str(POLICY), True)
    assert all("extraMounts" not in node for node in found["nodes"][1:])
    (change,) = found["kubeadmConfigPatchesJSON6902"]
    assert change["kind"] == "ClusterConfiguration"
    steps = json.loads(change["patch"])
    assert {step["op"] for step in steps} == {"add"}, "nothing of kind's own is replaced"
    added = {s["value"]["name"]: s["value"]["value"] for s in steps if s["path"].endswith("/-")}
    assert added["audit-policy-file"] == mount["containerPath"]
    assert added["audit-log-path"] == config.AUDIT_LOG
    (volumes,) = (s["value"] for s in steps if s["path"] == "/apiServer/extraVolumes")
    mounted = {volume["mountPath"]: volume["readOnly"] for volume in volumes}
    assert mounted == {mount["containerPath"]: True, str(Path(config.AUDIT_LOG).parent): False}


def test_without_images_there_is_neither_a_network_plugin_nor_dns() -> None:
    assert rendered(NOTHING_LACKS)["networking"] == {"disableDefaultCNI": True}
    assert patches(NOTHING_LACKS) == {
        "InitConfiguration": {"skipPhases": ["addon/coredns", "preflight"]},
        "JoinConfiguration": {"skipPhases": ["preflight"]},
    }


def test_scores_of_the_oom_killer_are_kept_only_where_they_cannot_be_lowered() -> None:
    lacking = Restrictions(no_sys_resource=True, cgroup_v1=False)
    (patch,) = rendered(lacking)["containerdConfigPatches"]
    assert "restrict_oom_score_adj = true" in patch
    assert "KubeletConfiguration" not in patches(lacking)
    assert "containerdConfigPatches" not in rendered(NOTHING_LACKS)


def test_kubelets_accept_cgroups_of_version_1_only_where_there_is_no_other() -> None:
    lacking = Restrictions(no_sys_resource=False, cgroup_v1=True)
    assert patches(lacking)["KubeletConfiguration"] == {"failCgroupV1": False}
    assert "containerdConfigPatches" not in rendered(lacking)
