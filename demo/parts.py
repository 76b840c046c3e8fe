"""What the demo starts: the operator, as the process it is anywhere, and the objects it is given.

Must not know: in which order things happen, or what is said about them.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import yaml

from demo.failure import DemoError
from localcluster.processes import dying_with_parent
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from localcluster.cluster import LocalCluster

ROOT: Final = Path(__file__).resolve().parents[1]
CRDS: Final = ROOT / "crds"
SAMPLE: Final = ROOT / "manifests" / "samples" / "demo-extended.yaml"
START_DELAY: Final = "localcluster/start-delay"
START_DELAY_S: Final = 2
"""Pods take so long to start, in seconds: pretended ones would be there before one looks."""
_STOP_WITHIN_S: Final = 5.0
_TAIL_LINES: Final = 15


class Operator:
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


def sample(port: int) -> list[dict[str, Any]]:
    """The HealthProbe and the ScaleSet of the sample, fitted to the local cluster.

    Args:
        port: where the endpoints answer.
    """
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(SAMPLE.read_text(encoding="utf-8")))
    for body in objects:
        if body["kind"] == "HealthProbe":
            body["spec"]["port"] = port
        else:
            template = body["spec"]["template"]["metadata"]
            template["annotations"] = {START_DELAY: str(START_DELAY_S)}
    return objects


def apply_definitions(cluster: LocalCluster) -> None:
    """Apply the CRDs and wait until the API server serves them."""
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))


def apply(cluster: LocalCluster, objects: list[dict[str, Any]]) -> str:
    """Apply objects in the namespace `default`; gives what kubectl said."""
    return cluster.kubectl(
        *("apply", "-n", "default", "-f", "-"),
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )
