"""The command line: build, up, down, status, kind.

It knows how to talk to a person and to clusters other processes hold; what a cluster is made of
it leaves to `cluster`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from localcluster import build, slots
from localcluster.binaries import cache_folder
from localcluster.cluster import LocalCluster
from localcluster.controlplane import StartError
from localcluster.kind import cli as kind
from localcluster.processes import ProcessId, identify, send, wait_gone
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    options = _parser().parse_args(arguments)
    verbs = {"build": _build, "up": _up, "down": _down, "status": _status, "kind": kind.run}
    try:
        return verbs[options.command](options)
    except (StartError, slots.NoSlotError, *kind.ERRORS) as error:
        print(f"{_red('error')}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="localcluster",
        description="A real Kubernetes control plane as plain processes, without containers.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("build", help="build the binaries, once, and say where they are")
    up = commands.add_parser("up", help="start a cluster; Ctrl-C stops it")
    up.add_argument("--nodes", type=int, default=3, help="how many nodes (default: 3)")
    up.add_argument("--detach", action="store_true", help="return when it is ready")
    down = commands.add_parser("down", help="stop a cluster")
    down.add_argument("--all", action="store_true", help="stop every cluster of yours")
    for command in (up, down):
        command.add_argument("--name", default="local", help="its name (default: local)")
    status = commands.add_parser("status", help="show the clusters that are up")
    status.add_argument("-o", "--output", choices=("text", "json"), default="text")
    kind.add_to(commands)
    return parser


def _build(_options: argparse.Namespace) -> int:
    build.find_or_build()
    print(cache_folder())
    return 0


def _up(options: argparse.Namespace) -> int:
    if _named(options.name):
        print(f"{_red('error')}: a cluster {options.name!r} is already up", file=sys.stderr)
        return 1
    build.find_or_build()
    return _detach(options) if options.detach else _stay(options)


def _stay(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    with LocalCluster(nodes=options.nodes, name=options.name) as cluster:
        print(f"Ready in {cluster.start_seconds:.1f} s. Ctrl-C stops it.\n")
        print(_instructions(_named(options.name)[0]), flush=True)
        while True:
            signal.pause()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _detach(options: argparse.Namespace) -> int:
    log = slots.root() / f"up-{options.name}.log"
    with log.open("w") as out:
        owner = subprocess.Popen(
            [
                *(sys.executable, "-m", "localcluster", "up"),
                *("--name", options.name, "--nodes", str(options.nodes)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=python_environment(),
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and owner.poll() is None:
        ready = [state for state in slots.taken() if state["owner"][0] == owner.pid]
        if ready:
            log.unlink()
            print(_instructions(ready[0]))
            return 0
        time.sleep(_POLL_SECONDS)
    owner.terminate()
    said = log.read_text()
    log.unlink()
    raise StartError(said)


def _down(options: argparse.Namespace) -> int:
    states = slots.taken() if options.all else _named(options.name)
    if not states and not options.all:
        print(f"no cluster {options.name!r} is up")
    return max([_stop(state) for state in states], default=0)


def _stop(state: dict[str, Any]) -> int:
    """End the owner, whose supervisor then clears up; end that one too if it does not."""
    owner, supervisor = ProcessId(*state["owner"]), ProcessId(*state["supervisor"])
    send(owner, signal.SIGTERM)
    if not wait_gone(supervisor, _STOP_SECONDS):
        send(owner, signal.SIGKILL)
        send(supervisor, signal.SIGTERM)
    gone = wait_gone(supervisor, _STOP_SECONDS)
    print(f"{state['name']}: {'stopped' if gone else 'does not stop'}")
    return 0 if gone else 1


def _status(options: argparse.Namespace) -> int:
    states = slots.taken()
    if options.output == "json":
        print(json.dumps(states, indent=2))
        return 0
    if not states:
        print("no cluster is up")
    for state in states:
        print(_instructions(state))
        for name, part in state["processes"].items():
            running = identify(part["pid"]) == (part["pid"], part["started"])
            print(f"  {name:<26} {part['pid']:>8}  {'running' if running else _red('ended')}")
    return 0


def _named(name: str) -> list[dict[str, Any]]:
    return [state for state in slots.taken() if state["name"] == name]


def _instructions(state: dict[str, Any]) -> str:
    return (
        f"cluster {state['name']}: {state['server']}, pods in {state['podCIDR']},"
        f" responder on port {state['responder']}\n"
        f"  export KUBECONFIG={state['kubeconfig']}"
    )


def _red(text: str) -> str:
    plain = "NO_COLOR" in os.environ or not sys.stderr.isatty()
    return text if plain else f"\033[31m{text}\033[0m"
