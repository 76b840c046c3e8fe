"""Root file systems from Debian packages, kept as archives.

debootstrap fetches the packages from wherever this machine's apt does. It must not know what the
file systems are for.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.restricted.mounts import unmount_under

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localcluster.commands import Commands

SUITE = "bookworm"

_SUPERFLUOUS = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)


@dataclass(frozen=True, slots=True)
class Root:
    """One Debian root file system."""

    name: str
    packages: tuple[str, ...]
    """Beside what is essential."""
    seconds: int
    """Making it takes about this long on two cores."""

    def path(self, folder: Path) -> Path:
        """Give where its archive is kept under this folder; the name changes with the packages."""
        packages = hashlib.sha256(" ".join(self.packages).encode()).hexdigest()[:8]
        return folder / f"{self.name}-{SUITE}-{packages}.tar"


def make(root: Root, folder: Path, run: Commands) -> Path:
    """Give the archive of a root file system, making it where it is not there.

    Raises:
        CommandError: debootstrap failed.
    """
    archive = root.path(folder)
    if archive.exists():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".root-") as draft:
        tree = Path(draft) / "tree"
        try:
            run.watched(
                f"Debian packages of the {root.name} root",
                root.seconds,
                *("debootstrap", "--variant=minbase", f"--include={','.join(root.packages)}"),
                *(SUITE, str(tree), *mirror(run)),
            )
        finally:
            unmount_under(tree)
        for name in _SUPERFLUOUS:
            _empty(tree / name)
        packed = Path(draft) / "packed.tar"
        run("tar", "--numeric-owner", "-C", str(tree), "-cf", str(packed), ".")
        packed.replace(archive)
    return archive


def mirror(run: Commands) -> tuple[str, ...]:
    """Give where apt has this suite from; nothing where it does not say, as on another system."""
    if not run.succeeds("apt-get", "--version"):
        return ()
    said = run(
        *("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"),
        "Created-By: Packages",
    )
    lines = (line.split() for line in said.splitlines())
    found = [line[2] for line in lines if line[:2] == [SUITE, "main"]]
    return tuple(found[:1])


def with_dependencies(wanted: Iterable[str], status: str) -> list[str]:
    r"""Give these packages and all they depend on, in order of their names.

    Args:
        wanted: names of installed packages.
        status: what `dpkg-query -W -f '${Package}\t${Depends}\n'` says of a root file system.
    """
    depends = _depends(status)
    found: set[str] = set()
    rest = list(wanted)
    while rest:
        name = rest.pop()
        if name in depends and name not in found:
            found.add(name)
            rest.extend(depends[name])
    return sorted(found)


def _depends(status: str) -> Mapping[str, list[str]]:
    found = {}
    for line in status.splitlines():
        name, _, alternatives = line.partition("\t")
        # Of alternatives all are taken; those that are not installed are not in the status.
        found[name] = [
            re.split(r"[\s:(]", one.strip(), maxsplit=1)[0]
            for one in re.split("[,|]", alternatives)
            if one.strip()
        ]
    return found


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
