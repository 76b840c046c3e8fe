"""A whole local cluster, as the rest of the world uses it.

    with LocalCluster(nodes=3) as cluster:
        print(cluster.kubectl("get", "nodes"))

It knows all parts of this package and wires them; it must not know what is tested on it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from localcluster import build, components, credentials, slots, stages
from localcluster.controlplane import ControlPlane
from localcluster.nodes import NodeBlocks, Nodes
from localcluster.processes import identify
from localcluster.responder.client import Responder
from localcluster.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from localcluster.slots import Slot

_SERVED_SECONDS = 30.0
_LOOK_SECONDS = 0.1


class KubectlError(RuntimeError):
    """kubectl ended with an error; the message holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What few callers need to change."""

    etcd_fsync: bool = False
    """Wait for the disk on each write: for latency figures, not for tests."""
    controllers: Sequence[str] = components.CONTROLLERS
    """What the controller manager runs; `("*",)` for all."""
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More command line arguments by component."""
    node_prefix: int | None = None
    """Give each node a block of this size, so that an address tells its node; else none has."""
    responder_port: int | None = None
    """The responder's port; None for 8080, or a free one where that is taken."""


class LocalCluster:
    """A control plane, pretended nodes and the responder; up inside the `with` block.

    All of it stops when the block ends, and also when this process is killed.
    """

    def __init__(
        self,
        *,
        nodes: int = 3,
        name: str = "local",
        stages: Iterable[Mapping[str, Any]] = (),
        audit: bool = True,
        components: Collection[str] = components.COMPONENTS,
        users: Mapping[str, Sequence[str]] | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Describe the cluster; nothing starts yet.

        Args:
            nodes: how many nodes to make.
            name: what `python -m localcluster status` calls it.
            stages: KWOK Stage objects, added to ours or replacing those of the same name.
            audit: whether the API server keeps an audit log.
            components: which processes run; etcd and the API server always do.
            users: groups by user name, for identities beyond `credentials.USERS`.
            tuning: what few callers need to change.
        """
        self.name = name
        self._wanted_nodes = nodes
        self._stages = stages
        self._audit = audit
        self._components = components
        self._users = credentials.make_users(users or {})
        self._tuning = tuning or Tuning()
        self._closing = contextlib.ExitStack()
        self.start_seconds = 0.0
        """How long the start took, without building."""

    def __enter__(self) -> Self:
        """Start; see `start`."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; see `stop`."""
        self.stop()

    def start(self) -> None:
        """Start everything and wait until the nodes are Ready.

        Raises:
            MissingToolsError, BuildError: the binaries cannot be had.
            NoSlotError: too many clusters are up.
            StartError: a process did not come up; nothing is left running.
        """
        self._binaries = build.find_or_build()
        started = time.monotonic()
        with contextlib.ExitStack() as closing:
            self._start(slots.take(), closing)
            self._closing = closing.pop_all()
        self.start_seconds = time.monotonic() - started

    def stop(self) -> None:
        """Stop everything and remove the cluster's folder; does nothing when it is not up."""
        self._closing.close()

    @property
    def server(self) -> str:
        """The API server's address, `https://127.0.0.1:<port>`."""
        return self._control_plane.server

    @property
    def ca_file(self) -> Path:
        """The certificates that vouch for the API server, in PEM."""
        return self._control_plane.ca_file

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the user `admin`."""
        return self.user_kubeconfig(credentials.ADMIN)

    @property
    def token(self) -> str:
        """The bearer token of the user `admin`."""
        return self._users[credentials.ADMIN].token

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON object a line, level Metadata."""
        return self._slot.folder / "audit.log"

    @property
    def pod_cidr(self) -> str:
        """The block the pods' addresses are taken from, `127.x.0.0/16`."""
        return self._slot.pod_cidr

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes."""
        return self._nodes.names()

    def user_kubeconfig(self, user: str) -> Path:
        """Give the kubeconfig of a user.

        Raises:
            KeyError: no such user; the API server knows only those named at the start.
        """
        return self._control_plane.kubeconfig(user)

    def user_token(self, user: str) -> str:
        """Give the bearer token of a user; raises KeyError as `user_kubeconfig` does."""
        return self._users[user].token

    def add_nodes(self, count: int) -> list[str]:
        """Make more nodes and give their names once they are Ready; raises StartError."""
        names = self._nodes.add(count)
        self._control_plane.wait_until(lambda: self._nodes.are_ready(names), "the nodes were Ready")
        return names

    def stop_node(self, name: str) -> None:
        """Lose a node: NotReady at once, its lease not renewed, its pods looked after by nobody."""
        self._nodes.stop(name)

    def start_node(self, name: str) -> None:
        """Bring a lost node back."""
        self._nodes.start(name)

    def pause(self, component: str) -> None:
        """Freeze a process: it keeps its connections and answers nobody."""
        self._control_plane.pause(component)

    def resume(self, component: str) -> None:
        """Let a paused process go on."""
        self._control_plane.resume(component)

    def stop_component(self, component: str) -> None:
        """Stop one process: what leans on it sees refused connections."""
        self._control_plane.stop(component)

    def start_component(self, component: str) -> None:
        """Start a stopped process again, on the same port and data."""
        self._control_plane.start(component)

    def restart(self, component: str) -> None:
        """Stop one process, start it again and wait until the API server is ready."""
        self._control_plane.stop(component)
        self._control_plane.start(component)
        self._control_plane.wait_ready()

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        """Run kubectl as admin and give what it printed; raises KubectlError when it fails."""
        done = subprocess.run(
            [
                str(self._binaries["kubectl"]),
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={self._slot.folder / 'kubectl'}",
                *arguments,
            ],
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
            raise KubectlError(message)
        return done.stdout

    def define(self, path: Path) -> None:
        """Apply the definitions in a file or folder, and return once they are served.

        Raises KubectlError, as `await_served` does.
        """
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
        self.await_served("-f", str(path))

    def await_served(self, *which: str) -> None:
        """Wait until the API server serves the kinds of these definitions, as kubectl names them.

        Raises:
            KubectlError: it does not within half a minute.
        """
        deadline = time.monotonic() + _SERVED_SECONDS
        while True:
            try:
                self.kubectl("wait", "--for=condition=Established", *which)
            except KubectlError:
                # It also gives up on a definition that has no conditions at all yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def _start(self, slot: Slot, closing: contextlib.ExitStack) -> None:
        self._slot = slot
        closing.callback(shutil.rmtree, slot.folder, ignore_errors=True)
        with contextlib.closing(slot):
            supervisor = Supervisor(slot.folder, lock_fd=slot.lock_fd)
        closing.callback(supervisor.close)
        self._control_plane = plane = ControlPlane(supervisor, self._layout(), self._users)
        plane.prepare(stages.stages(self._stages), slot.pod_cidr)
        control = slot.folder / "responder.sock"
        plane.start_responder(control, self._tuning.responder_port)
        plane.start_server()
        plane.start_rest(self._components)
        self.responder = Responder(control)
        closing.callback(self.responder.close)
        plane.wait_until(self.responder.is_up, "the responder listened")
        blocks = NodeBlocks(slot.pod_cidr, self._tuning.node_prefix)
        tainted = components.CONTROLLER_MANAGER in self._components
        self._nodes = Nodes(plane.client, blocks, untaint=tainted)
        if components.KWOK in self._components:
            self.add_nodes(self._wanted_nodes)
        slot.write_state(self._state(supervisor))

    def _layout(self) -> components.Layout:
        return components.Layout(
            folder=self._slot.folder,
            binaries=self._binaries,
            audit=self._audit,
            etcd_fsync=self._tuning.etcd_fsync,
            controllers=self._tuning.controllers,
            extra=self._tuning.arguments,
        )

    def _state(self, supervisor: Supervisor) -> dict[str, Any]:
        return {
            "name": self.name,
            "owner": identify(os.getpid()),
            "supervisor": supervisor.identity,
            "processes": supervisor.parts(),
            "server": self.server,
            "kubeconfig": str(self.kubeconfig),
            "responder": self.responder.port,
            "podCIDR": self.pod_cidr,
            "auditLog": str(self.audit_log) if self._audit else None,
        }
