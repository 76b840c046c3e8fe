"""ScaleSets and HealthProbes as the API server sends them, for tests that need no server."""

from datetime import datetime, timedelta
from typing import Any

from scaleset_operator.api.base import format_time
from tests.support.builders import T0, TEMPLATE, raw_probe, raw_spec


def metadata(
    name: str, *, version: int = 1, uid: str = "", age: timedelta = timedelta(), **fields: Any
) -> dict[str, Any]:
    """An object's metadata in the namespace default; `age` is how long before T0 it was made."""
    made: datetime = T0 - age
    return {
        "name": name,
        "namespace": "default",
        "uid": uid or f"uid-{name}",
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": format_time(made),
        **fields,
    }


def scale_set_body(
    name: str = "web",
    *,
    replicas: int = 3,
    selects: dict[str, str] | None = None,
    bears: dict[str, str] | None = None,
    probe: str | None = "web-http",
    **meta: Any,
) -> dict[str, Any]:
    """A ScaleSet; `selects` is its selector, `bears` the labels of its template."""
    labels = {"app": "web"} if bears is None else bears
    spec = raw_spec(
        replicas=replicas,
        selector={"matchLabels": selects or {"app": "web"}},
        template={**TEMPLATE, "metadata": {"labels": labels}},
        healthProbeRef=None if probe is None else {"name": probe},
        repairs=probe is not None,
    )
    return {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": "ScaleSet",
        "metadata": metadata(name, **meta),
        "spec": spec,
        "status": {},
    }


def probe_body(name: str = "web-http", *, path: str = "/healthz", **meta: Any) -> dict[str, Any]:
    """A HealthProbe."""
    return {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": "HealthProbe",
        "metadata": metadata(name, **meta),
        "spec": raw_probe(path=path),
        "status": {},
    }
