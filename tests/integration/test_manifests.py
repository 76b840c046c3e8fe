"""The manifests where they are used: by kustomize, by Helm's engine, and by the API server."""

from __future__ import annotations

import base64
import copy
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster.cluster import KubectlError
from manifests.generator.sources import LABELS, MANIFESTS, NAMESPACE, ROOT, read
from scaleset_operator.adapters.vantage.exchange import LEAST_SECRET_BYTES
from tests.integration.accounts import applied
from tests.integration.charts import ChartError, objects, rendered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localcluster.cluster import LocalCluster

Json = dict[str, Any]
Identity = tuple[str, str, str]

OF_HELM: Final = {"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}
EVERYTHING: Final = {
    "probeAccess": {"namespaces": ["default"]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "metrics"}},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "networkPolicy": {"metricsFrom": [{"namespaceSelector": {}}]},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "podAnnotations": {"example.org/note": "x"},
    "imagePullSecrets": [{"name": "pull"}],
}
DRY: Final = ("--server-side", "--force-conflicts", "--dry-run=server", "--warnings-as-errors")
BUILDING_S: Final = 1_200
"""The renderer may have to be built first."""

COMPONENTS: Final = ("monitoring", "probe-access", "node-maintenance", "node-jobs")

pytestmark = pytest.mark.timeout(BUILDING_S)


def by_identity(found: Iterable[Json]) -> dict[Identity, Json]:
    """Each object by what it is called, without what Helm alone adds to its labels."""
    plain: dict[Identity, Json] = {}
    for one in map(copy.deepcopy, found):
        meta = one["metadata"]
        for label in OF_HELM & meta.get("labels", {}).keys():
            del meta["labels"][label]
        key = (one["kind"], meta.get("namespace", ""), meta["name"])
        assert key not in plain, f"{key} stands twice"
        plain[key] = one
    return plain


def kustomized(cluster: LocalCluster, folder: Path) -> dict[Identity, Json]:
    return by_identity(yaml.safe_load_all(cluster.kubectl("kustomize", str(folder))))


def test_kustomize_makes_install_yaml(kinds: LocalCluster) -> None:
    found = kustomized(kinds, MANIFESTS / "overlays" / "cluster-wide")
    assert found == by_identity(read("install.yaml"))


def test_the_overlay_for_one_namespace_serves_the_one_that_it_names(kinds: LocalCluster) -> None:
    found = kustomized(kinds, MANIFESTS / "overlays" / "one-namespace")
    whole = by_identity(read("install.yaml"))
    binding = ("ClusterRoleBinding", "", "scaleset-operator")
    assert whole.keys() - found.keys() == {binding}
    assert found.keys() - whole.keys() == {
        ("RoleBinding", "default", "scaleset-operator-instances")
    }
    deployment = found["Deployment", NAMESPACE, "scaleset-operator"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    served = {one["name"]: one.get("value") for one in container["env"]}
    assert served["SCALESET_RUN_NAMESPACE"] == "default"


def test_the_components_join_a_kustomization_of_ones_own(
    kinds: LocalCluster, tmp_path: Path
) -> None:
    """kustomize takes relative paths alone, so the link makes the manifests a neighbour."""
    (tmp_path / "manifests").symlink_to(MANIFESTS)
    (tmp_path / "crds").symlink_to(ROOT / "crds")
    mine = tmp_path / "mine"
    mine.mkdir()
    components = [f"../manifests/components/{name}" for name in COMPONENTS]
    text = yaml.safe_dump({"namespace": "shop", "components": components})
    (mine / "kustomization.yaml").write_text(text)
    found = kustomized(kinds, mine)
    policy = found["NetworkPolicy", "shop", "scaleset-operator-probes"]
    (source,) = policy["spec"]["ingress"][0]["from"]
    names = source["namespaceSelector"]["matchLabels"]
    assert names == {"kubernetes.io/metadata.name": NAMESPACE}, "the operator stays where it is"
    assert {"ServiceMonitor", "PrometheusRule", "ConfigMap"} <= {kind for kind, _, _ in found}
    assert ("ClusterRoleBinding", "", "scaleset-operator-node-jobs") in found


def test_what_the_replicas_share_comes_from_a_file_of_ones_own_by_kustomize(
    kinds: LocalCluster, tmp_path: Path
) -> None:
    """As docs/installing.md has it."""
    (tmp_path / "manifests").symlink_to(MANIFESTS)
    (tmp_path / "crds").symlink_to(ROOT / "crds")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "vantage.secret").write_text("0123456789abcdef")
    text = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    parts = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (told,) = (part for part in parts if "secretGenerator" in part)
    kustomization = yaml.safe_load(told) | {"resources": ["../manifests/overlays/cluster-wide"]}
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    found = kustomized(kinds, mine)
    (secret,) = (one for (kind, _, _), one in found.items() if kind == "Secret")
    pod = found["Deployment", NAMESPACE, "scaleset-operator"]["spec"]["template"]["spec"]
    (mounted,) = (one["secret"]["secretName"] for one in pod["volumes"] if one["name"] == "vantage")
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == (mounted, NAMESPACE)
    assert base64.b64decode(secret["data"]["secret"]) == b"0123456789abcdef"


