"""The operator's pods: as tight as Pod Security asks, and open to those whom they need."""

from __future__ import annotations

from typing import Any, Final

import pytest

from manifests.generator.sources import LABELS, NAMESPACE, read
from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.cli.diagnosis.examination import OPERATOR_LABEL
from scaleset_operator.core.policies import ProberPlace, Surroundings, way_in
from scaleset_operator.settings import DEFAULT_PORT

DEPLOYMENT: Final[dict[str, Any]] = read("base/deployment.yaml")[0]
POD: Final[dict[str, Any]] = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER: Final[dict[str, Any]] = POD["containers"][0]
WALL: Final = {"metadata": {"name": "wall"}, "spec": {"podSelector": {}}}


def test_the_pod_is_as_restricted_as_its_namespace_asks() -> None:
    (namespace,) = read("base/namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] > 0
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & POD.keys()


def test_what_it_writes_goes_to_the_one_place_that_takes_it() -> None:
    volumes = {one["name"]: one for one in POD["volumes"]}
    (mount,) = (one for one in CONTAINER["volumeMounts"] if not one.get("readOnly"))
    volume = volumes[mount["name"]]
    state = next(one["value"] for one in CONTAINER["env"] if one["name"] == "STATE_DIRECTORY")
    assert "emptyDir" in volume
    assert mount["mountPath"] == state == "/tmp"  # noqa: S108 - inside of the container


@pytest.mark.parametrize(
    ("variable", "volume", "file"),
    [
        ("SCALESET_RUN_VANTAGE_SECRET_FILE", "vantage", "/secret"),
        ("SCALESET_RUN_NOTIFICATIONS_DIR", "notifications", ""),
    ],
)
def test_a_secret_is_mounted_where_the_operator_looks_and_may_be_missing(
    variable: str, volume: str, file: str
) -> None:
    """Whoever has no Secret has no votes, or tells by Events alone, and has everything else."""
    (path,) = (one["value"] for one in CONTAINER["env"] if one["name"] == variable)
    (mount,) = (one for one in CONTAINER["volumeMounts"] if one["name"] == volume)
    (secret,) = (one["secret"] for one in POD["volumes"] if one["name"] == volume)
    assert path == f"{mount['mountPath']}{file}"
    assert mount["readOnly"] is True
    assert secret["optional"] is True
    assert secret["defaultMode"] == 0o440, "read by the group alone, which is the pod's"
    assert POD["securityContext"]["fsGroup"] == POD["securityContext"]["runAsGroup"]


def test_it_is_asked_whether_it_lives_and_whether_it_is_ready() -> None:
    asked = {name: CONTAINER[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
    assert asked["livenessProbe"] == {"path": "/healthz", "port": "metrics"}
    assert asked["readinessProbe"] == {"path": "/readyz", "port": "metrics"}


def test_two_run_apart_one_leads_and_a_drain_takes_one() -> None:
    assert DEPLOYMENT["spec"]["replicas"] == 2
    assert "--leader-elect" in CONTAINER["args"]
    keys = {one["topologyKey"] for one in POD["topologySpreadConstraints"]}
    assert "kubernetes.io/hostname" in keys
    (budget,) = read("base/poddisruptionbudget.yaml")
    assert budget["spec"]["maxUnavailable"] == 1


def test_both_leave_a_node_that_is_gone_long_before_others_do() -> None:
    """They may stand on one, after a drain; everybody else waits 300 s there."""
    gone = {f"node.kubernetes.io/{what}" for what in ("not-ready", "unreachable")}
    left = {one["key"]: one for one in POD["tolerations"]}
    assert left.keys() == gone, "and no other taint is stood"
    assert all(one["effect"] == "NoExecute" for one in left.values())
    assert all(one["tolerationSeconds"] <= 60 for one in left.values())


def test_memory_is_bounded_and_the_processor_is_not() -> None:
    resources = CONTAINER["resources"]
    assert {"cpu", "memory"} == resources["requests"].keys()
    assert {"memory"} == resources["limits"].keys()


def test_one_set_of_labels_selects_its_pods_everywhere() -> None:
    assert DEPLOYMENT["spec"]["template"]["metadata"]["labels"] == LABELS
    key, _, value = OPERATOR_LABEL.partition("=")
    assert LABELS[key] == value, "doctor finds them by it"
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in POD["topologySpreadConstraints"]),
        read("base/service.yaml")[0]["spec"]["selector"],
        read("base/events-service.yaml")[0]["spec"]["selector"],
        read("base/networkpolicy.yaml")[0]["spec"]["podSelector"]["matchLabels"],
        read("base/poddisruptionbudget.yaml")[0]["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector == LABELS for selector in selectors)


def test_its_policy_lets_it_work_and_be_scraped_and_nothing_else() -> None:
    spec = read("base/networkpolicy.yaml")[0]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    pages, votes, asked = spec["ingress"]
    assert pages == {"ports": [{"port": "metrics", "protocol": "TCP"}]}
    assert votes == {**pages, "from": [{"podSelector": {"matchLabels": LABELS}}]}
    assert asked["ports"] == [{"port": "events", "protocol": "TCP"}]
    assert asked["from"] == [{"namespaceSelector": {}}], "pods alone, of any namespace"
    instances, api, names = spec["egress"]
    assert instances == {"to": [{"namespaceSelector": {}}]}
    assert {one["port"] for one in api["ports"]} == {443, 6443}
    assert {(one["port"], one["protocol"]) for one in names["ports"]} == {(53, "UDP"), (53, "TCP")}


def test_both_replicas_are_asked_by_instances_and_see_from_where() -> None:
    """M-19: an address that a balancer, or stickiness by it, put in its place would be nobody's."""
    (service,) = read("base/events-service.yaml")
    assert service["spec"].keys() == {"selector", "ports"}, "a ClusterIP, to whichever replica"
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "events")
    assert CONTAINER["ports"][1]["name"] == "events"


def around(*policies: dict[str, Any], operator: str = NAMESPACE) -> Surroundings:
    """A namespace with these policies, and an operator as the manifests make it."""
    place = ProberPlace(
        namespace=operator,
        namespace_labels={"kubernetes.io/metadata.name": operator},
        labels=LABELS,
        addresses=("10.0.0.7",),
    )
    return Surroundings(
        namespace="shop",
        policies=tuple(found for one in policies if (found := policy_of(one)) is not None),
        labels={"app": "web", "scaleset.dev/name": "web"},
        place=place,
    )


def test_the_template_for_instances_lets_the_probes_through_a_wall() -> None:
    """S-31: read as the operator itself reads policies."""
    (access,) = read("components/probe-access/networkpolicy.yaml")
    assert way_in(around(WALL), DEFAULT_PORT) is False
    assert way_in(around(WALL, access), 8080) is True
    assert way_in(around(WALL, access, operator="elsewhere"), 8080) is False
