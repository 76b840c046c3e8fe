"""kind's configuration: its own choices on an ordinary machine, and each workaround by itself."""

from __future__ import annotations

import json
from typing import Any

from localcluster.kind import config
from localcluster.kind.machine import Restrictions

NOTHING_LACKS = Restrictions(no_sys_resource=False, cgroup_v1=False)


def rendered(restrictions: Restrictions | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config.render(restrictions))
    return found


def patches(restrictions: Restrictions) -> dict[str, dict[str, Any]]:
    found = [json.loads(text) for text in rendered(restrictions)["kubeadmConfigPatches"]]
    return {patch.pop("kind"): patch for patch in found}


def test_an_ordinary_machine_gets_nodes_and_nothing_else() -> None:
    found = rendered(None)
    assert [node["role"] for node in found.pop("nodes")] == ["control-plane", "worker", "worker"]
    assert found.keys() == {"kind", "apiVersion", "name"}


def test_the_nodes_have_the_names_that_kind_gives_them() -> None:
    assert config.nodes() == ["scaleset-control-plane", "scaleset-worker", "scaleset-worker2"]


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
