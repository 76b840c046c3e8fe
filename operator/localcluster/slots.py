"""Slots: what makes two clusters on one machine strangers to each other.

A slot is a folder and a block of loopback addresses, held by a file lock for as long as the
cluster's supervisor lives. It must not know what runs in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLOTS = 16
"""127.16.0.0/12 holds sixteen blocks of 65,536 addresses."""

_FIRST_BLOCK = 16
_STATE = "state.json"


class NoSlotError(RuntimeError):
    """All slots of this machine are taken."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One held slot."""

    number: int
    folder: Path
    lock_fd: int

    @property
    def pod_cidr(self) -> str:
        """The block the pods' addresses are taken from, `127.x.0.0/16`."""
        return f"127.{_FIRST_BLOCK + self.number}.0.0/16"

    def close(self) -> None:
        """Let go of the lock here; a supervisor that holds it too keeps the slot taken."""
        os.close(self.lock_fd)

    def write_state(self, state: dict[str, Any]) -> None:
        """Leave word of what runs here for other processes (see `taken`)."""
        draft = self.folder / f"{_STATE}.new"
        draft.write_text(json.dumps(state, indent=2))
        draft.replace(self.folder / _STATE)


def root() -> Path:
    """Give the folder all slots of this user live in, readable by nobody else.

    Raises:
        PermissionError: somebody else made that folder.
    """
    folder = Path(tempfile.gettempdir()) / f"localcluster-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        message = f"{folder} belongs to another user"
        raise PermissionError(message)
    return folder


def take() -> Slot:
    """Take the first free slot, clearing away what a killed supervisor may have left there.

    Raises:
        NoSlotError: none is free.
    """
    for number in range(SLOTS):
        lock_fd = _try_lock(number)
        if lock_fd is None:
            continue
        folder = root() / f"slot-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return Slot(number, folder, lock_fd)
    message = f"all {SLOTS} slots are taken; `python -m localcluster status` shows by whom"
    raise NoSlotError(message)


def taken() -> list[dict[str, Any]]:
    """Give the state of every cluster that is up, as `Slot.write_state` left it."""
    found = []
    for number in range(SLOTS):
        state = root() / f"slot-{number}" / _STATE
        if not state.exists():
            continue
        lock_fd = _try_lock(number)
        if lock_fd is not None:  # nobody holds it: its supervisor was killed
            os.close(lock_fd)
            continue
        with contextlib.suppress(OSError, json.JSONDecodeError):
            found.append(json.loads(state.read_text()))
    return found


def free_ports(count: int) -> list[int]:
    """Give several different ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _try_lock(number: int) -> int | None:
    lock_fd = os.open(root() / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        return None
    return lock_fd
