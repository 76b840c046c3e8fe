"""What tests on a real cluster write and read, in few words: sets, probes, their pods and status.

Raw JSON over `kube_api`; nothing of the operator is imported. It must not know what a test expects.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from localcluster.cluster import LocalCluster
from tests.support.kube_api import Api, path_of

API_VERSION: Final = "scaleset.dev/v1alpha1"
MANAGER: Final = "tests"
NAME_LABEL: Final = "scaleset.dev/name"

Json = dict[str, Any]


def api_of(cluster: LocalCluster, user: str = "admin") -> Api:
    """A client of the cluster as this user."""
    return Api(cluster.server, cluster.user_token(user), cluster.ca_file)


@contextmanager
def namespace(api: Api, prefix: str = "test") -> Iterator[str]:
    """A namespace of its own, asked to go afterwards."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


def probe_spec(port: int, **fields: Any) -> Json:
    """GET /healthz each 5 s, timeout 11 s: the least that the API allows."""
    return {
        "protocol": "http",
        "path": "/healthz",
        "port": port,
        "intervalInSeconds": 5,
        "timeoutInSeconds": 11,
        **fields,
    }


def set_spec(
    replicas: int,
    *,
    app: str = "web",
    probe: str | None = "web-http",
    policy: Json | None = None,
    marks: dict[str, str] | None = None,
    **fields: Any,
) -> Json:
    """A set with repairs on, limits Extended and a grace of 5 s.

    Args:
        replicas: how many.
        app: the label that the selector wants.
        probe: name of its HealthProbe.
        policy: more of automaticRepairsPolicy.
        marks: annotations of its pods, such as localcluster/start-delay.
        fields: more of the spec; None takes a field away.
    """
    metadata = {"labels": {"app": app}, "annotations": marks or {}}
    spec: Json = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "healthProbeRef": {"name": probe} if probe else None,
        "automaticRepairsPolicy": {
            "enabled": True,
            "limits": "Extended",
            "gracePeriod": "PT5S",
            **(policy or {}),
        },
        "template": {
            "metadata": metadata,
            "spec": {"containers": [{"name": "web", "image": "instance:1"}]},
        },
        **fields,
    }
    return {name: value for name, value in spec.items() if value is not None}


def apply(api: Api, kind: str, namespace: str, name: str, spec: Json) -> Json:
    """Create a ScaleSet or HealthProbe, or give it this spec."""
    body = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    return api.apply(path_of(kind, namespace, name), body, manager=MANAGER)


def change(api: Api, namespace: str, name: str, spec: Json) -> Json:
    """Merge fields into a ScaleSet's spec."""
    return api.merge(path_of("ScaleSet", namespace, name), {"spec": spec})


def status(api: Api, namespace: str, name: str, kind: str = "ScaleSet") -> Json:
    """The status as it stands; empty before the first."""
    found: Json = api.get(path_of(kind, namespace, name)).get("status") or {}
    return found


def condition(thing: Json, kind: str) -> Json | None:
    """One condition of a status."""
    rows: list[Json] = thing.get("conditions") or []
    return next((row for row in rows if row["type"] == kind), None)


def pods(api: Api, namespace: str, name: str) -> list[Json]:
    """The pods that bear the set's name, by their instance ids."""
    found = api.items(path_of("Pod", namespace), labelSelector=f"{NAME_LABEL}={name}")
    return sorted(found, key=lambda pod: int(pod["metadata"]["labels"]["scaleset.dev/instance-id"]))


def live(found: list[Json]) -> list[Json]:
    """Those that are neither over nor Terminating."""
    return [
        pod
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
        and pod["status"].get("phase") not in ("Failed", "Succeeded")
    ]


def address(pod: Json) -> str:
    """The pod's address; empty before it has one."""
    return str(pod["status"].get("podIP", ""))


def healthy(found: list[Json]) -> int:
    """How many bear Healthy=True."""
    rows = (condition(pod["status"], "scaleset.dev/Healthy") for pod in found)
    return sum(row is not None and row["status"] == "True" for row in rows)
