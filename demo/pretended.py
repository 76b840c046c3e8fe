"""The demo where no containers run: a control plane as plain processes, and pretended nodes.

Must not know: what is played.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from demo import parts
from demo.endpoints import Pretended
from demo.failure import DemoError
from demo.venue import Venue
from localcluster.build import find_or_build
from localcluster.cluster import LocalCluster
from localcluster.processes import dying_with_parent
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.screen import Screen

CRDS: Final = parts.ROOT / "crds"
START_DELAY: Final = "localcluster/start-delay"
START_DELAY_S: Final = 2
"""Pods take so long to start, in seconds: pretended ones would be there before one looks."""
_STOP_WITHIN_S: Final = 5.0
_TAIL_LINES: Final = 15


@contextlib.contextmanager
def venue(screen: Screen) -> Iterator[Venue]:
    """Start everything, saying what; it ends with the block."""
    screen.headline("Find the control plane's binaries, or build them once")
    folder = find_or_build(out=sys.stdout)["kube-apiserver"].parent
    screen.line("etcd, kube-apiserver and the others are here:")
    screen.note(str(folder).replace(str(Path.home()), "~"))

    screen.headline("Start the control plane")
    with LocalCluster(nodes=3, name="demo") as cluster:
        screen.line(
            f"{cluster.server} is ready, with {len(cluster.nodes)} nodes; it took"
            f" {cluster.start_seconds:.1f} s"
        )
        screen.note(
            "The API server, etcd, scheduler and controllers are real. The nodes are pretended"
            " (KWOK): pods run no containers, but each has an address of its own at which an HTTP"
            " endpoint answers."
        )
        screen.headline("Apply the CRDs and start the operator")
        cluster.define(CRDS)
        screen.line("crds/ is applied and served")
        with OperatorProcess(cluster.user_kubeconfig("operator")) as operator:
            screen.line(f"scaleset-operator run: process {operator.pid}")
            endpoints = Pretended(cluster.responder)
            yield Venue(
                cluster=cluster,
                operator=operator,
                endpoints=endpoints,
                sample=_fitted(endpoints.port),
                fitted=f"with the probe on port {endpoints.port} and pods that take"
                f" {START_DELAY_S} s to start",
                command="make demo",
                entrance=_entrance(cluster),
            )


class OperatorProcess:
    """`python -m scaleset_operator run` on one cluster, inside the `with` block.

    It ends with the block, and also when this process is killed.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start it."""
        folder = Path(
            self._closing.enter_context(tempfile.TemporaryDirectory(prefix="scaleset-demo-"))
        )
        self.log = folder / "operator.log"
        environment = {
            **python_environment(),
            "KUBECONFIG": str(self._kubeconfig),
            # Starts of other operators on this machine are none of this one's.
            "STATE_DIRECTORY": str(folder),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scaleset_operator", "run", "--log-format", "text"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                # Out of reach of a terminal's Ctrl-C: it is stopped in its turn.
                start_new_session=True,
                preexec_fn=dying_with_parent(),  # noqa: PLW1509 - no lock is held here
            )
        self._closing.callback(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it: SIGTERM, a few seconds, SIGKILL."""
        self._closing.close()

    @property
    def reading(self) -> str:
        """The command that shows its log."""
        return f"less {self.log}"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def must_run(self) -> None:
        """Raise DemoError, with the end of its log, when it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            message = f"the operator ended by itself with {code}; its log ends with:\n{self.tail()}"
            raise DemoError(message)

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _entrance(cluster: LocalCluster) -> tuple[str, ...]:
    lines = [f"export KUBECONFIG={cluster.kubeconfig}"]
    if shutil.which("kubectl") is None:
        lines.append(f"export PATH=$PATH:{find_or_build()['kubectl'].parent}")
    return tuple(lines)


def _fitted(port: int) -> list[dict[str, Any]]:
    probe, scale_set = parts.sample()
    probe["spec"]["port"] = port
    scale_set["spec"]["template"]["metadata"]["annotations"] = {START_DELAY: str(START_DELAY_S)}
    return [probe, scale_set]