def test_the_chart_as_it_comes_is_install_yaml_without_the_namespace() -> None:
    wanted = by_identity(read("install.yaml"))
    del wanted["Namespace", "", NAMESPACE]
    found = by_identity(objects({}))
    for (kind, _, _), one in found.items():
        if kind == "CustomResourceDefinition":
            assert one["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    key = ("Secret", NAMESPACE, "scaleset-operator-vantage")
    made = found.pop(key)
    assert found == wanted
    assert len(base64.b64decode(made["data"]["secret"])) >= LEAST_SECRET_BYTES


@pytest.mark.parametrize(
    ("values", "mounted", "told"),
    [
        ({}, "scaleset-operator-vantage", "/etc/scaleset/vantage/secret"),
        ({"existingSecret": "ours"}, "ours", "/etc/scaleset/vantage/secret"),
        ({"enabled": False}, "scaleset-operator-vantage", ""),
    ],
)
def test_the_chart_makes_what_the_replicas_share_unless_told_otherwise(
    values: Json, mounted: str, told: str
) -> None:
    found = by_identity(objects({"vantage": values}))
    pod = found["Deployment", NAMESPACE, "scaleset-operator"]["spec"]["template"]["spec"]
    (secret,) = (one["secret"] for one in pod["volumes"] if one["name"] == "vantage")
    assert secret["secretName"] == mounted
    variables = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert variables["SCALESET_RUN_VANTAGE_SECRET_FILE"] == told
    assert {name for kind, _, name in found if kind == "Secret"} == (set() if values else {mounted})


def test_each_installation_gets_a_secret_of_its_own() -> None:
    made = [
        found["data"]["secret"]
        for _ in range(2)
        for found in objects({})
        if found["kind"] == "Secret"
    ]
    assert len({*made}) == 2


@pytest.mark.parametrize("namespaces", [[], ["shop", "forge"]])
def test_the_chart_lets_windows_work_on_nodes_where_it_is_told_to(namespaces: list[str]) -> None:
    """Jobs in the namespaces that are served, and nowhere else."""
    plain = by_identity(objects({"namespaces": namespaces}))
    found = by_identity(objects({"namespaces": namespaces, "nodeMaintenance": {"enabled": True}}))
    nodes, jobs = "scaleset-operator-node-maintenance", "scaleset-operator-node-jobs"
    bound = {("RoleBinding", one, jobs) for one in namespaces} or {("ClusterRoleBinding", "", jobs)}
    roles = {
        ("ClusterRole", "", nodes),
        ("ClusterRoleBinding", "", nodes),
        ("ClusterRole", "", jobs),
    }
    assert found.keys() - plain.keys() == roles | bound


def test_the_charts_monitoring_and_access_are_the_components() -> None:
    found = by_identity(objects(EVERYTHING))
    monitor = found["ServiceMonitor", NAMESPACE, "scaleset-operator"]
    assert monitor["metadata"]["labels"].pop("release") == "metrics"
    for source in (
        "components/monitoring/servicemonitor.yaml",
        "components/monitoring/prometheusrule.yaml",
        "components/probe-access/networkpolicy.yaml",
    ):
        for key, one in by_identity(read(source)).items():
            assert found[key] == one
    shown = found["ConfigMap", NAMESPACE, "scaleset-operator-dashboard"]
    assert shown["metadata"]["labels"] == LABELS | {"grafana_dashboard": "1"}
    board = (MANIFESTS / "components" / "monitoring" / "dashboard.json").read_text(encoding="utf-8")
    assert shown["data"]["scaleset-operator.json"].strip() == board.strip()
    pod = found["Deployment", NAMESPACE, "scaleset-operator"]["spec"]["template"]
    for name in ("priorityClassName", "nodeSelector", "tolerations", "imagePullSecrets"):
        assert pod["spec"][name] == EVERYTHING[name]
    assert pod["metadata"]["annotations"] == EVERYTHING["podAnnotations"]
    policy = found["NetworkPolicy", NAMESPACE, "scaleset-operator"]
    assert policy["spec"]["ingress"][0]["from"] == [{"namespaceSelector": {}}]


def test_what_the_chart_renders_is_written_as_the_rest_is(tmp_path: Path) -> None:
    """The templates themselves cannot be linted: they are no YAML."""
    for name, text in rendered(EVERYTHING).items():
        if name.endswith(".yaml"):
            (tmp_path / name.replace("/", "-")).write_text(text.strip() + "\n")
    linter = [sys.executable, "-m", "yamllint", "--strict", "-c", str(ROOT / ".yamllint.yaml")]
    done = subprocess.run([*linter, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_chart_for_two_namespaces_has_rights_in_these_alone() -> None:
    found = by_identity(objects({"namespaces": ["shop", "lab"]}))
    assert ("ClusterRoleBinding", "", "scaleset-operator") not in found
    for namespace in ("shop", "lab"):
        (one,) = by_identity(read("overlays/one-namespace/binding.yaml")).values()
        one["metadata"]["namespace"] = namespace
        assert found["RoleBinding", namespace, "scaleset-operator-instances"] == one
    deployment = found["Deployment", NAMESPACE, "scaleset-operator"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "SCALESET_RUN_NAMESPACE", "value": "shop,lab"} in container["env"]


@pytest.mark.parametrize(
    ("values", "kind", "there"),
    [
        ({"crds": {"enabled": False}}, "CustomResourceDefinition", False),
        ({"networkPolicy": {"enabled": False}}, "NetworkPolicy", False),
        ({"podDisruptionBudget": {"enabled": False}}, "PodDisruptionBudget", False),
        ({}, "ServiceMonitor", False),
        ({}, "PrometheusRule", False),
        ({}, "CustomResourceDefinition", True),
    ],
)
def test_a_switch_of_the_chart_takes_its_objects(values: Json, kind: str, *, there: bool) -> None:
    assert (kind in {found for found, _, _ in by_identity(objects(values))}) is there


@pytest.mark.parametrize("on", [True, False])
def test_the_scheduled_events_are_served_or_not(*, on: bool) -> None:
    found = by_identity(objects({"scheduledEvents": {"enabled": on}}))
    assert (("Service", NAMESPACE, "scaleset-operator-events") in found) is on
    deployment = found["Deployment", NAMESPACE, "scaleset-operator"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {"name": "SCALESET_RUN_EVENTS_PORT", "value": "8082" if on else ""}
    assert told in container["env"]


def test_definitions_go_with_the_chart_only_where_that_is_asked_for() -> None:
    for one in objects({"crds": {"keep": False}}):
        if one["kind"] == "CustomResourceDefinition":
            assert "annotations" not in one["metadata"]


def test_a_digest_says_more_than_a_tag() -> None:
    image = {"repository": "mirror/scaleset-operator", "tag": "9", "digest": f"sha256:{'0' * 64}"}
    for given, wanted in (
        (image, f"mirror/scaleset-operator@sha256:{'0' * 64}"),
        ({**image, "digest": ""}, "mirror/scaleset-operator:9"),
    ):
        (one,) = (o for o in objects({"image": given}) if o["kind"] == "Deployment")
        assert one["spec"]["template"]["spec"]["containers"][0]["image"] == wanted


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 2},
        {"replicas": "2"},
        {"image": {"digest": "abc"}},
        {"namespaces": ["Not_A_Name"]},
        {"logLevel": "loud"},
        {"networkPolicy": {"enable": False}},
        {"vantage": {"existingSecret": "Not_A_Name"}},
        {"scheduledEvents": {"enabled": "8082"}},
    ],
    ids=str,
)
def test_a_value_that_is_misspelt_or_out_of_bounds_is_refused(values: Json) -> None:
    with pytest.raises(ChartError, match="values don't meet"):
        rendered(values)


def test_the_api_server_takes_every_object_and_pod_security_is_content(
    kinds: LocalCluster,
) -> None:
    """By a dry run in the operator's own namespace, which asks to be warned of pods that are less
    than restricted; and so it is, where the manifest is."""
    known = [one for one in objects(EVERYTHING) if "monitoring.coreos.com" not in one["apiVersion"]]
    with applied(kinds, read("base/namespace.yaml")):
        for found in (read("install.yaml"), known):
            said = kinds.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump_all(found))
            assert len(said.splitlines()) == len(found)
        (deployment,) = read("base/deployment.yaml")
        del deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
        with pytest.raises(KubectlError, match="would violate PodSecurity"):
            kinds.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump(deployment))
