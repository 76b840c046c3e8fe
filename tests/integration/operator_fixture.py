"""The operator as users run it: one process, with its kubeconfig, beside the control plane.

Knows how to start it, to wait until it serves, and to end it kindly or not. Must not know what it
does.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import pytest

from localcluster.processes import dying_with_parent
from tests.integration.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localcluster.cluster import LocalCluster

SOURCE: Final = Path(__file__).parents[2] / "operator"
END_S: Final = 30.0
FAULTS: Final = ("Traceback", "the turn failed")
"""What must never stand in the log of an operator, whatever it is put through."""
FAULT_LINES: Final = 40
"""A traceback is as long as that."""


class OperatorProcess:
    """One operator at a time; it may be ended and started again.

    Attributes:
        cluster: whose API server it serves.
        log: what all its runs have said.
        port: of its pages.
    """

    def __init__(
        self,
        cluster: LocalCluster,
        folder: Path,
        *arguments: str,
        user: str = "operator",
        kubeconfig: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describes it; nothing starts yet.

        Args:
            cluster: whose API server it serves.
            folder: for its log and its state.
            arguments: more of its command line.
            user: as whom it speaks to the API server.
            kubeconfig: by which it does, instead of that user's.
            environment: more of it, or other values.
        """
        self.cluster = cluster
        self.log = folder / "operator.log"
        self._arguments = arguments
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or cluster.user_kubeconfig(user)),
            "STATE_DIRECTORY": str(folder),
            "PYTHONPATH": str(SOURCE),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """Of the present run."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Begin a run; does not wait for it."""
        assert self._process is None, "it runs already"
        self.port = free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scaleset_operator", "run"),
                    *("--port", str(self.port)),
                    *self._arguments,
                ],
                env=self._environment,
                stdout=log,
                stderr=log,
                preexec_fn=dying_with_parent(),  # noqa: PLW1509 - from the main thread
            )

    def await_ready(self) -> None:
        """Wait until /readyz says that it takes turns, sees the cluster and probes."""
        eventually(self._is_ready, "the operator is ready", seconds=30, told=self.last_words)

    def stop(self) -> int:
        """Ask it to end, and give its exit status."""
        self.ask_to_end()
        assert self._process is not None
        try:
            return self._process.wait(END_S)
        finally:
            self.kill()

    def ask_to_end(self) -> None:
        """SIGTERM; does not wait for it."""
        os.kill(self.pid, signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP: nothing of it runs, and its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        os.kill(self.pid, signal.SIGCONT)

    def await_end(self, seconds: float = END_S) -> int:
        """Wait until it has ended by itself, and give its exit status."""
        assert self._process is not None, "it does not run"
        status = self._process.wait(seconds)
        self._process = None
        return status

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self._process is not None, "it does not run"
        self._process.kill()
        self._process.wait(END_S)
        self._process = None

    def faults(self) -> list[str]:
        """Lines of the log that no operator should write, each with those that follow it."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [
            "\n".join(lines[at : at + FAULT_LINES])
            for at, line in enumerate(lines)
            if any(fault in line for fault in FAULTS)
        ]

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8")[-2000:]

    def _is_ready(self) -> bool:
        assert self._process is not None, "it does not run"
        assert self._process.poll() is None, f"it ended: {self.last_words()}"
        try:
            return self.page("/readyz")[0] == http.client.OK
        except OSError:
            return False

    def page(self, path: str) -> tuple[int, str]:
        """The status and the body of /healthz, /readyz or /metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def operator(
    kinds: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """The module's operator: serves all namespaces, ends without a fault in its log."""
    with OperatorProcess(kinds, tmp_path_factory.mktemp("operator")) as process:
        yield process
        assert process.stop() == 0, process.last_words()
        assert not (faults := process.faults()), faults[0]
