"""A rehearsal as one HTML page: an SVG timeline, the figures and the table, with nothing from afar.

Instances are rows and health is colour; repairs in flight stand above them, with the allowance. All
text is escaped. Must not know: how the run came about.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

from scaleset_operator.cli.rehearsed import clock, facts, rows_of
from scaleset_operator.rehearsal.film import Figures, Frame, State
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from scaleset_operator.rehearsal.staging import named
from scaleset_operator.rehearsal.summary import Summary

LEFT, RIGHT, WIDTH = 110, 16, 1180
ROW, GAP, TOP = 12, 3, 44
CURVE: Final = 90
"""Height of the curves."""
ROWS: Final = TOP + 2 * CURVE + 40
"""Where the instances begin, below the curves."""
MOST_ROWS: Final = 400
"""Instances that are drawn; of more, those in which something happened come first."""
STEPS: Final = (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800)
"""Seconds between two marks of the axis."""
MOST_MARKS: Final = 12

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2430; --faint: #8a93a3; --line: #d9dee6;
  --paper: #ffffff; --Healthy: #3a9d5d; --Unhealthy: #d1433f; --Unknown: #e0a526;
  --Starting: #9cc3e6; --Leaving: #a7adb8; --flight: #7a4fc9; --limit: #1d2430; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --faint: #8e98a8; --line: #343c48;
  --paper: #14181f; --Healthy: #3f9e60; --Unhealthy: #e2605b; --Unknown: #d9a637;
  --Starting: #4a7ba8; --Leaving: #5d6674; --flight: #a483e6; --limit: #e4e8ef; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 1.5rem auto; max-width: 1200px; padding: 0 1rem; }
h1 { font-size: 1.25rem; margin: 0 0 .3rem; } svg { width: 100%; height: auto; display: block; }
svg text { font: 10px system-ui, sans-serif; fill: var(--ink); } svg .faint { fill: var(--faint); }
.grid { stroke: var(--line); stroke-width: 1; } .mark { stroke: var(--ink); stroke-dasharray: 2 3; }
.flight { fill: var(--flight); fill-opacity: .35; stroke: var(--flight); }
.limit { fill: none; stroke: var(--limit); stroke-dasharray: 5 3; }
.healthy { fill: none; stroke: var(--Healthy); stroke-width: 1.5; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .8rem 0; }
dt { font-weight: 600; } dd { margin: 0; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; }
td, th { padding: .15rem .8rem .15rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); } td:first-child { font-variant-numeric: tabular-nums; }
.key span { display: inline-block; margin-right: 1rem; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """From a time to a place on the axis."""

    begin: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Pixels from the left."""
        whole = (self.end - self.begin) or timedelta(seconds=1)
        share = (min(max(at, self.begin), self.end) - self.begin) / whole
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def page(run: Rehearsal, summary: Summary) -> str:
    """The whole page."""
    title = f"{run.key.namespace}/{run.key.name} rehearsed"
    length = clock(run.clock.now(), run.begin)
    known = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts(run, summary))
    lines = "".join(
        _cells(clock(r.at, run.begin), r.what, _count(r.names), named(r.names), r.why)
        for r in rows_of(run)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f'</title><meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>"
        f"<div>{length} of virtual time from {escape(run.begin.isoformat())}</div>\n"
        f'<dl>{known}</dl>\n<div class="key">{_key()}</div>\n'
        f'<div class="scroll">{_drawing(run)}</div>\n'
        f'<div class="scroll"><table><thead><tr><th>Time</th><th>What</th><th>N</th>'
        f"<th>Instances</th><th>Why</th></tr></thead><tbody>{lines}</tbody></table></div>"
        "</body></html>\n"
    )


def _count(names: Sequence[str]) -> str:
    return str(len(names)) if names else ""


