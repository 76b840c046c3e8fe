"""The one kind cluster of this user: making it and removing it.

It wires the parts; the ways around a machine's restrictions stand in `restricted`, what is in force
in `state`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from typing import TYPE_CHECKING

from localcluster import binaries, build, stages
from localcluster.commands import CommandError, Commands
from localcluster.kind import config, machine, possible, programs, state
from localcluster.kind.state import State
from localcluster.processes import is_running
from localcluster.restricted import baseimage, engine, network, nodeimage
from localcluster.restricted import programs as node_programs

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.kind.machine import Restrictions

_NETWORK = "kind"
_CREATE_SECONDS = 45
_READY_SECONDS = 120
_PAUSE_SECONDS = 0.5
_ADMIN = "/etc/kubernetes/admin.conf"


class KindCluster:
    """At most one is up at a time, whichever copy of this repository started it."""

    def __init__(self, run: Commands | None = None) -> None:
        self._run = run or Commands()
        self._folder = state.folder(self._run.environment)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator."""
        return self._folder / "kubeconfig"

    @property
    def images_folder(self) -> Path:
        """Where an engine of ours keeps images, across clusters."""
        return binaries.cache_root(self._run.environment) / "kind" / "engine"

    @property
    def roots_folder(self) -> Path:
        """Where root file systems that images are made from are kept."""
        return binaries.cache_root(self._run.environment) / "kind" / "roots"

    def state(self, *, within: float = 0.0) -> State | None:
        """Give what is up; None when nothing is.

        Args:
            within: seconds in which it may answer; a busy machine lets it answer late.
        """
        known = state.read(self._folder)
        if known is None or not known.ready:
            return None
        deadline = time.monotonic() + within
        while not (answers := self._answers(known)) and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        return known if answers else None

    def docker(self, known: State) -> Commands:
        """Give what runs the client of the engine that this cluster is in."""
        if known.docker_host is None:
            return self._run
        return self._run.within(DOCKER_HOST=known.docker_host, KIND_EXPERIMENTAL_PROVIDER="docker")

    def kubectl(self, known: State, *arguments: str, sent: str = "") -> str:
        """Run the kubectl of the control-plane node, as admin; raises CommandError.

        Args:
            known: the cluster.
            arguments: kubectl's.
            sent: what it reads from its standard input.
        """
        inside = ("docker", "exec", "--interactive", config.nodes()[0])
        kubectl = ("kubectl", f"--kubeconfig={_ADMIN}")
        return self.docker(known)(*inside, *kubectl, *arguments, stdin=sent.encode())

    def stop_node(self, known: State, name: str) -> None:
        """End a node at once, with all that runs on it, as a loss of power does."""
        self.docker(known)("docker", "kill", name)

    def start_node(self, known: State, name: str) -> None:
        """Bring a stopped node back, and its routes with it."""
        docker = self.docker(known)
        docker("docker", "start", name)
        network.set_up(known.nodes, docker)

    def audit_log(self, known: State) -> str:
        """Read the API server's audit log: one JSON object a line, level Metadata."""
        return self.docker(known)("docker", "exec", config.nodes()[0], "cat", config.AUDIT_LOG)

    def why_not(self) -> str | None:
        """Say in one line why there can be none on this machine; None where there can, or is."""
        return None if self.state() else possible.why_not(self._run)

    def packages(self) -> tuple[str, ...]:
        """Give the Debian packages whose installation would make one possible; mostly none."""
        return possible.packages(self._run)

    def up(self) -> State:
        """Make the cluster where there is none, and give what is up.

        Raises:
            ImpossibleError: this machine cannot have one; the message says why.
            MissingToolsError, BuildError: something must be built and cannot be.
            CommandError, EngineError: a step failed; nothing is left of the try.
        """
        with state.alone(self._folder):
            known = state.read(self._folder)
            if known and known.ready and self._answers(known):
                return known
            if known:
                self._say("clearing what is left of an earlier cluster")
                self._clear(known)
            restrictions = machine.choose(machine.look(self._run))
            kind = programs.find_or_build(self._run.environment, self._run.out)
            try:
                if restrictions is None:
                    return self._ordinary(kind)
                return self._restricted(kind, restrictions)
            except BaseException:
                left = state.read(self._folder)
                if left:
                    self._clear(left)
                raise

    def build(self) -> None:
        """Build and keep what a cluster and its images are made from; nothing is left running.

        Raises:
            As `up` does.
        """
        with state.alone(self._folder):
            known = state.read(self._folder)
            if known and known.ready and self._answers(known):
                return
            restrictions = machine.choose(machine.look(self._run))
            programs.build_all(self._run.environment, self._run.out)
            if restrictions is None:
                return  # The image was pulled when it was looked for.
            if known:
                self._clear(known)
            try:
                known, _ = self._engine_with_image(restrictions)
                baseimage.make(self.roots_folder, self.docker(known))
            finally:
                left = state.read(self._folder)
                if left:
                    self._clear(left)

    def down(self) -> bool:
        """Remove all that was made, but what was built; say whether there was anything."""
        with state.alone(self._folder):
            known = state.read(self._folder)
            if known:
                self._say("removing nodes, network and engine")
                self._clear(known)
            return known is not None

    def _answers(self, known: State) -> bool:
        try:
            self.kubectl(known, "get", "--raw", "/readyz")
        except CommandError:
            return False
        return True

    def _ordinary(self, kind: Path) -> State:
        fresh = not self._run.succeeds("docker", "network", "inspect", _NETWORK)
        known = State(str(self.kubeconfig), owns_network=fresh)
        state.write(self._folder, known)
        self._create(kind, known, programs.NODE_IMAGE, None)
        return self._wait_ready(known)

    def _engine_with_image(self, restrictions: Restrictions) -> tuple[State, str]:
        made = self._binaries()
        known = State(str(self.kubeconfig), docker_host=engine.HOST, forwarding=engine.forwarding())
        state.write(self._folder, known)
        docker = self.docker(known)
        engine.configure(self._folder, self.images_folder, wrapped=restrictions.no_sys_resource)
        known = self._start_engine(known)
        source = build.module_folder("kind", programs.MODULE, self._run.environment)
        return known, nodeimage.make(docker, self.roots_folder, made, source)

    def _restricted(self, kind: Path, restrictions: Restrictions) -> State:
        known, image = self._engine_with_image(restrictions)
        docker = self.docker(known)
        self._sweep(docker)
        self._create(kind, known, image, restrictions)
        listed = json.loads(self.kubectl(known, "get", "nodes", "-o", "json"))
        nodes = tuple(network.nodes_of(listed))
        known = state.write(self._folder, dataclasses.replace(known, nodes=nodes))
        network.set_up(nodes, docker)
        return self._wait_ready(known)

    def _binaries(self) -> dict[str, Path]:
        where, out = self._run.environment, self._run.out
        shared = node_programs.CONTROL_PLANE
        own = node_programs.NODE
        return {
            **build.build_into(binaries.cache_folder(where), shared, where, out),
            **build.build_into(node_programs.cache_folder(where), own, where, out),
        }

    def _create(
        self, kind: Path, known: State, image: str, restrictions: Restrictions | None
    ) -> None:
        written = self._folder / "kind.json"
        policy = self._folder / "audit-policy.yaml"
        policy.write_bytes(stages.audit_policy().read_bytes())
        written.write_text(config.render(restrictions, policy))
        self.docker(known).watched(
            "starting three nodes",
            _CREATE_SECONDS,
            *(str(kind), "create", "cluster", "--config", str(written), "--image", image),
            *("--kubeconfig", str(self.kubeconfig)),
        )

    def _wait_ready(self, known: State) -> State:
        deadline = time.monotonic() + _READY_SECONDS
        self._say("waiting until the nodes are ready")
        self.kubectl(
            known,
            *("wait", "nodes", "--all", "--for=condition=Ready", f"--timeout={_READY_SECONDS}s"),
        )
        # Pods are refused in a namespace until its account is there.
        while not self._has_account(known):
            if time.monotonic() > deadline:
                message = f"no service account within {_READY_SECONDS} s"
                raise CommandError(message)
            time.sleep(0.2)
        return state.write(self._folder, dataclasses.replace(known, ready=True))

    def _has_account(self, known: State) -> bool:
        try:
            self.kubectl(known, "get", "serviceaccount", "default", "-n", "default")
        except CommandError:
            return False
        return True

    def _clear(self, known: State) -> None:
        kind = programs.find_or_build(self._run.environment, self._run.out)
        docker = self.docker(known)
        network.tear_down(known.nodes, self._run)
        if known.docker_host is None:
            docker(str(kind), "delete", "cluster", "--name", config.NAME)
            if known.owns_network:
                docker.succeeds("docker", "network", "rm", _NETWORK)
        else:
            with contextlib.suppress(engine.EngineError):  # What cannot start holds nothing.
                self._clear_engine(known, kind)
        if known.forwarding is not None:
            engine.set_forwarding(known.forwarding)
        state.forget(self._folder)

    def _say(self, text: str) -> None:
        print(text, file=self._run.out, flush=True)

    def _start_engine(self, known: State) -> State:
        self._say("starting a container engine apart from any other")
        started = engine.launch(self._folder, self._run)
        known = state.write(self._folder, dataclasses.replace(known, engine=started))
        try:
            engine.wait_ready(started, self._folder, self.docker(known))
        except engine.EngineError:
            state.write(self._folder, dataclasses.replace(known, engine=None))
            raise
        return known

    def _clear_engine(self, known: State, kind: Path) -> None:
        if known.engine is None:
            return
        if not is_running(known.engine):
            # It ended by itself, and its containers wait for the next one.
            known = self._start_engine(known)
        docker = self.docker(known)
        try:
            docker.succeeds(str(kind), "delete", "cluster", "--name", config.NAME)
            self._sweep(docker)
        finally:
            if known.engine is not None:
                engine.stop(known.engine)

    def _sweep(self, docker: Commands) -> None:
        """Leave images alone in an engine of ours."""
        for container in docker("docker", "ps", "--all", "--quiet").split():
            docker("docker", "rm", "--force", "--volumes", container)
        docker.succeeds("docker", "network", "rm", _NETWORK)
        docker("docker", "volume", "prune", "--force")
        docker("docker", "image", "prune", "--force")
