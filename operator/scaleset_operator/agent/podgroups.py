"""Where the control group of a pod is, by its UID, and groups of the node that outlive it.

kubelet names it by either of two drivers: `pod<uid>` below `kubepods/...`, or
`kubepods-...-pod<uid with underscores>.slice` some slices deep; what stands above differs from
machine to machine, so it is looked for. Must not know why it is wanted.
"""

import os
import re
from collections import deque
from pathlib import Path
from typing import Final

DEEPEST: Final = 10
"""Levels below the root; a node in a container has its own some levels down."""
_OF_POD: Final = re.compile(r"(?:^|-)pod([0-9a-fA-F_-]{30,40})(?:\.slice)?$")


def hierarchy(root: Path) -> Path:
    """The tree by which is frozen: that of version 1's freezer where it is mounted, else all."""
    freezer = root / "freezer"
    return freezer if freezer.is_dir() else root


def group_of(root: Path, uid: str) -> Path | None:
    """The pod's group below the root of all control groups; None where there is none."""
    wanted = uid.replace("-", "_")
    near = deque([(hierarchy(root), 0)])
    while near:
        folder, depth = near.popleft()
        for name in _folders(folder):
            found = _OF_POD.search(name)
            if found is None:
                if depth < DEEPEST:
                    near.append((folder / name, depth + 1))
            elif found[1].replace("-", "_") == wanted:
                return folder / name
    return None


def guard_homes(root: Path) -> tuple[Path, ...]:
    """Groups of the node, one of each hierarchy, that outlive any container.

    The roots, for version 1; version 2 lets no process into a group with others below it unless
    that is the machine's root, so there it is the group of the machine's first process, if any.
    """
    first = root / "init.scope"
    if (root / "cgroup.procs").exists():
        return (first if first.is_dir() else root,)
    return tuple(root / name for name in _folders(root) if (root / name / "cgroup.procs").exists())


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for one in entries if one.is_dir(follow_symlinks=False))
    except OSError:  # It went while it was looked at.
        return []
