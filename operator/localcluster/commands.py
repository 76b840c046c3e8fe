"""Running other programs, in an environment of its own, with progress where it takes long.

Whatever drives the outside world through programs takes a `Commands`, so that a test can hand in
one that only pretends. It must not know any program.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Self, TextIO

from localcluster.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TAIL_LINES = 20
_END_SECONDS = 10.0


class CommandError(RuntimeError):
    """A program is not there or ended with an error; the message holds the end of what it said."""


class Commands:
    """Runs programs."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, out: TextIO = sys.stderr
    ) -> None:
        self.environment = dict(environment)
        self.out = out

    def within(self, **variables: str) -> Self:
        """Give one that runs programs with these variables of the environment besides."""
        return type(self)({**self.environment, **variables}, self.out)

    def __call__(self, *argv: str, stdin: bytes = b"", timeout: float | None = None) -> str:
        """Run a program and give what it printed.

        Raises:
            CommandError: it is not there, took longer than `timeout` seconds, or failed.
        """
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                env=self.environment,
                timeout=timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{' '.join(argv)}: {error}"
            raise CommandError(message) from error
        if done.returncode:
            raise _failed(argv, (done.stderr or done.stdout).decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def succeeds(self, *argv: str, timeout: float | None = None) -> bool:
        """Run a program and say whether it ended well."""
        try:
            self(*argv, timeout=timeout)
        except CommandError:
            return False
        return True

    def watched(self, title: str, seconds: int, *argv: str) -> None:
        """Run a program that takes about so long, showing how far it is.

        Raises:
            CommandError: it is not there, or failed.
        """
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                )
            except OSError as error:
                message = f"{argv[0]}: {error}"
                raise CommandError(message) from error
            with Progress(title, seconds, self.out) as progress, _ending(process):
                if progress.wait(process) == 0:
                    return
                said.seek(0)
                raise _failed(argv, said.read())


@contextlib.contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a program not outlive our waiting for it."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)


def _failed(argv: tuple[str, ...], said: str) -> CommandError:
    tail = "\n".join(said.strip().splitlines()[-_TAIL_LINES:])
    return CommandError(f"{' '.join(argv)} failed:\n{tail}")
