"""The processes that guard pauses, as the machine tells of them.

Must not know what a test expects of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from scaleset_operator.agent.freezer import Freezer


def guards(folder: Path) -> list[int]:
    """The processes that guard a pause recorded there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            told = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told and b"thawer" in told:
            found.append(int(path.parent.name))
    return found


def settle(freezer: Freezer, folder: Path) -> None:
    """Ends every pause, and waits until no guard is left."""
    for name in freezer.paused():
        freezer.thaw(name)
    wait_for(lambda: not guards(folder), 10, "no guard is left", every=0.02)
    wait_for(lambda: not freezer.sweep() and not freezer.guarded(), 5, "all have ended", every=0.02)
