"""Bringing images into the nodes of the cluster that is up.

What is in the images is the caller's business, but for the test instance, which is made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import images
from localcluster.commands import CommandError
from localcluster.kind import config, programs
from localcluster.restricted import baseimage

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from localcluster.kind.state import State

INSTANCE = "instance:dev"
"""The test instance; `docker.io/library/instance:dev` is the same image, spelled in full."""

PYTHON_BASE = "python:3.13-slim"

_ANSWERS_WITHIN_S = 60.0
_CTR = ("ctr", "--namespace", "k8s.io", "images")


def load(cluster: KindCluster, *wanted: str) -> None:
    """Bring images into every node: names known to the engine, or archives of `docker save`.

    Raises:
        CommandError: no cluster is up, or an image cannot be had.
    """
    known = up(cluster)
    docker = cluster.docker(known)
    kind = str(programs.find_or_build(docker.environment, docker.out))
    for image in wanted:
        what = "image-archive" if Path(image).is_file() else "docker-image"
        docker(kind, "load", what, image, "--name", config.NAME)


def load_instance(cluster: KindCluster) -> str:
    """Bring the test instance into every node, and give its name.

    Raises:
        CommandError: no cluster is up.
        MissingToolsError, BuildError: its program cannot be built.
    """
    known = up(cluster)
    docker = cluster.docker(known)
    program = programs.instance(docker.environment, docker.out)
    images.import_program(INSTANCE, program, docker)
    load(cluster, INSTANCE)
    return INSTANCE


def by_digest(cluster: KindCluster, image: str) -> str:
    """Give a loaded image's name by its digest, under which every node then knows it, too.

    Raises:
        CommandError: no cluster is up, or a node does not have the image.
    """
    known = up(cluster)
    docker = cluster.docker(known)
    full = images.full_name(image)
    inside = ("docker", "exec")
    listed = docker(*inside, config.nodes()[0], *_CTR, "ls", f"name=={full}")
    digests = [word for word in listed.split() if word.startswith("sha256:")]
    if not digests:
        message = f"the nodes do not have {full}"
        raise CommandError(message)
    spelled = f"{images.repository(image)}@{digests[0]}"
    name(cluster, image, spelled)
    return spelled


def name(cluster: KindCluster, image: str, another: str) -> None:
    """Let every node know an image that it has by another name, too.

    Raises:
        CommandError: no cluster is up, or a node does not have the image.
    """
    docker = cluster.docker(up(cluster))
    pair = images.full_name(image), images.full_name(another)
    for node in config.nodes():
        docker("docker", "exec", node, *_CTR, "tag", "--force", *pair)


def python_base(cluster: KindCluster) -> str:
    """Give the image that images of Python programs start from, making it where it must be.

    Raises:
        CommandError: no cluster is up, or a step failed.
    """
    known = up(cluster)
    if known.docker_host is None:
        return PYTHON_BASE
    return baseimage.make(cluster.roots_folder, cluster.docker(known))


def up(cluster: KindCluster) -> State:
    """Give what is up; raises CommandError when nothing is."""
    known = cluster.state(within=_ANSWERS_WITHIN_S)
    if known is None:
        message = "no kind cluster is up: make one with `make kind`"
        raise CommandError(message)
    return known
