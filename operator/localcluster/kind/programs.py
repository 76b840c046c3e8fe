"""kind itself, the one on PATH where it is fit, and what runs in its pods, from Go modules."""

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
METRICS_VERSION = "0.9.0"
DNS_VERSION = "1.15.0"
NODE_IMAGE = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
"""The node image that this release of kind was made for."""

MODULE = "sigs.k8s.io/kind"

BINARY = Binary("kind", "kind", MODULE, "-s -w", 10, (0, 33))
METRICS = Binary(
    "metrics-server",
    "metrics-server",
    "sigs.k8s.io/metrics-server/cmd/metrics-server",
    f"-s -w -X k8s.io/client-go/pkg/version.gitVersion=v{METRICS_VERSION}",
    150,
)
DNS = Binary("coredns", "coredns", "localcluster/coredns", "-s -w", 30)
"""CoreDNS with the plugins that a cluster's names take, and no others: its whole is thrice that."""
INSTANCE = Binary("instance", "instance", "localcluster/instance", "-s -w", 5)
"""A test instance, whose answers are set from outside."""


def find_or_build(environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr) -> Path:
    """Give kind; raises as `build.build_into` does."""
    return _on_path(environment) or _built(BINARY, KIND, environment, out)


def instance(environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr) -> Path:
    """Give the program of a test instance; raises as `build.build_into` does."""
    return _built(INSTANCE, "", environment, out)


def addon(
    binary: Binary, environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr
) -> Path:
    """Give `METRICS` or `DNS`; raises as `build.build_into` does."""
    version = {METRICS.name: METRICS_VERSION, DNS.name: DNS_VERSION}[binary.name]
    return _built(binary, version, environment, out)


def build_all(environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr) -> None:
    """Build all of these that are not there; raises as `build.build_into` does."""
    find_or_build(environment, out)
    instance(environment, out)
    for binary in (METRICS, DNS):
        addon(binary, environment, out)


def require(environment: Mapping[str, str] = os.environ) -> None:
    """See that all of these are there or can be built; raises MissingToolsError."""
    if _on_path(environment) is None:
        build.require(_folder(BINARY, KIND, environment), [BINARY], environment)
    build.require(_folder(INSTANCE, "", environment), [INSTANCE], environment)


def _on_path(environment: Mapping[str, str]) -> Path | None:
    found = shutil.which(BINARY.name, path=environment.get("PATH"))
    version = version_of(Path(found)) if found else None
    fit = version and version >= BINARY.at_least and version[0] == BINARY.at_least[0]
    return Path(found) if found and fit else None


def _built(binary: Binary, version: str, environment: Mapping[str, str], out: TextIO) -> Path:
    folder = _folder(binary, version, environment)
    return build.build_into(folder, [binary], environment, out)[binary.name]


def _folder(binary: Binary, version: str, environment: Mapping[str, str]) -> Path:
    key = "-".join(part for part in (binary.name, version, digest([binary])) if part)
    return cache_root(environment) / "kind" / "bin" / f"{key}-{os.uname().machine}"
