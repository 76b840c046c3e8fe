"""One line that shows a person how far something long is.

It must not know what it is that takes so long.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from typing import TextIO

_LINE_EVERY_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.5


class Progress:
    """One line on how far one thing is: rewritten on a terminal, else repeated now and then."""

    def __init__(self, title: str, expected: int, out: TextIO) -> None:
        self._title = title
        self._expected = expected
        self._out = out
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        """Show that it begins."""
        self._show(f"0 s of about {self._expected} s")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Show how it ended."""
        took = time.monotonic() - self._started
        self._show(f"{'failed' if kind else 'done'} in {took:.0f} s", last=True)

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process, telling how long it has taken, and give its exit code."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_EVERY_SECONDS)
            now = time.monotonic()
            if self._out.isatty() or now - self._shown >= _LINE_EVERY_SECONDS:
                self._shown = now
                self._show(f"{now - self._started:.0f} s of about {self._expected} s")

    def _show(self, text: str, *, last: bool = False) -> None:
        line = f"{self._title}: {text}"
        if self._out.isatty():
            print(f"\r\033[K{line}", end="\n" if last else "", file=self._out, flush=True)
        else:
            print(line, file=self._out, flush=True)