def _cells(*texts: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>\n"


def _key() -> str:
    states = [state for state in State if state is not State.GONE]
    colours = [(state.value, state.value) for state in states]
    rest = [("flight", "repairs in flight"), ("limit", "allowance (dashed)")]
    return "".join(
        f'<span><i style="background: var(--{name})"></i>{word}</span>'
        for name, word in (*colours, *rest)
    )


def _drawing(run: Rehearsal) -> str:
    scale = Scale(run.begin, run.clock.now())
    shown = _shown(run.film.instances)
    height = ROWS + len(shown) * (ROW + GAP) + 30
    parts = [
        *_axis(scale, height),
        *(part for y, name in _rows(shown) for part in _instance(name, y, run, scale)),
        *_curves(run.film.figures, TOP, scale),
        *_marks(run, scale, height),
    ]
    label = f"{len(shown)} instances over time, coloured by their health"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _shown(instances: dict[str, list[Frame]]) -> list[str]:
    """The instances that are drawn, in the order of their ids."""
    bad = {State.UNHEALTHY, State.UNKNOWN, State.LEAVING}
    names = list(instances)
    if len(names) > MOST_ROWS:
        names.sort(key=lambda name: not any(frame.state in bad for frame in instances[name]))
        names = names[:MOST_ROWS]
    return sorted(names, key=lambda name: int(name.rpartition("-")[2]))


def _rows(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, name in enumerate(names):
        yield ROWS + number * (ROW + GAP), name


def _instance(name: str, y: int, run: Rehearsal, scale: Scale) -> Iterator[str]:
    frames = run.film.instances[name]
    ends = [*(frame.at for frame in frames[1:]), scale.end]
    yield f'<text x="{LEFT - 8}" y="{y + ROW - 2}" text-anchor="end">{escape(name)}</text>'
    for frame, until in zip(frames, ends, strict=True):
        if frame.state is State.GONE:
            continue
        x, width = scale.x(frame.at), max(1.0, scale.x(until) - scale.x(frame.at))
        told = (
            f"{name} {frame.state} from {clock(frame.at, run.begin)} to {clock(until, run.begin)}"
        )
        yield (
            f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{ROW}" '
            f'fill="var(--{frame.state})"><title>{escape(told)}</title></rect>'
        )


def _axis(scale: Scale, height: int) -> Iterator[str]:
    whole = (scale.end - scale.begin).total_seconds()
    step = next((step for step in STEPS if whole / step <= MOST_MARKS), STEPS[-1])
    for number in range(int(whole // step) + 1):
        at = scale.begin + timedelta(seconds=number * step)
        x = scale.x(at)
        yield f'<line class="grid" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{height - 20}"/>'
        word = clock(at, scale.begin).removesuffix(":00" if step >= STEPS[2] else "")
        yield f'<text class="faint" x="{x}" y="{height - 6}" text-anchor="middle">{word}</text>'


def _marks(run: Rehearsal, scale: Scale, height: int) -> Iterator[str]:
    """The scenario's events: a line each, its text where there is room for it."""
    free = 0.0
    for happened in run.happened:
        x, text = scale.x(happened.at), happened.event.text
        yield f'<line class="mark" x1="{x}" y1="{TOP - 10}" x2="{x}" y2="{height - 20}">'
        yield f"<title>{escape(text)}</title></line>"
        if x >= free:
            yield f'<text x="{x}" y="{TOP - 14}">{escape(text)}</text>'
            free = x + 6 * len(text) + 10


def _curves(figures: Sequence[Figures], top: int, scale: Scale) -> Iterator[str]:
    most = max((max(f.in_flight, f.allowance) for f in figures), default=0) or 1
    wanted = max((max(f.healthy, f.desired) for f in figures), default=0) or 1
    base = top + CURVE
    yield f'<text x="{LEFT - 8}" y="{top + 8}" text-anchor="end">in flight, of {most}</text>'
    flight = [(f.at, f.in_flight / most) for f in figures]
    yield f'<path class="flight" d="{_steps(flight, base, scale)} V{base} H{LEFT} Z"/>'
    limit = [(f.at, f.allowance / most) for f in figures]
    yield f'<path class="limit" d="{_steps(limit, base, scale)}"/>'
    below = base + CURVE + 16
    yield f'<text x="{LEFT - 8}" y="{base + 26}" text-anchor="end">healthy, of {wanted}</text>'
    healthy = [(f.at, f.healthy / wanted) for f in figures]
    yield f'<path class="healthy" d="{_steps(healthy, below, scale)}"/>'
    desired = [(f.at, f.desired / wanted) for f in figures]
    yield f'<path class="limit" d="{_steps(desired, below, scale)}"/>'


def _steps(points: Iterable[tuple[datetime, float]], base: int, scale: Scale) -> str:
    """A line that stays where it is until the next point."""
    path = [f"M{LEFT} {base}"]
    for at, share in points:
        path.append(f"H{scale.x(at)} V{base - share * CURVE:.1f}")
    return " ".join([*path, f"H{scale.x(scale.end)}"])
