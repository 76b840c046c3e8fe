"""The node agent's manifests: off unless asked for, and no wider than its work."""

from __future__ import annotations

from typing import Any, Final

from manifests.generator.files import INSTALL
from manifests.generator.sources import AGENT_NAMESPACE, NAMESPACE, read, resources_of
from scaleset_operator.agent.options import DEFAULT_PORT, DEFAULT_STATE, PREFIX
from scaleset_operator.cli.diagnosis.rights import AGENT, AGENT_REPORT
from tests.manifests.grants import Grant, granted

OBJECTS: Final = [one for source in resources_of("components/agent") for one in read(source)]
ACCOUNT: Final = "scaleset-agent"


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (one for one in OBJECTS if one["kind"] == kind)
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = of_kind("DaemonSet")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    assert isinstance(found, dict)
    return found


def test_its_account_may_hear_of_pods_and_rules_and_report_and_nothing_else() -> None:
    """Not even read a Lease, nor write anything outside the operator's namespace."""
    reports = {Grant(right, NAMESPACE) for right in AGENT_REPORT}
    assert granted(OBJECTS, ACCOUNT) == reports | {Grant(right) for right in AGENT}


def test_nobody_has_it_who_did_not_ask_for_it() -> None:
    kinds = {one["kind"] for one in read(INSTALL)}
    assert "DaemonSet" not in kinds
    assert granted(read(INSTALL), ACCOUNT) == set()


def test_it_has_a_namespace_of_its_own_so_that_the_operator_s_stays_strict() -> None:
    labels = of_kind("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    homes = {one["metadata"].get("namespace") for one in OBJECTS}
    assert homes == {None, NAMESPACE, AGENT_NAMESPACE}
    (room,) = (one for one in read(INSTALL) if one["kind"] == "Namespace")
    assert room["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_it_is_root_with_few_capabilities_and_cannot_get_more() -> None:
    context = container()["securityContext"]
    assert context["capabilities"] == {
        "drop": ["ALL"],
        "add": ["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"],
    }
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert "privileged" not in context


def test_what_outlives_it_stands_on_the_node() -> None:
    """Pauses on record above all (M-02)."""
    paths = {one["name"]: one["hostPath"]["path"] for one in pod()["volumes"] if "hostPath" in one}
    assert paths == {"state": DEFAULT_STATE, "cgroup": "/sys/fs/cgroup"}
    mounts = {one["name"]: one["mountPath"] for one in container()["volumeMounts"]}
    variables = {one["name"]: one.get("value") for one in container()["env"]}
    assert mounts["state"] == DEFAULT_STATE
    assert variables[f"{PREFIX}CGROUP_ROOT"] == mounts["cgroup"]
    assert variables[f"{PREFIX}NAMESPACE"] == NAMESPACE
    assert (pod()["hostNetwork"], pod()["hostPID"]) == (True, True)


def test_it_is_asked_on_the_port_that_it_serves() -> None:
    assert [one["containerPort"] for one in container()["ports"]] == [DEFAULT_PORT]


def test_stopping_it_runs_nothing_that_takes_rules_away() -> None:
    """An update of the agent breaks no flow."""
    assert "lifecycle" not in container()
    assert container()["args"] == ["agent"]
