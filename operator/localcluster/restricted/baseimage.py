"""The image that images of Python programs start from, where none can be pulled.

It is a small Debian with Python and its venv module, as `python:slim` is, and with nftables, which
an image that is built on it could not install. Where packages come
through a proxy with a certificate of its own, only this machine knows whom to trust: pip is told by
what it trusts, and nothing else in the image is.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import images
from localcluster.restricted import rootfs

if TYPE_CHECKING:
    from localcluster.commands import Commands

ROOT = rootfs.Root("python", ("ca-certificates", "nftables", "python3", "python3-venv"), 60)
REPOSITORY = "localcluster/python"

TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
"""Whom a Debian trusts."""

_SYSTEM = ("ENV LANG=C.UTF-8", "ENV PYTHONUNBUFFERED=1", 'CMD ["python3"]')
_INSIDE = "/usr/local/share/localcluster/ca.crt"


def make(folder: Path, docker: Commands) -> str:
    """Give the name of the base image, making it where the engine does not have it.

    Raises:
        CommandError: a step failed.
    """
    root = f"{REPOSITORY}:{ROOT.path(folder).stem.rpartition('-')[2]}"
    if not docker.succeeds("docker", "image", "inspect", root):
        images.import_root(root, rootfs.make(ROOT, folder, docker), docker, _SYSTEM)
    if not TRUSTED.exists():
        return root
    trusted = TRUSTED.read_bytes()
    name = f"{root}-{hashlib.sha256(trusted).hexdigest()[:8]}"
    if not docker.succeeds("docker", "image", "inspect", name):
        docker("docker", "build", "--tag", name, "-", stdin=context(root, trusted))
    return name


def context(root: str, trusted: bytes) -> bytes:
    """Give what an image is built from in which pip trusts these certificates: a tar archive."""
    text = f"FROM {root}\nCOPY ca.crt {_INSIDE}\nENV PIP_CERT={_INSIDE}\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        images.add_file(tar, "Dockerfile", text.encode())
        images.add_file(tar, "ca.crt", trusted)
    return packed.getvalue()
