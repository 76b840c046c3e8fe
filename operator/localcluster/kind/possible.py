"""Whether a kind cluster can be had on this machine, for whoever only wants to know.

It must not know how a cluster is made, and nothing is built or started here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcluster import binaries, build
from localcluster.binaries import MissingToolsError
from localcluster.kind import machine, programs
from localcluster.kind.machine import ImpossibleError
from localcluster.restricted import programs as node_programs

if TYPE_CHECKING:
    from localcluster.commands import Commands


def why_not(run: Commands) -> str | None:
    """Say in one line why containers cannot run here; None where they can.

    An engine that is there may be made to pull kind's node image.
    """
    where = run.environment
    try:
        restrictions = machine.choose(machine.look(run))
        programs.require(where)
        if restrictions is not None:
            build.require(binaries.cache_folder(where), node_programs.CONTROL_PLANE, where)
            build.require(node_programs.cache_folder(where), node_programs.NODE, where)
    except (ImpossibleError, MissingToolsError) as error:
        return one_line(error)
    return None


def packages(run: Commands) -> tuple[str, ...]:
    """Give the Debian packages whose installation would make it possible; mostly none."""
    found = machine.look(run)
    without_docker = found.engine is not None or found.image is not None
    return found.missing if without_docker and found.root else ()


def one_line(error: Exception) -> str:
    """Say why in one line what an error says in several: by its first, and by the last of a log."""
    lines = str(error).strip().splitlines()
    first = lines[0]
    return f"{first} {lines[-1].strip()}" if first.endswith(":") else first
