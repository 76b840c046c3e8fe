"""A namespace on the kind cluster whose sets consist of real pods, each told how to answer.

Imports nothing of the operator. It must not know what any test expects.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.integration.sets import Sets
from tests.kind.pods import PORT, instance, process

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
        """One small test instance; `changes` are of its container."""
        small = {"image": self._image, "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}}}
        more = {
            "automountServiceAccountToken": False,
            "topologySpreadConstraints": [_over_nodes(name)],
        }
        return {
            "metadata": {"labels": {"app": name}},
            "spec": instance(**(small | changes)) | more,
        }

    def tell(self, pod: Json, **behaviour: Any) -> Answer:
        """Have an instance answer so from now on; without words, as at the start."""
        return self.room.ask(pod, CONTROL, behaviour)

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
