"""Mounts that a program left behind, so that a folder can be removed and nothing else with it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def unmount_under(folder: Path) -> None:
    """Unmount whatever is mounted in a folder, the last first."""
    for mount in under(folder, Path("/proc/self/mounts").read_text()):
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)


def under(folder: Path, mounts: str) -> list[str]:
    """Give what is mounted in a folder, the last first, from the text of /proc/self/mounts."""
    found = [line.split()[1] for line in mounts.splitlines()]
    return [mount for mount in reversed(found) if Path(mount).is_relative_to(folder)]
