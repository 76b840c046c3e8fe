"""The operator as a process of its own on a local cluster: started, stopped, frozen and killed.

It is run as a user runs it, `python -m scaleset_operator run`, and seen only from outside: by its
exit status, its log and its readiness. It must not know what the operator does.
"""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final, Self

from localcluster.cluster import LocalCluster
from tests.support.waiting import wait_for

READY_S: Final = 60.0
STOP_S: Final = 20.0
TAIL: Final = 4_000
"""Characters of the log that a failure shows."""
SOURCE: Final = Path(__file__).parents[2] / "operator"


class OperatorProcess:
    """One operator after another, as one user, with one log for all of its lives.

    Attributes:
        lives: how many times it was started.
        log: the file with all that it printed.
    """

    def __init__(
        self,
        cluster: LocalCluster,
        folder: Path,
        *,
        namespaces: tuple[str, ...] = (),
        user: str = "operator",
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Starts nothing yet.

        Args:
            cluster: where it works.
            folder: where its log goes, under the user's name.
            namespaces: those it serves; none for all.
            user: as whom it speaks, so that the audit log tells it apart.
            arguments: more of its command line.
        """
        self._kubeconfig = cluster.user_kubeconfig(user)
        self._arguments = [part for name in namespaces for part in ("--namespace", name)]
        self._arguments += arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.lives = 0
        self.log = folder / f"{user}.log"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended; a frozen one has not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the present life."""
        return self._alive().pid

    def start(self) -> Self:
        """Begin a life; returns at once."""
        assert not self.running, "the operator runs already"
        self._port = _free_port()
        command = [sys.executable, "-m", "scaleset_operator", "run", "--port", str(self._port)]
        path = os.pathsep.join(part for part in (str(SOURCE), os.environ.get("PYTHONPATH")) if part)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                env={**os.environ, "KUBECONFIG": str(self._kubeconfig), "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.lives += 1
        return self

    def wait_ready(self, timeout: float = READY_S) -> Self:
        """Wait until /readyz answers 200; fails at once when the process ends."""
        wait_for(self._is_ready, timeout, f"the operator was ready; its log: {self.tail()}")
        return self

    def stop(self, timeout: float = STOP_S) -> int:
        """SIGTERM; gives the exit status."""
        process = self._alive()
        process.terminate()
        return process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, as `kill -9`; nothing of it runs when this returns."""
        process = self._alive()
        process.kill()
        process.wait(STOP_S)

    def kill_after(self, seconds: float) -> None:
        """Let it live for so long, then SIGKILL; fails when it ends by itself before."""
        process = self._alive()
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        message = f"the operator ended by itself, status {status}: {self.tail()}"
        raise AssertionError(message)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""
        self._alive().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        self._alive().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, whatever state it is in; does nothing when it has ended."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def output(self) -> str:
        """All that it printed, over all of its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self) -> str:
        """The end of its log."""
        return self.output()[-TAIL:]

    def _alive(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the operator was never started"
        status = self._process.poll()
        assert status is None, f"the operator has ended, status {status}: {self.tail()}"
        return self._process

    def _is_ready(self) -> bool:
        if not self.running:
            # Past any AssertionError, which would count as `not yet`.
            message = f"the operator ended before it was ready: {self.tail()}"
            raise RuntimeError(message)
        url = f"http://127.0.0.1:{self._port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
