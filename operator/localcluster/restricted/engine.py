"""A container engine of our own: its socket, files and images apart from any other on the machine.

It writes no packet filter rules, and what it changes in the kernel is put back. It must not know
what runs in it.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster.processes import ProcessId, identify, is_running, send, wait_gone
from localcluster.restricted import runtime

if TYPE_CHECKING:
    from localcluster.commands import Commands

# Sockets want short paths, and nothing here outlives the machine's run.
RUN = Path("/run/localcluster-kind")
SOCKET = RUN / "docker.sock"
HOST = f"unix://{SOCKET}"

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
    }
    if not wrapped:
        return common
    runtimes = {_RUNTIME: {"path": str(folder / "runtime")}}
    return {**common, "runtimes": runtimes, "default-runtime": _RUNTIME}


def start(folder: Path, images: Path, docker: Commands, *, wrapped: bool) -> ProcessId:
    """Start dockerd and give its identity once it answers.

    Raises:
        EngineError: it ended, or did not answer in time.
    """
    RUN.mkdir(mode=0o700, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    if wrapped:
        _install_runtime(folder)
    written = folder / "daemon.json"
    written.write_text(json.dumps(configuration(folder, images, wrapped=wrapped), indent=2))
    log = folder / "dockerd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["dockerd", "--config-file", str(written), "--log-level", "warn"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=docker.environment,
            start_new_session=True,
        )
    started = identify(process.pid)
    deadline = time.monotonic() + _START_SECONDS
    while not docker.succeeds("docker", "info"):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
            message = "\n".join(["dockerd did not start; its log says:", *lines])
            raise EngineError(message)
        time.sleep(_POLL_SECONDS)
    if started is None:
        message = "dockerd ended as it started"
        raise EngineError(message)
    return started


def stop(process: ProcessId) -> bool:
    """End dockerd, and with it whatever still runs in it; say whether it is gone."""
    send(process, signal.SIGTERM)
    if not wait_gone(process, _STOP_SECONDS):
        send(process, signal.SIGKILL)
        wait_gone(process, _STOP_SECONDS)
    gone = not is_running(process)
    if gone:
        for mount in _mounts_under(RUN):
            subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)
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


def _mounts_under(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    found = [line.split()[1] for line in lines]
    return [mount for mount in reversed(found) if Path(mount).is_relative_to(folder)]
