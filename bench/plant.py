"""The cluster a figure is taken on: control plane, recorder, operator, and the sets on it.

It knows how things are started and asked for; it must not know what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bench import machine
from bench.api import Api, PodWatch
from bench.audit import AuditLog
from localcluster.cluster import LocalCluster, Tuning

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS = "ours"
PEER = "peer"
"""The namespaces of our set and of the ReplicaSet; both sets are called `web`."""
SET = "web"

OPERATOR_USER = "operator"
MANAGER = "kube-controller-manager"
MANAGER_USER = f"system:{MANAGER}"

PROBE_INTERVAL = 5
PROBE_TIMEOUT = 11

# What a ReplicaSet needs, and the nodes; the rest would only blur the peer's CPU and memory.
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "replicaset-controller",
)
_COMPONENTS = ("etcd", "kube-apiserver", MANAGER, "kwok")
_ROOT = Path(__file__).resolve().parents[1]
_STOP_SECONDS = 30.0
_TAIL_LINES = 20


class Recorder:
    """The client of the recorder process; blocking, as each order takes well under 1 ms."""

    def __init__(self, control: Path, port: int) -> None:
        self.port = port
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(control))
        self._answers = self._line.makefile("rb")

    def order(self, verb: str, addresses: Iterable[str]) -> dict[str, Any]:
        """Carry out one of the orders `recorder.Record.obey` knows."""
        self._line.sendall(json.dumps({verb: list(addresses)}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._line.close()


class Operator:
    """One process of the operator, with its prober."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        # A fresh folder for each start: the operator counts starts, and many in a row make it wary.
        state = tempfile.mkdtemp(dir=folder)
        with (folder / "operator.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scaleset_operator", "run"],
                env={**os.environ, "KUBECONFIG": str(kubeconfig), "STATE_DIRECTORY": state},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid
        self.started = time.monotonic()

    def memory_bytes(self) -> int:
        """Give the resident memory of all its processes."""
        return machine.memory_bytes(machine.tree(self.pid))

    def stop(self) -> None:
        """End it, gently first."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Plant:
    """All of it; an async context. The operator is started by whoever needs it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closing = contextlib.AsyncExitStack()
        self._operator: Operator | None = None

    async def __aenter__(self) -> Self:
        """Start the cluster and the recorder, and connect."""
        async with self._closing as closing:
            self.folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            tuning = Tuning(controllers=_CONTROLLERS)
            cluster = LocalCluster(name=self._name, components=_COMPONENTS, tuning=tuning)
            self.cluster = closing.enter_context(cluster)
            self.audit = AuditLog(cluster.audit_log)
            self.recorder = self._start_recorder(closing)
            closing.callback(self.stop_operator)
            cluster.define(_ROOT / "crds")
            api = Api(cluster.server, cluster.token, cluster.ca_file)
            self.api = await closing.enter_async_context(api)
            for namespace in (OURS, PEER):
                body = {"metadata": {"name": namespace}}
                await self.api.call("POST", "/api/v1/namespaces", body)
            await self.api.call("POST", _collection("healthprobes"), self._probe())
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop everything; after a failure, show what the operator said last."""
        log = self.folder / "operator.log"
        if kind is not None and log.exists():
            lines = log.read_text(errors="replace").splitlines()
            print("the operator said last:", *lines[-_TAIL_LINES:], sep="\n", flush=True)
        await self._closing.aclose()

    @property
    def operator(self) -> Operator:
        """The one that runs; raises RuntimeError when none does."""
        if self._operator is None:
            message = "no operator runs"
            raise RuntimeError(message)
        return self._operator

    def start_operator(self) -> Operator:
        """Start the operator as its own user."""
        self._operator = Operator(self.cluster.user_kubeconfig(OPERATOR_USER), self.folder)
        return self._operator

    def stop_operator(self) -> None:
        """End the operator, if it runs."""
        if self._operator is not None:
            self._operator.stop()
            self._operator = None

    def manager_pid(self) -> int:
        """Give the process id of the controller manager."""
        for pid in machine.tree(os.getpid()):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[0].endswith(MANAGER.encode()):
                    return pid
        message = "the controller manager does not run"
        raise RuntimeError(message)

    def watch(self, namespace: str) -> PodWatch:
        """Give a watch of one side's pods; ours heals addresses before they are given anew."""
        if namespace == PEER:
            return PodWatch(self.api, namespace)
        return PodWatch(
            self.api, namespace, lambda pod: void(self.recorder.order("heal", [pod.address]))
        )

    async def create_set(self, namespace: str, replicas: int) -> None:
        """Create our set or the ReplicaSet."""
        spec: dict[str, Any] = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": SET}},
            "template": {
                "metadata": {"labels": {"app": SET}},
                "spec": {"nodeName": "node-0", "containers": [{"name": SET, "image": "web:1"}]},
            },
        }
        body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": SET}}
        if namespace == OURS:
            body |= {"apiVersion": "scaleset.dev/v1alpha1", "kind": "ScaleSet"}
            spec["healthProbeRef"] = {"name": SET}
            policy = {"enabled": True, "limits": "Extended", "gracePeriod": "PT0S"}
            spec["automaticRepairsPolicy"] = policy
        await self.api.call("POST", _sets(namespace), {**body, "spec": spec})

    async def scale_set(self, namespace: str, replicas: int) -> None:
        """Change the number of replicas."""
        await self.api.call(
            "PATCH",
            f"{_sets(namespace)}/{SET}",
            {"spec": {"replicas": replicas}},
            "application/merge-patch+json",
        )

    async def delete_set(self, namespace: str) -> None:
        """Delete the set; its pods follow."""
        options = {"propagationPolicy": "Background"}
        await self.api.call("DELETE", f"{_sets(namespace)}/{SET}", options)

    def _probe(self) -> dict[str, Any]:
        return {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": "HealthProbe",
            "metadata": {"name": SET},
            "spec": {
                "protocol": "http",
                "path": "/healthz",
                "port": self.recorder.port,
                "intervalInSeconds": PROBE_INTERVAL,
                "timeoutInSeconds": PROBE_TIMEOUT,
            },
        }

    def _start_recorder(self, closing: contextlib.AsyncExitStack) -> Recorder:
        control = self.folder / "recorder.sock"
        program = Path(__file__).with_name("recorder.py")
        process = subprocess.Popen(
            [sys.executable, str(program), str(control)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        closing.callback(process.wait)
        closing.callback(process.terminate)
        assert process.stdout is not None
        closing.callback(process.stdout.close)
        recorder = Recorder(control, int(process.stdout.readline()))
        closing.callback(recorder.close)
        return recorder


def void(_: object) -> None:
    """Forget a result."""


def _collection(kinds: str) -> str:
    return f"/apis/scaleset.dev/v1alpha1/namespaces/{OURS}/{kinds}"


def _sets(namespace: str) -> str:
    if namespace == OURS:
        return _collection("scalesets")
    return f"/apis/apps/v1/namespaces/{namespace}/replicasets"
