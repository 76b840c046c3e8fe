"""What a person reads: headlines, timed lines, commands with their output, tables.

Colour only on a terminal and without NO_COLOR; lines are folded to the width there is.
Must not know: clusters, sets, or what the lines say.
"""

from __future__ import annotations

import os
import shutil
import textwrap
import time
from enum import Enum
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDEST: Final = 100
"""Columns: longer lines are hard to read even where there is room."""
NARROWEST: Final = 40
_INDENT: Final = " " * 11
_GAP: Final = "  "


class Style(Enum):
    """How a piece of text looks where colour is wanted; the values are SGR parameters."""

    PLAIN = ""
    HEAD = "1"
    GOOD = "32"
    WAIT = "33"
    BAD = "31"
    FAINT = "2"


class Screen:
    """One run's output, timed from its making."""

    def __init__(self, out: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self._colour = out.isatty() and not environment.get("NO_COLOR")
        self._began = time.monotonic()
        self._steps = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def headline(self, text: str) -> None:
        """Begin the next step."""
        self._steps += 1
        number = f"{self._steps:>2}"
        for piece in self._folded(text, f"{number}  ", "    ", before="\n"):
            self._print(self._painted(piece, Style.HEAD))

    def line(self, text: str, style: Style = Style.PLAIN) -> None:
        """Say what happened just now."""
        stamp = f"{self.elapsed:7.1f} s  "
        first, *rest = self._folded(text, stamp, _INDENT)
        now = first[: len(stamp)]
        told = self._painted(first.removeprefix(stamp), style)
        self._print(self._painted(now, Style.FAINT) + told)
        for piece in rest:
            self._print(self._painted(piece, style))

    def note(self, text: str, style: Style = Style.PLAIN) -> None:
        """Say something that has no moment."""
        for piece in self._folded(text, _INDENT, _INDENT):
            self._print(self._painted(piece, style))

    def text(self, text: str) -> None:
        """Say something at the margin."""
        for piece in self._folded(text, "", ""):
            self._print(piece)

    def command(self, words: str, output: str) -> None:
        """Show a command that anybody could type, and what it printed, unfolded."""
        self.example(words)
        for piece in output.rstrip().splitlines():
            self._print(f"{_INDENT}{piece.rstrip()}")

    def example(self, words: str) -> None:
        """Show a command to type, unfolded, so that it can be copied."""
        self._print(_INDENT + self._painted(f"$ {words}", Style.HEAD))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows under their heads, or, where that is too wide, one below the other."""
        columns = list(zip(heads, *rows, strict=True))
        widths = [max(len(cell) for cell in column) for column in columns]
        if len(_INDENT) + sum(widths) + len(_GAP) * (len(widths) - 1) > self._columns():
            self._blocks(heads, rows)
            return
        for number, row in enumerate((heads, *rows)):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            line = _GAP.join(cells).rstrip()
            self._print(_INDENT + self._painted(line, Style.PLAIN if number else Style.HEAD))

    def gap(self) -> None:
        """Leave a line empty."""
        self._print("")

    def _blocks(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for row in rows:
            self.note(row[0], Style.HEAD)
            for head, cell in zip(heads[1:], row[1:], strict=True):
                self.note(f"  {head.lower()}: {cell}")

    def _columns(self) -> int:
        return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))

    def _folded(self, text: str, first: str, rest: str, before: str = "") -> list[str]:
        pieces = textwrap.wrap(
            text,
            self._columns(),
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
            break_long_words=False,
        )
        return [before + pieces[0], *pieces[1:]] if pieces else [before + first]

    def _painted(self, text: str, style: Style) -> str:
        if not self._colour or not style.value:
            return text
        return f"\033[{style.value}m{text}\033[0m"

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)
