"""The supervisor: a process of its own that runs a cluster's parts and outlives its owner.

`python -m localcluster.supervise FOLDER OWNER_PID SOCKET_FD LOCK_FD`. It takes one JSON order a
line from the socket. When the socket closes or the owner's process ends, in whatever way, it stops
every part, the youngest first, removes the folder and ends; should it be killed itself, the
kernel kills the parts. It must not know what the parts are.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster.processes import dying_with_parent, identify

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

GRACE_SECONDS = 2.0
"""How long a part may take to end after SIGTERM before it is killed. An API server whose watchers
live would take a minute, and loses nothing by this."""

_CHUNK = 65536


class Parts:
    """The running parts by name, in the order they were first started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> int:
        """Start a part, its output going to `logs/<name>.log`, and give its pid.

        Raises:
            OSError: the program cannot be run.
            ValueError: a part of that name is running.
        """
        if name in self._parts and self._parts[name].poll() is None:
            message = f"{name} is already running"
            raise ValueError(message)
        with (self._folder / "logs" / f"{name}.log").open("ab") as log:
            self._parts[name] = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                # Safe here: this process has one thread.
                preexec_fn=dying_with_parent(),  # noqa: PLW1509
            )
        return self._parts[name].pid

    def stop(self, name: str) -> None:
        """End a part: SIGTERM, and SIGKILL after `GRACE_SECONDS`."""
        part = self._parts[name]
        if part.poll() is not None:
            return
        part.send_signal(signal.SIGTERM)
        part.send_signal(signal.SIGCONT)  # a paused part could not heed the other
        try:
            part.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()

    def end_all(self) -> None:
        """End every part, the youngest first: what others lean on goes last."""
        for name in reversed(list(self._parts)):
            self.stop(name)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a part."""
        self._parts[name].send_signal(number)

    def list(self) -> dict[str, dict[str, Any]]:
        """Give pid, start time and, once it has ended, the exit code of every part."""
        found = {}
        for name, part in self._parts.items():
            code = part.poll()
            identity = identify(part.pid) if code is None else None
            found[name] = {
                "pid": part.pid,
                "started": identity.started if identity else None,
                "code": code,
            }
        return found


def serve(parts: Parts, orders: socket.socket, owner: int) -> None:
    """Carry out orders until the owner hangs up or ends."""
    pending = b""
    while True:
        ready = select.select([orders.fileno(), owner], [], [])[0]
        if owner in ready:
            return
        chunk = orders.recv(_CHUNK)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            orders.sendall(_answer(parts, json.loads(line)) + b"\n")


def _answer(parts: Parts, order: dict[str, Any]) -> bytes:
    verbs: dict[str, Callable[..., Any]] = {
        "start": parts.start,
        "stop": parts.stop,
        "signal": parts.signal,
        "list": parts.list,
        "end_all": parts.end_all,
    }
    try:
        return json.dumps({"result": verbs[order.pop("do")](**order)}).encode()
    except (OSError, ValueError, KeyError) as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main(arguments: list[str]) -> None:
    """Supervise until the owner is gone, then leave nothing behind."""
    folder, owner_pid, socket_fd = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    # arguments[3], the slot's lock, is only held: it frees the slot when this process is gone.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parts = Parts(folder)
    try:
        with socket.socket(fileno=socket_fd) as orders:
            serve(parts, orders, os.pidfd_open(owner_pid))
    except (ProcessLookupError, ConnectionError):
        pass  # the owner is gone
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        parts.end_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
