"""The image that images of Python programs start from, where none can be pulled.

It is a small Debian with Python and its venv module, as `python:slim` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcluster import images
from localcluster.restricted import rootfs

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.commands import Commands

ROOT = rootfs.Root("python", ("ca-certificates", "python3", "python3-venv"), 60)
REPOSITORY = "localcluster/python"

_SYSTEM = ("ENV LANG=C.UTF-8", "ENV PYTHONUNBUFFERED=1", 'CMD ["python3"]')


def make(folder: Path, docker: Commands) -> str:
    """Give the name of the base image, making it where the engine does not have it.

    Raises:
        CommandError: a step failed.
    """
    name = f"{REPOSITORY}:{ROOT.path(folder).stem.rpartition('-')[2]}"
    if not docker.succeeds("docker", "image", "inspect", name):
        images.import_root(name, rootfs.make(ROOT, folder, docker), docker, _SYSTEM)
    return name
