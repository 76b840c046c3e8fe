"""Inside a replica under test: what its prober sends to some addresses is lost, and nobody else's.

Python imports it at its start from PYTHONPATH. CUT_PATHS names a file of addresses, which is read
anew for each attempt. Must not know: why they are cut.
"""

import os
import select
import socket
from pathlib import Path
from typing import Any

CUT = os.environ.get("CUT_PATHS")
_OTHER_ENDS: list[socket.socket] = []


def cut_paths(file: Path) -> None:
    """Have attempts on those addresses sent to where nobody ever answers."""
    from scaleset_operator.adapters.prober import attempt  # noqa: PLC0415 - only where it is wanted

    as_usual = attempt.Attempt.open
    watched = attempt._WATCH_ALL  # noqa: SLF001 - it stands in for the method beside it

    def lost(self: Any, epoll: select.epoll) -> Any:
        if self.target.address[0] not in file.read_text().split():
            return as_usual(self, epoll)
        ours, other = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - its only argument
        _OTHER_ENDS.append(other)
        self._socket, self.fd = ours, ours.fileno()
        epoll.register(self.fd, watched)
        return None

    attempt.Attempt.open = lost  # type: ignore[method-assign]


if CUT:
    cut_paths(Path(CUT))
