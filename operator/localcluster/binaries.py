"""The binaries a cluster is made of: which are wanted, which found ones are fit, where ours live.

It decides and finds; `build` builds. It must not know how the binaries are run as a cluster.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable

KUBERNETES = "1.36.3"
ETCD = "3.7.3"
KWOK = "0.8.0"

GO_MINIMUM = (1, 26)
"""What the go directive of the pinned Kubernetes asks for."""

_KUBERNETES_VERSION = "k8s.io/component-base/version"
_CLIENT_VERSION = "k8s.io/client-go/pkg/version"
_STAMPS = {
    "gitVersion": f"v{KUBERNETES}",
    "gitMajor": KUBERNETES.split(".", maxsplit=2)[0],
    "gitMinor": KUBERNETES.split(".", maxsplit=2)[1],
    "gitTreeState": "clean",
}
_KUBERNETES_LDFLAGS = " ".join(
    ["-s -w"]
    + [
        f"-X {package}.{key}={value}"
        for package in (_KUBERNETES_VERSION, _CLIENT_VERSION)
        for key, value in _STAMPS.items()
    ]
)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.\d+")
_ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Binary:
    """One binary: where it comes from and what it takes to trust one found elsewhere."""

    name: str
    module: str
    """Folder under gomodules/ whose go.mod pins its sources."""
    package: str
    ldflags: str
    seconds: int
    """Building takes about this long on two cores with nothing built before."""
    at_least: tuple[int, int] = (0, 0)
    """Lowest major and minor version of one found on this machine."""
    ask: tuple[str, ...] = ("--version",)
    """Arguments that make it tell its version."""
    tags: tuple[str, ...] = ()


def of_kubernetes(name: str, seconds: int, minor: int, *ask: str) -> Binary:
    """Give one of the binaries of Kubernetes, fit where found from this minor version on."""
    package = f"k8s.io/kubernetes/cmd/{name}"
    return Binary(
        name,
        "kubernetes",
        package,
        _KUBERNETES_LDFLAGS,
        seconds,
        (1, minor),
        ask or ("--version",),
    )


BINARIES = (
    of_kubernetes("kube-apiserver", 270, 34),
    of_kubernetes("kube-controller-manager", 60, 34),
    of_kubernetes("kube-scheduler", 10, 34),
    # One minor version of skew to the server is supported, no more.
    of_kubernetes("kubectl", 25, 35, "version", "--client"),
    Binary("etcd", "etcd", "go.etcd.io/etcd/server/v3", "-s -w", 30, (3, 5)),
    Binary("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "-s -w", 70, (0, 8)),
)

SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""These are taken from one place or not at all: none may be newer than the API server."""


class MissingToolsError(RuntimeError):
    """Binaries are missing and cannot be built here; the message says what to install."""


def gomodules() -> Traversable:
    """Give the folder of the pinned go.mod and go.sum files."""
    return resources.files(__package__ or "localcluster") / "gomodules"


def sources(module: str) -> dict[str, bytes]:
    """Give the files of a folder under gomodules/ by name, in the order of their names."""
    files = (path for path in (gomodules() / module).iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in sorted(files, key=lambda path: path.name)}


def digest(binaries: Iterable[Binary]) -> str:
    """Give a short text that changes with the sources of these binaries and how they are built."""
    found = hashlib.sha256()
    for binary in binaries:
        found.update(" ".join((binary.ldflags, *binary.tags)).encode())
        found.update(b"".join(sources(binary.module).values()))
    return found.hexdigest()[:8]


def cache_root(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder all that we build is kept under."""
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "scaleset-operator"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder our builds are kept in; its name changes with every pinned version."""
    key = f"kubernetes-{KUBERNETES}-etcd-{ETCD}-kwok-{KWOK}-{digest(BINARIES)}"
    return cache_root(environment) / "controlplane" / f"{key}-{os.uname().machine}" / "bin"


def find(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Give the binaries that are there and fit, by name; what is missing must be built.

    Looked for in KUBEBUILDER_ASSETS, on PATH and in our cache, in this order.
    """
    found: dict[str, Path] = {}
    minors: dict[str, int] = {}
    for binary in BINARIES:
        for path in _candidates(binary.name, environment):
            version = version_of(path, binary.ask)
            if version and version >= binary.at_least and version[0] == binary.at_least[0]:
                found[binary.name], minors[binary.name] = path, version[1]
                break
    if not _agree(minors):
        for name in SERVERS:
            found.pop(name, None)
    cache = cache_folder(environment)
    built = {binary.name: cache / binary.name for binary in BINARIES}
    return {name: path for name, path in built.items() if path.exists()} | found


def missing(found: Iterable[str]) -> tuple[Binary, ...]:
    """Give the binaries whose names are not among those found."""
    names = set(found)
    return tuple(binary for binary in BINARIES if binary.name not in names)


def version_of(path: Path, ask: tuple[str, ...] = ("--version",)) -> tuple[int, int] | None:
    """Give the major and minor version a binary tells; None when it cannot be run or says none."""
    try:
        answer = subprocess.run(
            [path, *ask], capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _candidates(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    assets = environment.get("KUBEBUILDER_ASSETS")
    for search in (assets, environment.get("PATH")):
        path = shutil.which(name, path=search) if search else None
        if path:
            yield Path(path)


def _agree(minors: Mapping[str, int]) -> bool:
    """Say whether the servers found elsewhere can be used together.

    Either all three are of one minor version, or those found are of the one we would build.
    """
    ours = int(KUBERNETES.split(".")[1])
    servers = [minors.get(name, ours) for name in SERVERS]
    return len(set(servers)) == 1
