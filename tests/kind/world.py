"""A namespace on the kind cluster whose sets consist of real pods, each told how to answer.

Imports nothing of the operator. It must not know what any test expects.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.integration.sets import Sets
from tests.kind.pods import PORT, VOLUME, process

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.pods import Answer, Namespace
    from tests.support.kube_api import Api

CONTROL: Final = "/_control"


class KindWorld(Sets):
    """The ScaleSets of a namespace, of test instances.

    Attributes:
        room: the namespace as kubectl and the nodes see it.
    """

    def __init__(self, api: Api, room: Namespace, image: str) -> None:
        super().__init__(api, room.name, PORT)
        self.room = room
        self._image = image

    def template(self, name: str, **changes: Any) -> Json:
        """One small test instance, with a volume that lives as long as the pod."""
        container = {
            "name": "instance",
            "image": self._image,
            "ports": [{"containerPort": PORT}],
            "volumeMounts": [{"name": VOLUME, "mountPath": "/scratch"}],
            "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
        }
        return {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": False,
                "topologySpreadConstraints": [_over_nodes(name)],
                "volumes": [{"name": VOLUME, "emptyDir": {}}],
                "containers": [container | changes],
            },
        }

    def tell(self, pod: Json, **behaviour: Any) -> Answer:
        """Have an instance answer so from now on; without words, as at the start."""
        return self.room.ask(pod, CONTROL, behaviour)

    def ask(self, pod: Json) -> Answer:
        """Ask an instance as a client would."""
        return self.room.ask(pod)

    def freeze(self, pod: Json) -> None:
        """Stop an instance's process: its port stays open, and nobody answers there."""
        self.room.on_node(pod, "kill", "-STOP", process(pod, partial(self.room.on_node, pod)))


def _over_nodes(name: str) -> Json:
    """As many on one node as on another, as long as there is another."""
    return {
        "topologyKey": "kubernetes.io/hostname",
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {"matchLabels": {"app": name}},
    }
