"""Building the missing binaries from their Go modules, once, with a progress display.

It knows the go command and the cache; which binaries are fit is `binaries`' matter.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from localcluster.binaries import (
    GO_MINIMUM,
    MissingToolsError,
    cache_folder,
    find,
    missing,
    sources,
)
from localcluster.processes import dying_with_parent
from localcluster.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from localcluster.binaries import Binary

_TAIL_LINES = 20
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)")
_OTHER_WAYS = (
    "Or put them on PATH or into the folder KUBEBUILDER_ASSETS names. Or use"
    " `make demo CLUSTER=kind`, which needs Docker and kind instead."
)


class BuildError(RuntimeError):
    """The go command failed; the message holds the end of what it said."""


def find_or_build(
    environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr
) -> dict[str, Path]:
    """Give a path for every binary, building those that are missing into the cache.

    Raises:
        MissingToolsError: something must be built and Go is absent or too old.
        BuildError: a build failed.
    """
    found = find(environment)
    if not missing(found):
        return found
    build_into(cache_folder(environment), missing(found), environment, out, instead=_OTHER_WAYS)
    return find(environment)


def build_into(
    folder: Path,
    wanted: Sequence[Binary],
    environment: Mapping[str, str] = os.environ,
    out: TextIO = sys.stderr,
    *,
    instead: str = "",
) -> dict[str, Path]:
    """Give a path in the folder for each wanted binary, building those that are not there.

    Args:
        folder: where they are kept.
        wanted: what is to be there.
        environment: where Go is looked for.
        out: where the progress is shown.
        instead: what else a person without Go can do.

    Raises:
        MissingToolsError: something must be built and Go is absent or too old.
        BuildError: a build failed.
    """
    if _absent(wanted, folder):
        go = _go(environment, _absent(wanted, folder), instead)
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, out):
            left = _absent(wanted, folder)  # another process may have built them meanwhile
            if left:
                _build_all(left, go, folder, out)
    return {binary.name: folder / binary.name for binary in wanted}


def require(
    folder: Path, wanted: Iterable[Binary], environment: Mapping[str, str] = os.environ
) -> None:
    """See that these are in the folder, or that Go is there to build them; nothing is built.

    Raises:
        MissingToolsError: something must be built and Go is absent or too old.
    """
    absent = _absent(wanted, folder)
    if absent:
        _go(environment, absent, "")


def module_folder(module: str, path: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder where Go keeps the sources of a module that a go.mod of ours pins.

    Args:
        module: folder under gomodules/ of that go.mod.
        path: the wanted module.
        environment: where Go is looked for.

    Raises:
        MissingToolsError: Go is absent or too old.
        BuildError: Go does not have it and cannot get it.
    """
    go = _go(environment, (), "")
    with tempfile.TemporaryDirectory() as draft:
        _write_sources(module, Path(draft))
        done = subprocess.run(
            [go, "mod", "download", "-json", path],
            cwd=draft,
            capture_output=True,
            text=True,
            check=False,
        )
    said = json.loads(done.stdout or "{}")
    if "Dir" not in said:
        message = f"go mod download {path} failed:\n{said.get('Error') or done.stderr}"
        raise BuildError(message)
    return Path(said["Dir"])


def _absent(wanted: Iterable[Binary], folder: Path) -> tuple[Binary, ...]:
    return tuple(binary for binary in wanted if not (folder / binary.name).exists())


def _build_all(wanted: Sequence[Binary], go: str, cache: Path, out: TextIO) -> None:
    seconds = sum(binary.seconds for binary in wanted)
    print(
        f"Building {len(wanted)} {'binary' if len(wanted) == 1 else 'binaries'}, once: about"
        f" {seconds // 60 + 1} min on two cores, less where Go has built before.\n"
        f"Kept in {cache}",
        file=out,
        flush=True,
    )
    for number, binary in enumerate(wanted, 1):
        with Progress(f"[{number}/{len(wanted)}] {binary.name}", binary.seconds, out) as progress:
            _build(binary, go, cache, progress)


def _go(environment: Mapping[str, str], wanted: Sequence[Binary], instead: str) -> str:
    names = ", ".join(binary.name for binary in wanted)
    go = shutil.which("go", path=environment.get("PATH"))
    wish = ".".join(map(str, GO_MINIMUM))
    instead = (
        f"Install Go {wish} or newer (https://go.dev/dl/) and try again: they are then built once."
        f" {instead}"
    ).strip()
    if go is None:
        message = f"Not found: {names}; nor is Go, to build them. {instead}"
        raise MissingToolsError(message)
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = _GO_VERSION.search(said)
    if match is None or (int(match[1]), int(match[2])) < GO_MINIMUM:
        message = f"Not found: {names}; and {go} is too old to build them: {said.strip()} {instead}"
        raise MissingToolsError(message)
    return go


def _build(binary: Binary, go: str, cache: Path, progress: Progress) -> None:
    with (
        tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as draft,
        tempfile.TemporaryFile("w+") as said,
    ):
        module = Path(draft) / "module"
        module.mkdir()
        _write_sources(binary.module, module)
        built = Path(draft) / binary.name
        process = subprocess.Popen(
            [
                *(go, "build", "-trimpath", "-ldflags", binary.ldflags),
                *(("-tags", ",".join(binary.tags)) if binary.tags else ()),
                *("-o", str(built), binary.package),
            ],
            cwd=module,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "CGO_ENABLED": "0",
                "GOFLAGS": "-mod=readonly",
                "GOWORK": "off",
            },
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no locks held here
        )
        if progress.wait(process) != 0:
            said.seek(0)
            tail = "\n".join(said.read().splitlines()[-_TAIL_LINES:])
            message = f"go build {binary.package} failed:\n{tail}"
            raise BuildError(message)
        built.replace(cache / binary.name)


def _write_sources(module: str, folder: Path) -> None:
    for name, content in sources(module).items():
        (folder / name).write_bytes(content)


@contextlib.contextmanager
def _alone(cache: Path, out: TextIO) -> Iterator[None]:
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process is building these; waiting for it.", file=out, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
