"""The application behind each instance's address: it opens with the pod's containers.

Must not know: probes, verdicts or repairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from localcluster.responder.client import ResponderError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.books import Life
    from localcluster.responder.client import Responder

OPEN: Final = "ok"
CLOSED: Final = "refuse"
HANGING: Final = "hang"


class Endpoints(Protocol):
    """What the instances of a set answer."""

    @property
    def port(self) -> int:
        """The TCP port all of them answer on."""

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Five ways to break an instance: what is said of it, and the script."""

    @property
    def scripts(self) -> str:
        """The scripts there are, in words."""

    def follow(self, life: Life) -> None:
        """Take in a change of a pod."""

    def tell(self, lives: Iterable[Life], script: str) -> None:
        """Tell instances to do the same, as good as at one moment.

        Raises:
            BadScriptError: there is no such script.
            DemoError: one of them could not be told.
        """


class BadScriptError(Exception):
    """There is no such script; the message says which there are."""


class Pretended:
    """The responder's: an address goes back to refusing with the pod that had it.

    It answers for every address there is; here it is told to answer only for instances whose
    containers run, as real ones would.
    """

    faults = (
        *[("answers 500", "status:500")] * 3,
        ("hangs", HANGING),
        ("refuses", CLOSED),
    )
    scripts = "status:404, hang, refuse, ok ..."

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
            self.tell([life], OPEN)

    def tell(self, lives: Iterable[Life], script: str) -> None:
        """See the protocol."""
        told = {life.address: script for life in lives}
        try:
            self._responder.set_many(told)
        except ResponderError as error:
            raise BadScriptError(str(error)) from error
        self._scripts.update(told)
