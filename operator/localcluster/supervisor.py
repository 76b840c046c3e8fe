"""The owner's end of the line to its supervisor process.

It knows how to start a supervisor and how to give it orders; it must not know what the parts are.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster.processes import ProcessId, identify, wait_gone

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence

_SOURCE_ROOT = Path(__file__).resolve().parent.parent
_LONGEST_ORDER_SECONDS = 60.0


class SupervisorError(RuntimeError):
    """The supervisor refused an order, or is no longer there."""


class Supervisor:
    """One supervisor process and the parts it runs; safe to use from several threads."""

    def __init__(self, folder: Path, *, lock_fd: int) -> None:
        """Start the supervisor.

        Args:
            folder: the cluster's folder; the supervisor removes it at the end.
            lock_fd: an open file the supervisor holds open until it ends.
        """
        (folder / "logs").mkdir(exist_ok=True)
        self._turn = threading.Lock()
        self._line, theirs = socket.socketpair()
        self._line.settimeout(_LONGEST_ORDER_SECONDS)
        with theirs, (folder / "logs" / "supervisor.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "localcluster.supervise", str(folder)),
                    *map(str, (os.getpid(), theirs.fileno(), lock_fd)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=python_environment(),
                pass_fds=(theirs.fileno(), lock_fd),
                # Out of reach of a terminal's Ctrl-C: it must live to clear up.
                start_new_session=True,
            )
        self._answers = self._line.makefile("rb")
        self.identity: ProcessId | None = identify(self._process.pid)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start a part and give its pid; raises SupervisorError when that cannot be."""
        pid: int = self._order("start", name=name, argv=list(argv), env=dict(env or {}))
        return pid

    def stop(self, name: str) -> None:
        """End a part: SIGTERM, a few seconds, SIGKILL."""
        self._order("stop", name=name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part."""
        self._order("signal", name=name, number=int(number))

    def parts(self) -> dict[str, dict[str, Any]]:
        """Give `{name: {"pid": int, "started": int | None, "code": int | None}}`."""
        found: dict[str, dict[str, Any]] = self._order("list")
        return found

    def close(self) -> None:
        """Hang up and wait until the supervisor has stopped every part and is gone itself."""
        # Not just closed: a process forked from this one may hold a copy.
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._answers.close()
        self._line.close()
        if self.identity and not wait_gone(self.identity, _LONGEST_ORDER_SECONDS):
            self._process.kill()
        self._process.wait()

    def _order(self, verb: str, **fields: Any) -> Any:
        try:
            with self._turn:
                self._line.sendall(json.dumps({"do": verb, **fields}).encode() + b"\n")
                line = self._answers.readline()
        except OSError as error:
            message = f"the supervisor did not take the order {verb!r}"
            raise SupervisorError(message) from error
        answer = json.loads(line or b'{"error": "the supervisor is gone"}')
        if "error" in answer:
            raise SupervisorError(answer["error"])
        return answer["result"]


def python_environment() -> dict[str, str]:
    """Give an environment in which a child's `python -m localcluster...` finds this package."""
    found = os.environ.get("PYTHONPATH")
    root = str(_SOURCE_ROOT)
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{found}" if found else root}
