"""The image that kind makes nodes of, built here once and kept in the engine's own store.

It does what `kind build node-image` does, without pulling anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import binaries as sources
from localcluster import images
from localcluster.commands import CommandError
from localcluster.restricted import components, noderoot, programs, rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localcluster.commands import Commands

REPOSITORY = "localcluster/kind-node"

_BUILDER = "localcluster-build"
# What systemd asks for as the first process of a container; `docker import` takes no stop signal.
_SYSTEMD = ("--env", "container=docker", "--stop-signal", "SIGRTMIN+3")
_INSIDE = "/images"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.5
_FILES_SECONDS, _COMPONENTS_SECONDS, _LOAD_SECONDS = 20, 20, 30


def name() -> str:
    """Give the image's name; its tag changes with everything it is made from."""
    digest = hashlib.sha256()
    digest.update(sources.digest((*programs.CONTROL_PLANE, *programs.NODE)).encode())
    digest.update(b"".join(sources.sources("kind").values()))
    digest.update(" ".join((rootfs.SUITE, *noderoot.ROOT.packages)).encode())
    for module in (noderoot, components):
        digest.update(Path(str(module.__file__)).read_bytes())
    return f"{REPOSITORY}:v{sources.KUBERNETES}-{digest.hexdigest()[:8]}"


def make(docker: Commands, folder: Path, binaries: Mapping[str, Path], kind_source: Path) -> str:
    """Give the name of the node image, building it where the engine does not have it.

    Args:
        docker: runs the engine's client.
        folder: where root file systems are kept, and room for a gigabyte meanwhile.
        binaries: programs of nodes and control plane by name.
        kind_source: the sources of the kind module.

    Raises:
        CommandError: a step failed; no half-built image is left.
    """
    image = name()
    if docker.succeeds("docker", "image", "inspect", image):
        return image
    _remove_others(docker)
    archive = rootfs.make(noderoot.ROOT, folder, docker)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".node-") as draft:
        tree = Path(draft) / "tree"
        tree.mkdir()
        docker.watched(
            "unpacking the node's files",
            _FILES_SECONDS,
            *("tar", "--numeric-owner", "-C", str(tree), "-xpf", str(archive)),
        )
        print("making a node of them", file=docker.out, flush=True)
        noderoot.furnish(tree, kind_source, binaries, docker)
        names = components.list_images(binaries, tree, docker)
        packed = Path(draft) / "components.tar"
        _pack_components(names, binaries, tree, packed, docker)
        with _base(tree, Path(draft) / "node.tar", docker) as base:
            _load(base, packed, image, docker)
    return image


def _remove_others(docker: Commands) -> None:
    """Make room: node images of other versions, and what a build that failed left."""
    for image in docker("docker", "images", "--quiet", REPOSITORY).split():
        docker("docker", "image", "rm", "--force", image)
    docker("docker", "image", "prune", "--force")


def _pack_components(
    names: Sequence[str],
    binaries: Mapping[str, Path],
    tree: Path,
    packed: Path,
    docker: Commands,
) -> None:
    components.import_images(names, binaries, tree, docker)
    docker.watched(
        f"packing {len(names)} images of components",
        _COMPONENTS_SECONDS,
        *("docker", "save", "-o", str(packed), *names),
    )
    docker("docker", "image", "rm", *names)


@contextlib.contextmanager
def _base(tree: Path, packed: Path, docker: Commands) -> Iterator[str]:
    """Import the tree as an image for as long as the block lasts."""
    docker.watched(
        "packing the node's files",
        _FILES_SECONDS,
        *("tar", "--numeric-owner", "-C", str(tree), "-cf", str(packed), "."),
    )
    base = f"{REPOSITORY}:base"
    images.import_root(base, packed, docker)
    try:
        yield base
    finally:
        # Its layers stay as long as an image stands on them.
        docker("docker", "image", "rm", base)


def _load(base: str, packed: Path, image: str, docker: Commands) -> None:
    """Commit a container of the base image that holds the components as the node image."""
    docker(
        *("docker", "run", "--detach", "--name", _BUILDER, "--network", "none"),
        *("--volume", f"{packed.parent}:{_INSIDE}:ro", *_SYSTEMD),
        *("--security-opt", "seccomp=unconfined", "--entrypoint", "sleep", base, "infinity"),
    )
    try:
        docker("docker", "exec", "--detach", _BUILDER, "containerd")
        _wait_for_containerd(docker)
        docker.watched(
            "loading the components into the node image",
            _LOAD_SECONDS,
            *("docker", "exec", _BUILDER, "ctr", "-n", "k8s.io", "images", "import"),
            *("--no-unpack", f"{_INSIDE}/{packed.name}"),
        )
        entrypoint = ", ".join(f'"{part}"' for part in noderoot.ENTRYPOINT)
        docker.watched(
            "keeping the node image",
            _LOAD_SECONDS,
            *("docker", "commit", "--change", f"ENTRYPOINT [{entrypoint}]", _BUILDER, image),
        )
    finally:
        docker("docker", "rm", "--force", "--volumes", _BUILDER)


def _wait_for_containerd(docker: Commands) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not docker.succeeds("docker", "exec", _BUILDER, "ctr", "version"):
        if time.monotonic() > deadline:
            message = f"containerd did not start in the node image within {_START_SECONDS:.0f} s"
            raise CommandError(message)
        time.sleep(_POLL_SECONDS)
