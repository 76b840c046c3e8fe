"""How things are shown: data as JSON or YAML, times, spans, plain tables.

Must not know: what is shown.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
GAP: Final = 3
"""Blanks between two columns."""
FOLDED: Final = 32
"""Columns that folded text shall have at least, if a spared column can give them."""
COLOURS: Final = {
    "Healthy": "green",
    "Unhealthy": "red",
    "Unknown": "yellow",
    "Repairing": "yellow",
    "Suspended": "red",
    "Succeeded": "green",
    "Failed": "red",
}


def as_text(data: object, output: str) -> str:
    """Data as `json` or `yaml`, with a line end."""
    if output == "yaml":
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def span(length: timedelta) -> str:
    """A span as kubectl shows an age: 45s, 11m, 5h, 3d; below ten minutes with seconds."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 2 * MINUTE_S:
        return f"{seconds}s"
    if seconds < 10 * MINUTE_S:
        rest = seconds % MINUTE_S
        return f"{seconds // MINUTE_S}m{rest}s" if rest else f"{seconds // MINUTE_S}m"
    if seconds < 3 * HOUR_S:
        return f"{seconds // MINUTE_S}m"
    if seconds < 2 * DAY_S:
        return f"{seconds // HOUR_S}h"
    return f"{seconds // DAY_S}d"


def moment(at: datetime, now: datetime) -> str:
    """A time for people: local, with UTC behind it where that differs, the date if it is far."""
    local = at.astimezone()
    form = "%H:%M:%S" if abs(at - now) < timedelta(hours=20) else "%a %d %b %H:%M"
    text = local.strftime(form)
    if local.utcoffset() == timedelta(0):
        return f"{text}Z"
    return f"{text} ({at.astimezone(UTC).strftime('%H:%M:%S')}Z)"


def when(at: datetime, now: datetime) -> str:
    """A time, and how far off it is."""
    far = f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"
    return f"{moment(at, now)} ({far})"


def coloured(word: str) -> Text:
    """A word in its colour, if it has one."""
    return Text(word, style=COLOURS.get(word, ""))


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        spare: columns that are spared when the terminal is too narrow, the highest first; 0 never.
        folds: whether it is text, which is folded before a column is spared.
    """

    title: str
    spare: int = 0
    folds: bool = False


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | int | Text]]
) -> None:
    """Print a table as kubectl does, without lines; what does not fit is left out or folded."""
    shown = _that_fit(columns, rows, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="")
    for place in shown:
        table.add_column(columns[place].title, overflow="fold")
    for row in rows:
        cells = [row[place] for place in shown]
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
    console.print(table)


def _width(column: Column, cells: Sequence[str]) -> int:
    natural = max(len(text) for text in (column.title, *cells))
    return min(natural, FOLDED) if column.folds else natural


def _that_fit(
    columns: Sequence[Column], rows: Sequence[Sequence[str | int | Text]], width: int
) -> list[int]:
    """Places of the columns to show."""
    widths = [
        _width(column, [str(row[place]) for row in rows]) for place, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    for place in sorted(shown, key=lambda p: -columns[p].spare):
        if sum(widths[p] + GAP for p in shown) - GAP <= width or not columns[place].spare:
            break
        shown.remove(place)
    return shown


def print_facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    """Print a few facts, each with its name before it; long ones wrap behind the name."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        table.add_row(Text(name, style="bold"), Text(fact))
    console.print(table)
