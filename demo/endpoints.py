"""The application behind each instance's address: it opens with the pod's containers.

The responder answers for every address there is; here it is told to answer only for instances whose
containers run, as real ones would. Must not know: probes, verdicts or repairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from demo.books import Life
    from localcluster.responder.client import Responder

OPEN: Final = "ok"
CLOSED: Final = "refuse"
HANGING: Final = "hang"


class Endpoints:
    """What each address does; an address goes back to refusing with the pod that had it."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._scripts: dict[str, str] = {}
        responder.set("default", CLOSED)

    @property
    def port(self) -> int:
        """The TCP port all of them answer on."""
        return self._responder.port

    def follow(self, life: Life) -> None:
        """Open the endpoint of a pod that runs now, close that of a pod that goes."""
        if not life.live:
            if self._scripts.pop(life.address, None) is not None:
                self._responder.clear(life.address)
        elif life.runs and life.address not in self._scripts:
            self.set({life.address: OPEN})

    def set(self, scripts: Mapping[str, str]) -> None:
        """Tell addresses what to do, all at one moment; raises ResponderError on a bad script."""
        self._responder.set_many(scripts)
        self._scripts.update(scripts)

    def set_all(self, lives: Iterable[Life], script: str) -> None:
        """Tell all live instances to do the same, from one moment on."""
        self.set({life.address: script for life in lives if life.live and life.address})
