"""ScaleSets of one namespace, as a test reads and changes them: by the API server's word.

Imports nothing of the operator. It must not know what runs behind the pods, or what any test
expects.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.integration.waiting import DEADLINE_S, eventually
from tests.support.kube_api import GROUP_PATH, Api, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Json = dict[str, Any]

PREFIX: Final = "scaleset.dev/"
HEALTHY: Final = f"{PREFIX}Healthy"
IN_ROTATION: Final = f"{PREFIX}InRotation"
INTERVAL_S: Final = 5
TIMEOUT_S: Final = 11
"""The shortest probe that the API lets through."""
VERDICT_S: Final = TIMEOUT_S + 2 * INTERVAL_S + 9
"""Within so long a broken instance is found Unhealthy, on a machine with much else to do."""


class Word(NamedTuple):
    """A condition, without its times."""

    status: str
    reason: str
    message: str


class Sets:
    """The ScaleSets of a namespace, with their probes and pods.

    Attributes:
        port: on which the instances answer.
    """

    def __init__(self, api: Api, namespace: str, port: int) -> None:
        self.api = api
        self.namespace = namespace
        self.port = port

    def template(self, name: str) -> Json:
        """The pod template of a set of this name."""
        return template(name)

    # What the owner does.

    def probe(self, name: str = "web-http", **spec: Any) -> None:
        """Create a HealthProbe: http, /healthz, on the instances' port, at 5/11 seconds."""
        usual = {
            "protocol": "http",
            "path": "/healthz",
            "port": self.port,
            "intervalInSeconds": INTERVAL_S,
            "timeoutInSeconds": TIMEOUT_S,
        }
        self.create("HealthProbe", name, usual | spec)

    def scale_set(
        self, name: str, replicas: int, *, repairs: Json | None = None, **spec: Any
    ) -> None:
        """Create a ScaleSet with the probe `web-http`; what is None is left out.

        Args:
            name: also the value of its instances' label `app`.
            replicas: how many.
            repairs: the policy, enabled and Extended unless it says otherwise.
            spec: fields beside these, or instead of them.
        """
        usual: Json = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": self.template(name),
            "healthProbeRef": {"name": "web-http"},
        }
        if repairs is not None:
            usual["automaticRepairsPolicy"] = {"enabled": True, "limits": "Extended"} | repairs
        self.create("ScaleSet", name, usual | spec)

    def create(self, kind: str, name: str, spec: Json) -> None:
        """Create an object of ours; what is None is left out of its spec."""
        body = {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }
        self.api.create(path_of(kind, self.namespace), body)

    def change(self, name: str, kind: str = "ScaleSet", **spec: Any) -> None:
        """Merge into the spec."""
        self.api.merge(path_of(kind, self.namespace, name), {"spec": spec})

    def annotate(self, name: str, **marks: str | None) -> None:
        """Set annotations of a ScaleSet under our prefix; underscores are written as hyphens."""
        named = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in marks.items()}
        self.api.merge(
            path_of("ScaleSet", self.namespace, name), {"metadata": {"annotations": named}}
        )

    def label(self, pod: Json, **marks: str | None) -> None:
        """Set labels of a pod; two underscores stand for our prefix, one for a hyphen."""
        named = {key.replace("__", PREFIX).replace("_", "-"): value for key, value in marks.items()}
        path = path_of("Pod", self.namespace, pod["metadata"]["name"])
        self.api.merge(path, {"metadata": {"labels": named}})

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, as a person would."""
        self.api.delete(path_of(kind, self.namespace, name))

    def clear(self, seconds: float = DEADLINE_S) -> None:
        """Delete every window, set and pod, and wait so long for each kind to be gone.

        The pods too: the garbage collector hears of kinds that are new only twice a minute.
        """
        for kind in ("MaintenanceWindow", "ScaleSet", "Pod"):
            path = path_of(kind, self.namespace)
            eventually(
                partial(self._is_cleared, path),
                f"{path} is empty",
                seconds=seconds,
                told=partial(self._left, path),
            )

    def _is_cleared(self, path: str) -> bool:
        """Whether nothing is left there; told to go is also what was made since the last look."""
        with suppress(TimeoutError):  # A thousand take their time; it goes on by itself.
            left = self.api.items(path)
            if any("deletionTimestamp" not in one["metadata"] for one in left):
                self.api.delete(path)
                left = self.api.items(path)
            return not left
        return False

    def _left(self, path: str) -> str:
        return json.dumps(self.api.items(path), indent=1)

    # What there is to see.

    def get(self, name: str, kind: str = "ScaleSet") -> Json:
        """The object."""
        return self.api.get(path_of(kind, self.namespace, name))

    def status(self, name: str) -> Json:
        """Status of a ScaleSet, empty before the first."""
        status: Json = self.get(name).get("status") or {}
        return status

    def scale(self, name: str) -> Json:
        """The scale subresource, as an autoscaler reads it."""
        return self.api.get(f"{GROUP_PATH}/namespaces/{self.namespace}/scalesets/{name}/scale")

    def word(self, name: str, condition: str, kind: str = "ScaleSet") -> Word:
        """A condition as it stands."""
        return word(self.get(name, kind), condition)

    def pods(self, name: str) -> list[Json]:
        """The instances of a set by number: its pods that are neither Terminating nor over."""
        return [
            pod
            for pod in self.everything_of(name)
            if not pod["metadata"].get("deletionTimestamp")
            and pod["status"].get("phase") not in {"Failed", "Succeeded"}
        ]

    def everything_of(self, name: str) -> list[Json]:
        """Every pod that a set controls, by number."""
        found = [
            pod for pod in self.api.items(path_of("Pod", self.namespace)) if controller(pod) == name
        ]
        return sorted(found, key=instance_id)

    def decisions(self, name: str) -> dict[str, Json]:
        """What status says of each instance that is not healthy."""
        rows = self.status(name).get("unhealthyInstances") or ()
        return {row["name"]: row for row in rows}

    def reasons(self, name: str) -> set[str]:
        """Why those wait."""
        return {row["reason"] for row in self.decisions(name).values()}

    def events(self, name: str) -> dict[str, str]:
        """The Events of a set: reason -> message of the latest."""
        found = self.api.items(path_of("Event", self.namespace))
        return {e["reason"]: e["message"] for e in found if e["involvedObject"]["name"] == name}

    # What is waited for.

    def await_ready(self, *names: str, seconds: float = 60.0) -> None:
        """Wait until these sets are Ready, for the generation and the pods they have now."""

        def ready() -> bool:
            return all(self._is_ready(self.get(name)) for name in names)

        eventually(ready, f"Ready: {names}", seconds=seconds, told=lambda: self.told(*names))

    def await_status(
        self, name: str, holds: Callable[[Json], bool], what: str, *, kind: str = "ScaleSet"
    ) -> Json:
        """Wait until something holds of the status, and give it."""

        def look() -> Json | None:
            status: Json = self.get(name, kind).get("status") or {}
            return status if status and holds(status) else None

        return eventually(look, what, told=lambda: self.told(name, kind=kind))

    def await_word(
        self,
        name: str,
        condition: str,
        status: str,
        reason: str,
        *,
        kind: str = "ScaleSet",
        seconds: float = DEADLINE_S,
    ) -> Word:
        """Wait until a condition says this."""

        def says() -> Word | None:
            found = self.word(name, condition, kind)
            return found if found[:2] == (status, reason) else None

        what = f"{name}: {condition}={status}/{reason}"
        return eventually(says, what, seconds=seconds, told=lambda: self.told(name, kind=kind))

    def await_reason(
        self, name: str, instance: Json, reason: str, seconds: float = VERDICT_S
    ) -> Json:
        """Wait until status gives this reason for not repairing an instance, and give the row."""

        def row() -> Json:
            found = self.decisions(name).get(instance["metadata"]["name"], {})
            return found if found.get("reason") == reason else {}

        what = f"{instance['metadata']['name']}: {reason}"
        return eventually(row, what, seconds=seconds, told=lambda: self.told(name))

    def _is_ready(self, raw: Json) -> bool:
        status = raw.get("status") or {}
        current = status.get("observedGeneration") == raw["metadata"]["generation"]
        if not current or word(raw, "Ready").status != "True":
            return False
        # What ended just now is in the status only after the operator's next turn.
        ready = [
            pod for pod in self.pods(raw["metadata"]["name"]) if word(pod, "Ready").status == "True"
        ]
        wanted: int = raw["spec"]["replicas"]
        return len(ready) >= wanted

    def told(self, *names: str, kind: str = "ScaleSet") -> str:
        """Status in full, for the message of a failure."""
        return "\n".join(json.dumps(self.get(name, kind).get("status"), indent=1) for name in names)


def template(name: str, *, image: str = "web:1", marks: Mapping[str, str] | None = None) -> Json:
    """A pod template of one container."""
    return {
        "metadata": {"labels": {"app": name}, "annotations": dict(marks or {})},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }


def word(raw: Json, condition: str) -> Word:
    """A condition of any object; Unknown and without a reason where it does not stand."""
    rows = (raw.get("status") or {}).get("conditions") or ()
    row: Json = next((row for row in rows if row["type"] == condition), {})
    return Word(row.get("status", "Unknown"), row.get("reason", ""), row.get("message", ""))


def controller(pod: Json) -> str | None:
    """The name of the ScaleSet that controls a pod."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next(
        (o["name"] for o in owners if o.get("controller") and o["kind"] == "ScaleSet"), None
    )


def instance_id(pod: Json) -> int:
    """The number in its label."""
    return int(pod["metadata"]["labels"][f"{PREFIX}instance-id"])


def domain(pod: Json) -> int:
    """Its update domain."""
    return int(pod["metadata"]["labels"][f"{PREFIX}update-domain"])


def names_of(pods: Iterable[Json]) -> list[str]:
    """Their names."""
    return [pod["metadata"]["name"] for pod in pods]


def uids_of(pods: Iterable[Json]) -> set[str]:
    """Their UIDs."""
    return {pod["metadata"]["uid"] for pod in pods}


def moment(text: str) -> datetime:
    """A time on the wire."""
    return datetime.fromisoformat(text)
