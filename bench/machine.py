"""What the kernel says: CPU time and memory of process trees, and who else used the machine.

It must not know what is measured, or why.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_FOREIGN = 0.05
"""Above this share of the machine taken by others, or stolen, a reading is noisy."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CORES = os.cpu_count() or 1
_PROC = Path("/proc")


class _Process(NamedTuple):
    pid: int
    parent: int
    own: int
    """utime + stime, in ticks."""
    reaped: int
    """cutime + cstime: of children that have ended and were waited for."""


def _process(pid: int) -> _Process | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    user, system, child_user, child_system = map(int, fields[11:15])
    return _Process(pid, int(fields[1]), user + system, child_user + child_system)


def _processes() -> dict[int, _Process]:
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {found.pid: found for found in map(_process, pids) if found is not None}


def tree(root: int) -> list[int]:
    """Give a process and all its descendants."""
    return [process.pid for process in _tree(root, _processes())]


def _tree(root: int, known: Mapping[int, _Process]) -> list[_Process]:
    children: dict[int, list[_Process]] = {}
    for process in known.values():
        children.setdefault(process.parent, []).append(process)
    found = [known[root]] if root in known else []
    for process in found:  # grows while it is walked
        found += children.get(process.pid, ())
    return found


def memory_bytes(pids: Iterable[int]) -> int:
    """Give the resident memory of some processes together, in bytes."""
    return sum(
        int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES for pid in pids
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one window saw.

    Attributes:
        seconds: its length.
        cpu: CPU seconds by name, of a process alone.
        tree_cpu: the same with all its descendants.
        foreign: share of the machine used by processes that this one did not start.
        steal: share of the machine taken by the hypervisor.
    """

    seconds: float
    cpu: Mapping[str, float]
    tree_cpu: Mapping[str, float]
    foreign: float
    steal: float


UNDISTURBED = Reading(seconds=0, cpu={}, tree_cpu={}, foreign=0, steal=0)
"""For figures that others on the machine do not change, such as memory."""


class Window:
    """A span of time over which CPU is counted. `read` may be called more than once."""

    def __init__(self, **pids: int) -> None:
        """Begin.

        Args:
            pids: process ids by the name their CPU is reported under.
        """
        self._pids = pids
        self._begun = _Snapshot.take(pids)

    def read(self) -> Reading:
        """Give what was used since the beginning."""
        then, now = self._begun, _Snapshot.take(self._pids)
        seconds = now.at - then.at
        capacity = seconds * _CORES
        ours = now.mine - then.mine
        return Reading(
            seconds=seconds,
            cpu={name: now.cpu[name] - then.cpu[name] for name in self._pids},
            tree_cpu={name: now.tree_cpu[name] - then.tree_cpu[name] for name in self._pids},
            foreign=max(0.0, now.busy - then.busy - ours) / capacity,
            steal=max(0.0, now.steal - then.steal) / capacity,
        )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    at: float
    busy: float
    steal: float
    mine: float
    cpu: Mapping[str, float]
    tree_cpu: Mapping[str, float]

    @classmethod
    def take(cls, pids: Mapping[str, int]) -> Self:
        known = _processes()
        trees = {name: _tree(pid, known) for name, pid in pids.items()}
        user, nice, system, *_, steal = _machine_ticks()
        return cls(
            at=time.monotonic(),
            busy=(user + nice + system) / _TICKS_PER_SECOND,
            steal=steal / _TICKS_PER_SECOND,
            mine=_seconds(_tree(os.getpid(), known)),
            cpu={name: _seconds(found[:1]) for name, found in trees.items()},
            tree_cpu={name: _seconds(found) for name, found in trees.items()},
        )


def _seconds(processes: Iterable[_Process]) -> float:
    return sum(p.own + p.reaped for p in processes) / _TICKS_PER_SECOND


def _machine_ticks() -> list[int]:
    """Give user, nice, system, idle, iowait, irq, softirq, steal, in ticks."""
    with (_PROC / "stat").open() as lines:
        return list(map(int, lines.readline().split()[1:9]))


def describe() -> dict[str, str | int]:
    """Give what this machine is."""
    text = (_PROC / "cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": _CORES,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
