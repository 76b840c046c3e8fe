"""Freezing and thawing a control group, by the freezer of version 1 or by version 2.

Must not know whose group it is or for how long. Imports nothing that is slow to start: the guard
uses it.
"""

import time
from pathlib import Path
from typing import Final, NamedTuple

FREEZES_WITHIN_S: Final = 5.0
"""A process in an uninterruptible sleep freezes only after it."""
_LOOK_EVERY_S: Final = 0.005


class _Switch(NamedTuple):
    """The file that freezes, and what stands in which file once it is done."""

    written: str
    frozen: str
    thawed: str
    told: str
    sign: str


_VERSIONS: Final = (
    _Switch("cgroup.freeze", "1", "0", "cgroup.events", "frozen 1"),
    _Switch("freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN"),
)


class CgroupError(RuntimeError):
    """A control group that cannot be frozen or thawed."""


def freeze(group: Path, within: float = FREEZES_WITHIN_S) -> None:
    """Freezes every process of the group and of those below it; returns once all stand still.

    Raises:
        CgroupError: it is not there, cannot be frozen, or did not stand still in time; it is then
            thawed again.
    """
    switch = _switch(group)
    if switch is None:
        message = f"{group} is no control group that can be frozen"
        raise CgroupError(message)
    deadline = time.monotonic() + within
    try:
        (group / switch.written).write_text(switch.frozen, encoding="ascii")
        while not _stands_still(group, switch):
            if time.monotonic() >= deadline:
                thaw(group)
                message = f"{group} does not stand still after {within:g} s"
                raise CgroupError(message)
            time.sleep(_LOOK_EVERY_S)
    except OSError as error:
        message = f"{group} cannot be frozen: {error}"
        raise CgroupError(message) from error


def thaw(group: Path) -> bool:
    """Thaws the group; says whether it was there and could be frozen at all.

    Raises:
        CgroupError: it is there, and may be frozen still.
    """
    switch = _switch(group)
    if switch is None:
        return False
    try:
        (group / switch.written).write_text(switch.thawed, encoding="ascii")
    except OSError as error:
        if not group.is_dir():
            return False
        message = f"{group} cannot be thawed: {error}"
        raise CgroupError(message) from error
    return True


def is_frozen(group: Path) -> bool:
    """Whether every process of it stands still."""
    switch = _switch(group)
    return switch is not None and _stands_still(group, switch)


def _switch(group: Path) -> _Switch | None:
    return next((switch for switch in _VERSIONS if (group / switch.written).exists()), None)


def _stands_still(group: Path, switch: _Switch) -> bool:
    told = (group / switch.told).read_text(encoding="ascii")
    return switch.sign in told.splitlines()
