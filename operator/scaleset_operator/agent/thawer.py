"""The guard of one pause: a process of its own that freezes, and thaws whoever dies before.

`python -m scaleset_operator.agent.thawer RECORD GROUP SECONDS [HOME...]` writes the record, freezes
the group, says so in one line, and ends once the pause is over; `... RECORD` alone sits out the
pause that is on record. It first moves into the homes, control groups outside the agent's
container: whoever ends that ends what is in its groups. Must not know why anything stands still.
Imports nothing that is slow to start.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal
from types import FrameType
from typing import Final

from scaleset_operator.agent import cgroups, pauses
from scaleset_operator.agent.pauses import Pause

FROZEN: Final = "frozen"
_LOOK_EVERY_S: Final = 1.0
"""Whether the pause was ended early."""
_AGAIN_S: Final = 0.05


class _Asked(BaseException):
    """A signal asks for the end; no error, as KeyboardInterrupt is none."""


def main(argv: Sequence[str]) -> int:
    """Guards one pause; thaws at once where it is asked to end."""
    arguments = _parser().parse_args(argv)
    record: Path = arguments.record
    signal(SIGHUP, SIG_IGN)
    for number in (SIGTERM, SIGINT):
        signal(number, _asked)
    pause = pauses.read(record)
    try:
        with suppress(_Asked):
            if arguments.group is not None:
                pause = Pause.of(arguments.group, arguments.seconds)
                _begin(pause, arguments)
            _sit_out(record, pause)
    except (OSError, cgroups.CgroupError) as error:
        with suppress(OSError):  # The agent may be gone.
            sys.stdout.write(f"{error}\n")
            sys.stdout.flush()
        return 1
    finally:
        for number in (SIGTERM, SIGINT):
            signal(number, SIG_IGN)
        if pause is not None:
            _finish(record, pause)
    return 0


def _begin(pause: Pause, arguments: Namespace) -> None:
    for home in arguments.homes:
        (home / "cgroup.procs").write_text("0", encoding="ascii")
    pauses.write(arguments.record, pause)
    cgroups.freeze(Path(pause.group))
    sys.stdout.write(f"{FROZEN}\n")
    sys.stdout.flush()


def _sit_out(record: Path, pause: Pause | None) -> None:
    """Returns once the pause is over, or was ended by somebody else."""
    while pause is not None and (left := pause.left()) > 0 and pauses.read(record) == pause:
        time.sleep(min(left, _LOOK_EVERY_S))


def _finish(record: Path, pause: Pause) -> None:
    """Thaws, again and again until it is done, and takes the record away.

    Not where another pause has begun meanwhile: it has a guard of its own.
    """
    while pauses.read(record) in {pause, None}:
        try:
            cgroups.thaw(Path(pause.group))
        except cgroups.CgroupError as error:
            sys.stderr.write(f"{error}; it is tried again\n")
            time.sleep(_AGAIN_S)
            continue
        record.unlink(missing_ok=True)
        return


def _asked(_number: int, _frame: FrameType | None) -> None:
    raise _Asked


def _parser() -> ArgumentParser:
    parser = ArgumentParser()
    parser.add_argument("record", type=Path)
    parser.add_argument("group", nargs="?")
    parser.add_argument("seconds", nargs="?", type=float)
    parser.add_argument("homes", nargs="*", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
