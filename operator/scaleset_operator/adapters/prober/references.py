"""Does the prober itself see anything: reference targets, and a responder of its own (rule 18).

A reference is an ordinary tcp target with a negative number, so it is tried by the same code that
tries the instances. Must not know what blindness leads to.
"""

import socket
from typing import Final

from scaleset_operator.adapters.prober.attempt import Target
from scaleset_operator.adapters.prober.engine import Engine
from scaleset_operator.adapters.prober.wire import (
    Code,
    ProbeProtocol,
    ReferenceState,
    SetReferences,
    SetTarget,
)

INTERVAL_NS: Final = 2_000_000_000
"""Between two attempts on one reference, and the limit of each."""

_NOT_SEEN: Final = ReferenceState(reachable=False, last_success=0, last_ended=0)
_SEED_STEP: Final = 0x9E3779B1


class References:
    """The references and their state. `close` ends the responder."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._responder = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._responder.setblocking(False)  # noqa: FBT003 - the socket's own signature
        engine.watch(self._responder.fileno(), self._answer)
        self._epoch = 0
        self._targets: list[Target] = []
        self._states: list[ReferenceState] = []
        self.set(SetReferences(0, ()))

    @property
    def epoch(self) -> int:
        """Of the references in force."""
        return self._epoch

    @property
    def states(self) -> tuple[ReferenceState, ...]:
        """The responder of our own first, then those given, in order."""
        return tuple(self._states)

    def set(self, command: SetReferences) -> None:
        """Replaces the references; all but our own responder begin anew."""
        for target in self._targets:
            self._engine.drop(target)
        own_ip, own_port = self._responder.getsockname()
        addresses = ((own_ip, own_port), *command.addresses)
        self._epoch = command.epoch
        self._states = [*self._states[:1], *(_NOT_SEEN for _ in addresses)][: len(addresses)]
        self._targets = [
            self._target(place, ip, port) for place, (ip, port) in enumerate(addresses)
        ]

    def _target(self, place: int, ip: str, port: int) -> Target:
        target = Target(
            SetTarget(
                target=-1 - place,
                epoch=self._epoch,
                protocol=ProbeProtocol.TCP,
                ip=ip,
                port=port,
                path="",
                interval_ns=INTERVAL_NS,
                timeout_ns=INTERVAL_NS,
                seed=(place * _SEED_STEP) & 0xFFFFFFFF,
            )
        )
        self._engine.add(target)
        return target

    def note(self, target: Target, code: Code, ended_ns: int) -> bool:
        """Takes the outcome of an attempt on a reference; tells whether it is another than before.

        The first outcome of all counts as another.
        """
        place = -1 - target.number
        before = self._states[place]
        reachable = code is Code.OK
        last_success = ended_ns if reachable else before.last_success
        self._states[place] = ReferenceState(reachable, last_success, ended_ns)
        return reachable is not before.reachable or not before.last_ended

    def _answer(self, _events: int) -> None:
        """Takes the connection that the prober made to itself, and ends it."""
        try:
            connection, _ = self._responder.accept()
        except OSError:
            return
        connection.close()

    def close(self) -> None:
        """Ends the responder."""
        self._engine.unwatch(self._responder.fileno())
        self._responder.close()
