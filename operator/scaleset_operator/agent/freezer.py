"""The pause of an instance in place: frozen for a time, and thawed whatever happens (M-02).

A guard, a process of its own, writes the record, freezes and thaws; so the agent may die at any
point. Should the guard die, the agent's sweep thaws what is overdue by the record, and gives the
rest a new guard. Must not know the cluster, or whether a pause is allowed: `core.pause` says that.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from select import select
from typing import Final

from scaleset_operator.agent import cgroups, pauses, thawer

SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]
"""Where the guard finds this package, installed or not."""
LONGEST_S: Final = 300.0
"""Whoever asks for more has made a mistake; the source speaks of about 30."""
GUARD_SPEAKS_WITHIN_S: Final = 10.0 + cgroups.FREEZES_WITHIN_S
GUARD_ENDS_WITHIN_S: Final = 5.0
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}")


class Freezer:
    """The pauses of one node.

    Args:
        folder: where their records stand: on the node, so that they outlive the agent's container.
        homes: control groups that a guard moves into, one of each hierarchy by which the agent's
            container might be ended.
    """

    def __init__(self, folder: Path, homes: Sequence[Path] = ()) -> None:
        self._folder = folder
        self._homes = tuple(homes)
        self._guards: dict[str, subprocess.Popen[str]] = {}

    def freeze(self, name: str, group: Path, seconds: float) -> str | None:
        """Freezes the group for so long; says why not where it does not, and then nothing stands.

        Args:
            name: a name for the pause, as the instance's UID; one pause of a name at a time.
            group: the control group of the pod.
            seconds: after which it is thawed.
        """
        if _NAME.fullmatch(name) is None:
            return f"{name!r} is no name for a pause"
        if not 0 < seconds <= LONGEST_S:
            return f"a pause of {seconds:g} s is refused; allowed: above 0 to {LONGEST_S:g} s"
        if pauses.path_of(self._folder, name).exists():
            return f"{name} is paused already"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            guard = self._guard(name, str(group), f"{seconds:f}", *map(str, self._homes))
        except OSError as error:
            return f"no guard could be started: {error}"
        said = _heard(guard)
        if said == thawer.FROZEN:
            return None
        self.thaw(name)
        return said or "the guard of the pause did not say that anything stands still"

    def thaw(self, name: str) -> bool:
        """Ends a pause early; says whether there was one.

        Raises:
            CgroupError: the group may be frozen still; the record stays, and its guard goes on.
        """
        record = pauses.path_of(self._folder, name)
        pause = pauses.read(record)
        if pause is not None:
            cgroups.thaw(Path(pause.group))
            record.unlink(missing_ok=True)
        guard = self._guards.pop(name, None)
        if guard is not None:
            _end(guard)
        return pause is not None

    def sweep(self) -> list[str]:
        """Thaws what is overdue, and gives a pause that nobody guards a guard; says what it thawed.

        To be called when the agent starts, and then every second or so.

        Raises:
            CgroupError: a group may be frozen still.
            OSError: a pause has no guard and none could be started. The next sweep tries again.
        """
        thawed = []
        for name in [name for name, guard in self._guards.items() if guard.poll() is not None]:
            _end(self._guards.pop(name))
        for name in pauses.names(self._folder):
            pause = pauses.read(pauses.path_of(self._folder, name))
            if pause is not None and pause.left() <= 0:
                self.thaw(name)
                thawed.append(name)
            elif pause is not None and name not in self._guards:
                self._guard(name)
        return thawed

    def guarded(self) -> list[str]:
        """Whose guards this agent has started, and not yet taken leave of."""
        return sorted(self._guards)

    def paused(self) -> list[str]:
        """Whose pauses are on record."""
        return pauses.names(self._folder)

    def _guard(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts the guard of a pause, in a session of its own.

        Raises:
            OSError: it could not be started.
        """
        record = pauses.path_of(self._folder, name)
        known = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([known, str(SOURCE_ROOT)] if known else [str(SOURCE_ROOT)])
        self._guards[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", thawer.__name__, str(record), *arguments],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        return self._guards[name]


def _heard(guard: subprocess.Popen[str]) -> str:
    """The one line that it says; nothing where it says none in time."""
    if guard.stdout is None or not select([guard.stdout], [], [], GUARD_SPEAKS_WITHIN_S)[0]:
        return ""
    return guard.stdout.readline().strip()


def _end(guard: subprocess.Popen[str]) -> None:
    """Has it thaw and end, and takes leave of it."""
    guard.terminate()
    try:
        guard.wait(GUARD_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
    if guard.stdout is not None:
        guard.stdout.close()
