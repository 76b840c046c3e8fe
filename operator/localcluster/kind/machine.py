"""What this machine can do, and so which way to a cluster is taken.

`look` asks the machine, `choose` decides from what was found. Nothing is changed here, but that an
image may be pulled into an engine that is there anyway.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.commands import CommandError
from localcluster.kind.programs import NODE_IMAGE
from localcluster.restricted.runtime import bounding_set

if TYPE_CHECKING:
    from localcluster.commands import Commands

PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
}
"""What the restricted way runs beside Go, and the Debian package each is in."""

_RAISES_LIMITS = "CAP_SYS_RESOURCE"
# For mounts, for networks, for devices: a container has none of them if not given.
_ENGINE_NEEDS = ("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_MKNOD")
_INFO_SECONDS = 20.0
_PULL_SECONDS = 60


class ImpossibleError(RuntimeError):
    """No cluster can be had on this machine as it is.

    The first line of the message says why, the others what would change that.
    """


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What a machine lacks that cannot pull images; each is seen to by itself."""

    no_sys_resource: bool
    """Limits cannot be raised, nor scores of the OOM killer lowered."""
    cgroup_v1: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found."""

    engine: str | None
    """Why no engine answers where the user's client looks; None when one does."""
    image: str | None
    """Why kind's node image cannot be had from it; None when it is there."""
    root: bool
    missing: tuple[str, ...]
    """Packages that the restricted way needs."""
    restrictions: Restrictions
    forbidden: tuple[str, ...] = ()
    """Capabilities that an engine of our own needs, and root does not have here."""


def look(run: Commands) -> Machine:
    """Find out what this machine can do."""
    engine = _why_not(run, "docker", "info")
    return Machine(
        engine=engine,
        image=engine or _why_no_image(run),
        root=os.geteuid() == 0,
        missing=missing_packages(run),
        restrictions=restrictions(),
        forbidden=forbidden(),
    )


def choose(machine: Machine) -> Restrictions | None:
    """Give what has to be worked around; None for the ordinary way.

    Raises:
        ImpossibleError: neither way is open.
    """
    if machine.engine is None and machine.image is None:
        return None
    if machine.engine is None:
        reason = f"Docker answers, but kind's node image cannot be had: {machine.image}"
    else:
        reason = f"Docker does not answer: {machine.engine}"
    if not machine.root:
        message = (
            f"{reason}; without it a cluster takes root\n"
            "Start or install Docker (https://docs.docker.com/engine/install/) and try again. Where"
            " no image can be pulled, root can build everything from Go modules and Debian"
            " packages: try again as root."
        )
        raise ImpossibleError(message)
    if machine.forbidden:
        lacking = ", ".join(machine.forbidden)
        message = (
            f"{reason}; without it a cluster takes {lacking}, which root does not have here\n"
            "Start or install Docker and try again, or start this container with those rights."
        )
        raise ImpossibleError(message)
    if machine.missing:
        packages = " ".join(machine.missing)
        message = (
            f"{reason}; without it these packages are missing: {packages}\n"
            "Start or install Docker and try again. Where no image can be pulled, everything is"
            f" built here instead, and this needs\n  apt-get install {packages}"
        )
        raise ImpossibleError(message)
    return machine.restrictions


def missing_packages(run: Commands) -> tuple[str, ...]:
    """Give the packages whose programs the restricted way does not find."""
    path = run.environment.get("PATH")
    absent = {package for name, package in PACKAGES.items() if not shutil.which(name, path=path)}
    return tuple(sorted(absent))


def restrictions(status: Path = Path("/proc/self/status"), root: Path = Path("/")) -> Restrictions:
    """Find out what the kernel does not let us do."""
    return Restrictions(
        no_sys_resource=_RAISES_LIMITS not in bounding_set(status.read_text()),
        cgroup_v1=not (root / "sys/fs/cgroup/cgroup.controllers").exists(),
    )


def forbidden(status: Path = Path("/proc/self/status")) -> tuple[str, ...]:
    """Give the capabilities that nobody can have here and an engine of our own needs."""
    bounding = bounding_set(status.read_text())
    return tuple(name for name in _ENGINE_NEEDS if name not in bounding)


def _why_no_image(run: Commands) -> str | None:
    if run.succeeds("docker", "image", "inspect", NODE_IMAGE):
        return None
    try:
        run.watched("pulling kind's node image", _PULL_SECONDS, "docker", "pull", NODE_IMAGE)
    except CommandError as error:
        return _last_line(error)
    return None


def _why_not(run: Commands, *argv: str) -> str | None:
    try:
        run(*argv, timeout=_INFO_SECONDS)
    except CommandError as error:
        return _last_line(error)
    return None


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
