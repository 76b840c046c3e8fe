"""Building the missing binaries from their Go modules, once, with a progress display.

It knows the go command and the cache; which binaries are fit is `binaries`' matter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from localcluster.binaries import (
    GO_MINIMUM,
    MissingToolsError,
    cache_folder,
    find,
    gomodules,
    missing,
)
from localcluster.processes import dying_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localcluster.binaries import Binary

_LINE_EVERY_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.5
_TAIL_LINES = 20
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)")


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
    go = _go(environment, missing(found))
    cache = cache_folder(environment)
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache, out):
        wanted = missing(find(environment))  # another process may have built them meanwhile
        if wanted:
            _build_all(wanted, go, cache, out)
    return find(environment)


def _build_all(wanted: Sequence[Binary], go: str, cache: Path, out: TextIO) -> None:
    seconds = sum(binary.seconds for binary in wanted)
    print(
        f"Building {len(wanted)} control plane binaries, once: about {seconds // 60 + 1} min on"
        f" two cores, less where Go has built them before.\nThey are kept in {cache}",
        file=out,
        flush=True,
    )
    for number, binary in enumerate(wanted, 1):
        with Progress(f"[{number}/{len(wanted)}] {binary.name}", binary.seconds, out) as progress:
            _build(binary, go, cache, progress)


def _go(environment: Mapping[str, str], wanted: Sequence[Binary]) -> str:
    names = ", ".join(binary.name for binary in wanted)
    go = shutil.which("go", path=environment.get("PATH"))
    wish = ".".join(map(str, GO_MINIMUM))
    instead = (
        f"Install Go {wish} or newer (https://go.dev/dl/) and try again: they are then built once."
        " Or put them on PATH or into the folder KUBEBUILDER_ASSETS names. Or use"
        " `make demo CLUSTER=kind`, which needs Docker and kind instead."
    )
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
        for name in ("go.mod", "go.sum"):
            (module / name).write_bytes((gomodules() / binary.module / name).read_bytes())
        built = Path(draft) / binary.name
        process = subprocess.Popen(
            [
                *(go, "build", "-trimpath", "-ldflags", binary.ldflags),
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


@contextlib.contextmanager
def _alone(cache: Path, out: TextIO) -> Iterator[None]:
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process is building the control plane; waiting for it.", file=out)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Progress:
    """One line on how far one binary is: rewritten on a terminal, else repeated now and then."""

    def __init__(self, title: str, expected: int, out: TextIO) -> None:
        self._title = title
        self._expected = expected
        self._out = out
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        """Show that it begins."""
        self._show(f"0 s of about {self._expected} s")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Show how it ended."""
        took = time.monotonic() - self._started
        self._show(f"{'failed' if kind else 'done'} in {took:.0f} s", last=True)

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process, telling how long it has taken, and give its exit code."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_EVERY_SECONDS)
            now = time.monotonic()
            if self._out.isatty() or now - self._shown >= _LINE_EVERY_SECONDS:
                self._shown = now
                self._show(f"{now - self._started:.0f} s of about {self._expected} s")

    def _show(self, text: str, *, last: bool = False) -> None:
        line = f"{self._title}: {text}"
        if self._out.isatty():
            print(f"\r\033[K{line}", end="\n" if last else "", file=self._out, flush=True)
        else:
            print(line, file=self._out, flush=True)
