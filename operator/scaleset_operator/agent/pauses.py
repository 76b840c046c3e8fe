"""The records of pauses on the node: which control group stands still, and until when.

One file each, written whole before anything is frozen. Time is CLOCK_BOOTTIME, which no step of a
clock moves; a record of an earlier boot is void, for nothing frozen outlives that. Must not know
who asked for the pause. Imports nothing that is slow to start: the guard uses it.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from scaleset_operator.agent import wholefile

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_ENDING: Final = ".json"


@dataclass(frozen=True, kw_only=True)
class Pause:
    """A pause that was decided.

    Attributes:
        group: the path of the control group.
        until: when it is thawed at the latest, in seconds of CLOCK_BOOTTIME.
        boot: the boot of the machine that these seconds belong to.
    """

    group: str
    until: float
    boot: str

    @classmethod
    def of(cls, group: str, seconds: float) -> Self:
        """A pause that begins now."""
        return cls(group=group, until=boottime() + seconds, boot=boot())

    def left(self) -> float:
        """Seconds until it is over; not above 0 where it is, or where the machine was restarted."""
        return self.until - boottime() if self.boot == boot() else 0.0


def boottime() -> float:
    """Seconds since the machine started, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot() -> str:
    """The name of this run of the machine."""
    return _BOOT.read_text(encoding="ascii").strip()


def path_of(folder: Path, name: str) -> Path:
    """Where the record of an instance stands."""
    return folder / f"{name}{_ENDING}"


def names(folder: Path) -> list[str]:
    """Whose pauses are on record."""
    return sorted(path.name.removesuffix(_ENDING) for path in folder.glob(f"*{_ENDING}"))


def write(record: Path, pause: Pause) -> None:
    """Writes it so that it is there as a whole, or not at all, whatever happens."""
    wholefile.replace(record, asdict(pause))


def read(record: Path) -> Pause | None:
    """The record; None where there is none."""
    try:
        return Pause(**json.loads(record.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
