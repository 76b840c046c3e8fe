"""Control groups of a test's own, and a process in one that counts as long as it may run.

Must not know what freezes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTS: Final = Path("/proc/mounts")

COUNT: Final = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY)
count = 0
while True:
    count += 1
    os.pwrite(out, f"{count:012d} {time.time():020.6f}".encode(), 0)
    time.sleep(0.002)
"""


def roots() -> dict[str, Path]:
    """Where groups that can be frozen are made, by version."""
    found = {}
    for line in MOUNTS.read_text(encoding="utf-8").splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found["v2"] = Path(place)
        elif kind == "cgroup" and "freezer" in options.split(","):
            found["v1"] = Path(place)
    return found


@cache
def why_not(version: str) -> str | None:
    """Why no group of this version can be made, in one line; None where one can."""
    root = roots().get(version)
    if root is None:
        return f"none of {version} is mounted"
    try:
        with made(version) as group:
            # A group at the root of a hierarchy has no switch; one of a mounted part may lack it.
            names = {path.name for path in group.iterdir()}
    except OSError as error:
        return f"{version}: {error.strerror}"
    switches = {"cgroup.freeze", "freezer.state"}
    return None if switches & names else f"{version} of this kernel cannot freeze"


@contextmanager
def made(version: str) -> Iterator[Path]:
    """A group, which goes at the end with whatever is in it."""
    group = roots()[version] / f"frost-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        yield group
    finally:
        with suppress(FileNotFoundError):
            group.rmdir()


class Counter:
    """A process that counts."""

    def __init__(self, group: Path, file: Path) -> None:
        file.touch()
        self._file = file
        self._process = subprocess.Popen([sys.executable, "-c", COUNT, str(file)])
        (group / "cgroup.procs").write_text(str(self._process.pid), encoding="ascii")
        wait_for(self.count, 10, "it counts", every=0.01)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def count(self) -> int:
        """How far it is."""
        return int(self._told()[0])

    def clock(self) -> float:
        """The time that it last saw."""
        return float(self._told()[1])

    def began(self) -> str:
        """When the kernel says it was started."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[19]

    def goes_on(self) -> bool:
        """Whether it counts on from where it was, within a few seconds."""
        before = self.count()
        return before < wait_for(
            lambda: self.count() if self.count() > before else 0, 5, "it counts on", every=0.01
        )

    def end(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()

    def _told(self) -> tuple[str, str]:
        count, _, clock = self._file.read_text(encoding="ascii").partition(" ")
        return count or "0", clock or "0"


def is_alive(pid: int) -> bool:
    """Whether there is such a process, not counting one that only waits to be taken leave of."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False


def kill(pid: int) -> None:
    """Kills a process and waits until it is gone."""
    os.kill(pid, 9)
    wait_for(lambda: not is_alive(pid), 5, f"{pid} is gone", every=0.01)
