"""kind itself: the one on PATH where it is fit, or built from its Go module."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from localcluster import build
from localcluster.binaries import Binary, cache_root, digest, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "0.33.0"
NODE_IMAGE = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
"""The node image that this release of kind was made for."""

MODULE = "sigs.k8s.io/kind"

BINARY = Binary("kind", "kind", MODULE, "-s -w", 10, (0, 33))
INSTANCE = Binary("instance", "instance", "localcluster/instance", "-s -w", 5)
"""A test instance, whose answers are set from outside."""


def find_or_build(environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr) -> Path:
    """Give kind; raises as `build.build_into` does."""
    found = shutil.which(BINARY.name, path=environment.get("PATH"))
    if found:
        version = version_of(Path(found))
        if version and version >= BINARY.at_least and version[0] == BINARY.at_least[0]:
            return Path(found)
    return _built(BINARY, KIND, environment, out)


def instance(environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr) -> Path:
    """Give the program of a test instance; raises as `build.build_into` does."""
    return _built(INSTANCE, "", environment, out)


def _built(binary: Binary, version: str, environment: Mapping[str, str], out: TextIO) -> Path:
    key = "-".join(part for part in (binary.name, version, digest([binary])) if part)
    folder = cache_root(environment) / "kind" / "bin" / f"{key}-{os.uname().machine}"
    return build.build_into(folder, [binary], environment, out)[binary.name]
