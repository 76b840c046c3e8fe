"""The files and command lines the processes are given."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcluster import components, credentials, stages
from localcluster.nodes import NodeBlocks

LAYOUT = components.Layout(
    folder=Path("/somewhere"),
    binaries={name: Path("/bin") / name for name in components.COMPONENTS},
    ports=components.Ports(etcd=1001, etcd_peer=1002, apiserver=1003),
)


def stage(name: str, stage_objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [entry for entry in stage_objects if entry["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize("component", components.COMPONENTS)
def test_every_component_has_a_command_line_without_gaps(component: str) -> None:
    program, *arguments = components.command(component, LAYOUT)
    assert program == f"/bin/{component}"
    assert all(argument.startswith("--") for argument in arguments)


def test_everything_listens_on_loopback_alone() -> None:
    assert "--bind-address=127.0.0.1" in components.command(components.APISERVER, LAYOUT)
    for argument in components.command(components.ETCD, LAYOUT):
        assert "http://" not in argument or "http://127.0.0.1:" in argument
    for name in (components.CONTROLLER_MANAGER, components.SCHEDULER):
        assert "--secure-port=0" in components.command(name, LAYOUT)


@pytest.mark.parametrize(("fsync", "said"), [(True, False), (False, True)])
def test_etcd_waits_for_the_disk_only_when_asked_to(*, fsync: bool, said: bool) -> None:
    layout = components.Layout(folder=LAYOUT.folder, binaries=LAYOUT.binaries, etcd_fsync=fsync)
    assert ("--unsafe-no-fsync" in components.command(components.ETCD, layout)) is said


def test_without_audit_no_log_is_written() -> None:
    layout = components.Layout(folder=LAYOUT.folder, binaries=LAYOUT.binaries, audit=False)
    assert "audit" in " ".join(components.command(components.APISERVER, LAYOUT))
    assert "audit" not in " ".join(components.command(components.APISERVER, layout))


def test_the_callers_arguments_come_last_and_so_win() -> None:
    layout = components.Layout(
        folder=LAYOUT.folder,
        binaries=LAYOUT.binaries,
        extra={components.SCHEDULER: ["--kube-api-qps=1"]},
    )
    assert components.command(components.SCHEDULER, layout)[-1] == "--kube-api-qps=1"
    assert "--kube-api-qps=1" not in components.command(components.CONTROLLER_MANAGER, layout)


def test_every_user_has_a_token_of_its_own() -> None:
    users = credentials.make_users({"eve": ("readers", "guests"), "peer": ()})
    rows = list(csv.reader(credentials.token_file(users).splitlines()))
    assert len({row[0] for row in rows}) == len(rows) == len(users)
    by_name = {row[1]: row[3].split(",") for row in rows}
    assert by_name["eve"] == ["readers", "guests"]
    assert by_name["operator"] == by_name["auditor"] == by_name["admin"] == ["system:masters"]
    assert by_name["peer"] == [""]


def test_a_kubeconfig_needs_no_other_file() -> None:
    user = credentials.make_users({})["operator"]
    config = yaml.safe_load(credentials.kubeconfig(user, server="https://127.0.0.1:1", ca=b"pem"))
    (cluster,), (someone,) = config["clusters"], config["users"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"pem"
    assert someone["user"] == {"token": user.token}


def test_the_signing_key_is_new_each_time_and_a_whole_der_sequence() -> None:
    keys = {credentials.signing_key() for _ in range(3)}
    assert len(keys) == 3
    for key in keys:
        head, *lines, tail = key.splitlines()
        assert (head, tail) == ("-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----")
        der = base64.b64decode("".join(lines))
        assert der[0] == 0x30
        assert der[1] == len(der) - 2


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = credentials.write_private(tmp_path / "key", "secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "secret"


def test_kwok_is_given_every_parallelism_it_would_exit_without() -> None:
    text = stages.kwok_config(stages.stages(), pod_cidr="127.16.0.0/16")
    options = next(yaml.safe_load_all(text))["options"]
    for name in (
        "podPlayStageParallelism",
        "nodePlayStageParallelism",
        "nodeLeaseParallelism",
        "podsOnNodeSyncParallelism",
    ):
        assert options[name] > 0
    assert options["cidr"] == "127.16.0.0/16"


def test_there_is_a_stage_for_each_thing_a_kubelet_does() -> None:
    names = {entry["metadata"]["name"] for entry in stages.stages()}
    assert {"node-initialize", "node-heartbeat", "pod-start", "pod-follow", "pod-delete"} <= names


def test_no_stage_of_ours_sets_a_readiness_gate() -> None:
    for entry in stages.stages():
        template = entry["spec"]["next"].get("statusTemplate", "")
        assert "type: {{ .conditionType" not in template


def test_a_stage_of_the_callers_replaces_ours_of_that_name_or_is_added() -> None:
    mine = [
        {"kind": "Stage", "metadata": {"name": "pod-start"}, "spec": {"mine": True}},
        {"kind": "Stage", "metadata": {"name": "pod-dance"}, "spec": {}},
    ]
    merged = stages.stages(mine)
    assert stage("pod-start", merged)["spec"] == {"mine": True}
    assert stage("pod-dance", merged)["spec"] == {}
    assert len(merged) == len(stages.stages()) + 1


def test_the_audit_policy_notes_results_and_never_bodies() -> None:
    policy = yaml.safe_load(stages.audit_policy().read_text())
    assert set(policy["omitStages"]) == {"RequestReceived", "ResponseStarted", "Panic"}
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata"}
    assert policy["rules"][-1] == {"level": "Metadata"}


def test_the_audit_policy_hides_nothing_an_outsider_does() -> None:
    policy = yaml.safe_load(stages.audit_policy().read_text())
    for rule in policy["rules"][:-1]:
        assert all(user.startswith("system:") for user in rule["users"]) or (
            "nonResourceURLs" in rule
        )


def test_a_nodes_block_tells_the_node_and_lies_in_the_clusters() -> None:
    blocks = NodeBlocks("127.18.0.0/16", 24)
    assert [blocks.block(index) for index in (0, 1, 255)] == [
        "127.18.0.0/24",
        "127.18.1.0/24",
        "127.18.255.0/24",
    ]
    with pytest.raises(ValueError, match="no room for node 256"):
        blocks.block(256)
    assert NodeBlocks("127.18.0.0/16").block(3) is None


def test_a_kubeconfig_is_json_for_those_who_want_it() -> None:
    user = credentials.make_users({})["admin"]
    assert json.loads(credentials.kubeconfig(user, server="https://127.0.0.1:1", ca=b""))
