"""Images made from files alone, and imported into a container engine under a name.

It must not know which images a cluster needs.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcluster.commands import Commands

_BYTES_PER_SECOND = 50_000_000


def import_program(
    name: str,
    program: Path,
    docker: Commands,
    *,
    more: Callable[[tarfile.TarFile], None] | None = None,
) -> None:
    """Import an image that holds one program, which it runs.

    Args:
        name: the image's name.
        program: needs nothing beside it, unless `more` adds that.
        docker: runs the engine's client.
        more: adds further files.

    Raises:
        CommandError: the engine refused it.
    """
    path = f"usr/local/bin/{program.name}"
    with tempfile.TemporaryDirectory() as draft:
        archive = Path(draft) / "image.tar"
        with tarfile.open(archive, "w") as tar:
            _add_folder(tar, "tmp", 0o1777)
            tar.add(program, path, filter=_executable)
            if more:
                more(tar)
        import_root(name, archive, docker, [f'ENTRYPOINT ["/{path}"]'])


def import_root(name: str, archive: Path, docker: Commands, changes: Sequence[str] = ()) -> None:
    """Import an archive of a root file system as an image.

    Args:
        name: the image's name.
        archive: a tar file.
        docker: runs the engine's client.
        changes: instructions of a Dockerfile that hold for it, as `docker import` takes them.

    Raises:
        CommandError: the engine refused it.
    """
    told = (part for change in changes for part in ("--change", change))
    seconds = max(1, archive.stat().st_size // _BYTES_PER_SECOND)
    docker.watched(f"importing {name}", seconds, "docker", "import", *told, str(archive), name)


def full_name(image: str) -> str:
    """Spell an image's name out as nodes keep it: `docker.io/library/web:latest` for `web`."""
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"


def repository(image: str) -> str:
    """Give an image's full name without tag and digest."""
    folder, slash, last = full_name(image).rpartition("/")
    return f"{folder}{slash}{last.partition('@')[0].partition(':')[0]}"


def add_file(tar: tarfile.TarFile, name: str, held: bytes) -> None:
    """Add a file that stands nowhere else."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(held), 0o644
    tar.addfile(entry, io.BytesIO(held))


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry, io.BytesIO())


def _executable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755
    return entry
