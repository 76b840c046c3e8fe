"""Processes as the kernel knows them: who one is, ending it without error, dying with a parent.

Linux only. It must not know what any process is for.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
# Field 22 of /proc/<pid>/stat, counted from the state, which is field 3.
_START_TIME = 22 - 3


class ProcessId(NamedTuple):
    """One process for good: a pid may come back, a pid with its start time does not."""

    pid: int
    started: int
    """Start time in clock ticks since boot, as in /proc/<pid>/stat."""


def identify(pid: int) -> ProcessId | None:
    """Give the identity of a running process; None when it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets included.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else ProcessId(pid, int(fields[_START_TIME - 1]))


def is_running(process: ProcessId) -> bool:
    """Say whether exactly this process still runs."""
    return identify(process.pid) == process


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Signal exactly this process, never one that got its pid later; False when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked with the handle held: from here on the pid cannot be given away.
        if not is_running(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait_gone(process: ProcessId, timeout: float) -> bool:
    """Wait up to `timeout` seconds for a process, ours or another's, to end; say whether it did."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not is_running(process):
            return True
        return bool(select.select([handle], [], [], timeout)[0])
    finally:
        os.close(handle)


def dying_with_parent(number: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Give a `preexec_fn`: the child gets this signal when its parent ends, however it ends.

    The kernel ties this to the thread that starts the child: start it from a main thread.
    """
    parent = os.getpid()

    def ask_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it ended before we could ask
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_kernel
