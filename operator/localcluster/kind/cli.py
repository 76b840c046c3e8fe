"""`python -m localcluster kind`: the cluster, and the images in it.

It knows how to talk to a person; what a cluster is made of it leaves to `cluster`.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from localcluster import images
from localcluster.binaries import MissingToolsError
from localcluster.build import BuildError
from localcluster.commands import CommandError
from localcluster.kind import addons, loading
from localcluster.kind.cluster import KindCluster
from localcluster.kind.machine import ImpossibleError
from localcluster.restricted.engine import EngineError

if TYPE_CHECKING:
    import argparse

    from localcluster.kind.state import State

ERRORS = (ImpossibleError, MissingToolsError, BuildError, CommandError, EngineError)
"""What a person can be told in one message."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the package's own."""
    kind = commands.add_parser("kind", help="a kind cluster: real nodes and pods, in containers")
    verbs = kind.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    verbs.add_parser("up", help="make the cluster, where there is none")
    verbs.add_parser("down", help="remove it and all that was made for it")
    verbs.add_parser("build", help="build what it is made from, once, and keep that")
    verbs.add_parser("possible", help="say in one line why there can be none here, if so (exit 1)")
    verbs.add_parser("packages", help="say which Debian packages are missing for it, if any")
    status = verbs.add_parser("status", help="show it")
    status.add_argument("-o", "--output", choices=("text", "json"), default="text")
    load = verbs.add_parser("load", help="bring images into every node")
    load.add_argument("image", nargs="+", help="a name the engine knows, or an archive")
    verbs.add_parser("instance", help="make the test instance's image, load it, say its names")
    verbs.add_parser("metrics", help="let it tell what pods use, as autoscalers ask")
    verbs.add_parser("dns", help="let its pods resolve the names of Services")
    verbs.add_parser("python-base", help="say the image that a Python program's can start from")


def run(options: argparse.Namespace) -> int:
    """Run one command and give its exit code; raises one of `ERRORS`."""
    cluster = KindCluster()
    verbs = {
        "up": _up,
        "down": _down,
        "build": _build,
        "possible": _possible,
        "packages": _packages,
        "status": _status,
        "load": _load,
        "instance": _instance,
        "metrics": _metrics,
        "dns": _dns,
        "python-base": _python_base,
    }
    return verbs[options.verb](cluster, options)


def _up(cluster: KindCluster, _options: argparse.Namespace) -> int:
    if cluster.state() is None:
        started = time.monotonic()
        cluster.up()
        print(f"Ready in {time.monotonic() - started:.0f} s.", file=sys.stderr)
    return _status(cluster, None)


def _down(cluster: KindCluster, _options: argparse.Namespace) -> int:
    print("kind cluster: removed" if cluster.down() else "no kind cluster is up")
    return 0


def _build(cluster: KindCluster, _options: argparse.Namespace) -> int:
    # Whoever ends us wants no engine left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster.build()
    return 0


def _possible(cluster: KindCluster, _options: argparse.Namespace) -> int:
    why = cluster.why_not()
    if why:
        print(why)
    return 1 if why else 0


def _packages(cluster: KindCluster, _options: argparse.Namespace) -> int:
    for name in cluster.packages():
        print(name)
    return 0


def _load(cluster: KindCluster, options: argparse.Namespace) -> int:
    loading.load(cluster, *options.image)
    return 0


def _instance(cluster: KindCluster, _options: argparse.Namespace) -> int:
    name = loading.load_instance(cluster)
    print(f"{name}\n{images.full_name(name)}\n{loading.by_digest(cluster, name)}")
    return 0


def _metrics(cluster: KindCluster, _options: argparse.Namespace) -> int:
    addons.install_metrics(cluster)
    return 0


def _dns(cluster: KindCluster, _options: argparse.Namespace) -> int:
    addons.install_dns(cluster)
    return 0


def _python_base(cluster: KindCluster, _options: argparse.Namespace) -> int:
    print(loading.python_base(cluster))
    return 0


def _status(cluster: KindCluster, options: argparse.Namespace | None) -> int:
    known = cluster.state()
    if options is not None and options.output == "json":
        print(json.dumps(known and dataclasses.asdict(known), indent=2))
    else:
        print(_instructions(known) if known else "no kind cluster is up")
    return 0


def _instructions(known: State) -> str:
    lines = [f"export KUBECONFIG={known.kubeconfig}"]
    if known.docker_host:
        lines.append(f"export DOCKER_HOST={known.docker_host}")
    lines += [f"# {node.name}: {node.address}, pods in {node.pod_cidr}" for node in known.nodes]
    return "\n".join(lines)
