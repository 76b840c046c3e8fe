"""The control plane's processes: their files, their start in order, and faults on demand.

It knows components and the supervisor; it must not know nodes, pods or who uses the cluster.
"""

from __future__ import annotations

import dataclasses
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

from localcluster import components, credentials, slots, stages
from localcluster.api import ApiClient
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from localcluster.credentials import User
    from localcluster.supervisor import Supervisor

RESPONDER = "responder"

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_PORT_ATTEMPTS = 3
_TAIL_LINES = 15
_PORT_TAKEN = "address already in use"


class StartError(RuntimeError):
    """A process ended or did not become ready; the message holds the end of its log."""


class _PortTakenError(StartError):
    """Somebody was faster to take a port."""


class ControlPlane:
    """The processes of one cluster, in one folder, under one supervisor."""

    def __init__(
        self,
        supervisor: Supervisor,
        layout: components.Layout,
        users: Mapping[str, User],
    ) -> None:
        self._supervisor = supervisor
        self._layout = layout
        self._users = users
        self._commands: dict[str, list[str]] = {}
        self._wanted: set[str] = set()
        """Those that are meant to run: their end is a fault."""

    @property
    def server(self) -> str:
        """The API server's address, `https://127.0.0.1:<port>`."""
        return f"https://127.0.0.1:{self._layout.ports.apiserver}"

    @property
    def ca_file(self) -> Path:
        """The certificates that vouch for the API server, in PEM."""
        return self._layout.folder / "certificates" / "apiserver.crt"

    def kubeconfig(self, user: str) -> Path:
        """Give the kubeconfig of a user the cluster knows; raises KeyError for any other."""
        return self._layout.folder / f"{self._users[user].name.replace(':', '-')}.kubeconfig"

    def client(self, timeout: float = 10.0) -> ApiClient:
        """Give a new connection to the API server as admin, each answer within `timeout` s."""
        return ApiClient(
            self._layout.ports.apiserver,
            token=self._users[credentials.ADMIN].token,
            ca=self.ca_file.read_bytes(),
            timeout=timeout,
        )

    def prepare(self, stage_objects: Iterable[Mapping[str, object]], pod_cidr: str) -> None:
        """Write the files the processes read."""
        folder = self._layout.folder
        credentials.write_private(folder / "tokens.csv", credentials.token_file(self._users))
        credentials.write_private(folder / "service-account.key", credentials.signing_key())
        (folder / "audit-policy.yaml").write_bytes(stages.audit_policy().read_bytes())
        (folder / "kwok.yaml").write_text(stages.kwok_config(stage_objects, pod_cidr=pod_cidr))

    def start_server(self) -> None:
        """Start etcd and the API server on free ports and wait until it is ready.

        Raises:
            StartError: one of them ended, or /readyz did not answer in time.
        """
        for attempt in range(_PORT_ATTEMPTS):
            try:
                self._start_server()
            except _PortTakenError:
                if attempt == _PORT_ATTEMPTS - 1:
                    raise
                self._forget_server()
            else:
                break
        self._write_kubeconfigs()

    def start_rest(self, names: Iterable[str]) -> None:
        """Start those of the other components that are named, in their order."""
        wanted = set(names)
        for name in components.COMPONENTS[2:]:
            if name in wanted:
                self._launch(name)

    def start_responder(self, control: Path, port: int | None) -> None:
        """Start the responder on a port, or on 8080 or else any free one."""
        where = ["--prefer", "8080"] if port is None else ["--port", str(port)]
        self._commands[RESPONDER] = [
            *(sys.executable, "-m", "localcluster.responder"),
            *("--control", str(control), *where),
        ]
        self.start(RESPONDER)

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for a condition while every process lives; raises StartError otherwise."""
        deadline = time.monotonic() + _START_SECONDS
        while not done():
            self.check()
            if time.monotonic() > deadline:
                message = f"{what} not within {_START_SECONDS:.0f} s\n{self.tails()}"
                raise StartError(message)
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise StartError, with the end of its log, when a process has ended unasked."""
        for name, part in self._supervisor.parts().items():
            if part["code"] is not None and name in self._wanted:
                tail = self.tail(name)
                message = f"{name} ended with code {part['code']}:\n{tail}"
                raise (_PortTakenError if _PORT_TAKEN in tail else StartError)(message)

    def tail(self, name: str) -> str:
        """Give the last lines of a process's log."""
        log = self._layout.folder / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])

    def tails(self) -> str:
        """Give the last lines of every process's log."""
        return "\n".join(f"--- {name}\n{self.tail(name)}" for name in self._commands)

    def stop(self, name: str) -> None:
        """Stop a process: SIGTERM, a few seconds, SIGKILL."""
        self._wanted.discard(name)
        self._supervisor.stop(name)

    def start(self, name: str) -> None:
        """Start a stopped process again, on the same port and data."""
        self._supervisor.start(name, self._commands[name], python_environment())
        self._wanted.add(name)

    def pause(self, name: str) -> None:
        """Stop a process's clock (SIGSTOP): it keeps its connections and answers nobody."""
        self._supervisor.signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused process go on."""
        self._supervisor.signal(name, signal.SIGCONT)

    def wait_ready(self) -> None:
        """Wait until the API server's /readyz answers; raises StartError when it does not."""
        clients: list[ApiClient] = []

        def ready() -> bool:
            # The key is written after the certificates: with it there, they are whole.
            if not clients and self.ca_file.with_suffix(".key").exists():
                # A short time: it may be somebody else who listens there, and says nothing.
                clients.append(self.client(timeout=1))
            return bool(clients) and clients[0].is_ready()

        try:
            self.wait_until(ready, "the API server was ready")
        finally:
            for client in clients:
                client.close()

    def _start_server(self) -> None:
        etcd, etcd_peer, apiserver = slots.free_ports(3)
        ports = components.Ports(etcd=etcd, etcd_peer=etcd_peer, apiserver=apiserver)
        self._layout = dataclasses.replace(self._layout, ports=ports)
        self._launch(components.ETCD)
        self._launch(components.APISERVER)
        self.wait_ready()

    def _forget_server(self) -> None:
        self.stop(components.APISERVER)
        self.stop(components.ETCD)
        for name in (components.ETCD, components.APISERVER):
            (self._layout.folder / "logs" / f"{name}.log").unlink()
        shutil.rmtree(self._layout.folder / "etcd", ignore_errors=True)

    def _launch(self, name: str) -> None:
        self._commands[name] = components.command(name, self._layout)
        self.start(name)

    def _write_kubeconfigs(self) -> None:
        ca = self.ca_file.read_bytes()
        for user in self._users.values():
            text = credentials.kubeconfig(user, server=self.server, ca=ca)
            credentials.write_private(self.kubeconfig(user.name), text)
