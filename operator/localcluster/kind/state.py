"""What is known of the cluster that is up, for other processes and for its removal.

It must not know how a cluster is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcluster.binaries import cache_root
from localcluster.processes import ProcessId
from localcluster.restricted.network import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class State:
    """One cluster, or what was made of it so far."""

    kubeconfig: str
    docker_host: str | None = None
    """Where the engine of our own listens; None for the user's."""
    engine: ProcessId | None = None
    forwarding: str | None = None
    """What the kernel did with packets before our engine."""
    owns_network: bool = False
    """The engine had no network of kind's before us."""
    nodes: tuple[Node, ...] = field(default=())
    """Those to whose pods the host has routes of ours."""
    ready: bool = False


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder that state, kubeconfig and logs are in."""
    return cache_root(environment) / "kind" / "state"


def read(where: Path) -> State | None:
    """Give what is known; None when there is nothing."""
    try:
        found: dict[str, Any] = json.loads((where / "state.json").read_text())
    except FileNotFoundError:
        return None
    engine = found.pop("engine")
    nodes = tuple(Node(**node) for node in found.pop("nodes"))
    return State(**found, engine=ProcessId(*engine) if engine else None, nodes=nodes)


def write(where: Path, state: State) -> State:
    """Leave word of a cluster, and give it."""
    draft = where / "state.json.new"
    draft.write_text(json.dumps(dataclasses.asdict(state), indent=2))
    draft.replace(where / "state.json")
    return state


def forget(where: Path) -> None:
    """Take back all that was written for a cluster."""
    for path in where.iterdir():
        if path.name != _LOCK:
            path.unlink()


@contextlib.contextmanager
def alone(where: Path) -> Iterator[None]:
    """Keep others from changing the cluster while the block lasts."""
    where.mkdir(parents=True, exist_ok=True)
    with (where / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
