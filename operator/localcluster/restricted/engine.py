"""A container engine of our own: its socket, files and images apart from any other on the machine.

It writes no packet filter rules, and what it changes in the kernel is put back. It must not know
what runs in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster.processes import ProcessId, identify, is_running, send, wait_gone
from localcluster.restricted import runtime
from localcluster.restricted.mounts import unmount_under

if TYPE_CHECKING:
    from localcluster.commands import Commands

# Sockets want short paths, and nothing here outlives the machine's run.
RUN = Path("/run/localcluster-kind")
SOCKET = RUN / "docker.sock"
HOST = f"unix://{SOCKET}"

_CGROUP = "localcluster-kind"
_CGROUPS = Path("/sys/fs/cgroup")
_CONFIGURATION, _LOG = "daemon.json", "dockerd.log"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.2
_TAIL_LINES = 15
_RUNTIME = "permitted"


class EngineError(RuntimeError):
    """dockerd did not start; the message holds the end of its log."""


def configuration(folder: Path, images: Path, *, wrapped: bool) -> dict[str, Any]:
    """Give dockerd's configuration.

    Args:
        folder: where the runtime before runc lies.
        images: where images and containers are kept.
        wrapped: put that runtime before runc.
    """
    common = {
        "hosts": [HOST],
        "data-root": str(images),
        "exec-root": str(RUN / "exec"),
        "pidfile": str(RUN / "dockerd.pid"),
        # No bridge of its own, and no rules: kind's network needs neither.
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "storage-driver": "overlay2",
        "log-level": "warn",
        "cgroup-parent": f"/{_CGROUP}",
    }
    if not wrapped:
        return common
    runtimes = {_RUNTIME: {"path": str(folder / "runtime")}}
    return {**common, "runtimes": runtimes, "default-runtime": _RUNTIME}


def configure(folder: Path, images: Path, *, wrapped: bool) -> None:
    """Write what `launch` needs into the folder; see `configuration`."""
    images.mkdir(parents=True, exist_ok=True)
    if wrapped:
        _install_runtime(folder)
    text = json.dumps(configuration(folder, images, wrapped=wrapped), indent=2)
    (folder / _CONFIGURATION).write_text(text)


def launch(folder: Path, run: Commands) -> ProcessId:
    """Start dockerd as it was configured; raises EngineError."""
    if not shutil.which("dockerd", path=run.environment.get("PATH")):
        message = "dockerd is not installed"
        raise EngineError(message)
    RUN.mkdir(mode=0o700, exist_ok=True)
    # Started by a shell that ends at once: whoever calls us is not its parent.
    said = subprocess.run(
        [
            *("sh", "-c", '"$@" >"$0" 2>&1 </dev/null & echo $!', str(folder / _LOG)),
            *("dockerd", "--config-file", str(folder / _CONFIGURATION)),
            # Where a containerd runs already, dockerd uses that: among others' containers.
            *("--containerd-namespace", "localcluster"),
            *("--containerd-plugins-namespace", "localcluster-plugins"),
        ],
        stdout=subprocess.PIPE,
        env=run.environment,
        start_new_session=True,
        check=True,
    )
    started = identify(int(said.stdout))
    if started is None:
        raise _unwell(folder)
    return started


def wait_ready(process: ProcessId, folder: Path, docker: Commands) -> None:
    """Wait until dockerd answers; raises EngineError when it ended or does not."""
    deadline = time.monotonic() + _START_SECONDS
    while not docker.succeeds("docker", "info"):
        if not is_running(process) or time.monotonic() > deadline:
            stop(process)
            raise _unwell(folder)
        time.sleep(_POLL_SECONDS)


def stop(process: ProcessId) -> bool:
    """End dockerd, and with it whatever still runs in it; say whether it is gone."""
    send(process, signal.SIGTERM)
    if not wait_gone(process, _STOP_SECONDS):
        send(process, signal.SIGKILL)
        wait_gone(process, _STOP_SECONDS)
    gone = not is_running(process)
    if gone:
        unmount_under(RUN)
        _remove_cgroups()
        shutil.rmtree(RUN, ignore_errors=True)
    return gone


def forwarding() -> str:
    """Say whether the kernel forwards packets, in its own words; dockerd switches that on."""
    return _FORWARD.read_text().strip()


def set_forwarding(value: str) -> None:
    """Let the kernel forward packets or not, as `forwarding` said."""
    _FORWARD.write_text(value)


def _install_runtime(folder: Path) -> None:
    """Leave the runtime where dockerd finds it whatever becomes of this checkout."""
    program = folder / "runtime.py"
    shutil.copyfile(str(runtime.__file__), program)
    script = folder / "runtime"
    python = Path(sys.executable).resolve()
    script.write_text(f'#!/bin/sh\nexec "{python}" -I -S "{program}" "$@"\n')
    script.chmod(0o755)


def _remove_cgroups() -> None:
    """Remove the emptied groups: one tree with version 2, one per controller with version 1."""
    for top in (*_CGROUPS.glob(_CGROUP), *_CGROUPS.glob(f"*/{_CGROUP}")):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # Somebody is still in it.
                Path(folder).rmdir()


def _unwell(folder: Path) -> EngineError:
    lines = (folder / _LOG).read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return EngineError("\n".join(["dockerd did not start; its log says:", *lines]))
