"""The figures to reach, what was measured for each, and the table that sets them side by side.

A figure is a median over rounds; a round on a machine that others used is noisy and, where quiet
ones are in the majority, left out. It must not know how anything is measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.machine import MOST_FOREIGN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.machine import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table.

    Attributes:
        number: as in the list of goals; several lines may share it.
        what: what is measured.
        unit: of ours and of the peer's figure.
        limit: the target; at most this.
        of_peer: the limit is a multiple of the peer's figure, not an absolute one.
        then: the target after that, in the same terms.
        peer: what stands beside it; empty for a line without.
    """

    number: str
    what: str
    unit: str
    limit: float
    of_peer: bool = False
    then: float | None = None
    peer: str = ""

    def text(self) -> str:
        """Give the target in words."""
        return f"<= {self.limit:g} {'x peer' if self.of_peer else self.unit}"


GOALS = {
    "G1": Goal(
        number="G1", what="CPU per HTTP probe, operator's side included", unit="us", limit=60,
        then=35, peer="kubelet-style Go prober",
    ),
    "G1.aiohttp": Goal(
        number="G1", what="the same, beside aiohttp", unit="us", limit=60, then=35,
        peer="aiohttp prober",
    ),
    "G2": Goal(
        number="G2", what="share of one core, probing each every 5 s", unit="%", limit=75,
        peer="kubelet-style Go prober",
    ),
    "G2.late": Goal(
        number="G2", what="instances late by an interval or more", unit="", limit=0,
        peer="kubelet-style Go prober",
    ),
    "G3.p50": Goal(
        number="G3", what="verdict due to DELETE accepted, p50", unit="ms", limit=15,
        peer="API write p99",
    ),
    "G3.p99": Goal(
        number="G3", what="verdict due to DELETE accepted, p99", unit="ms", limit=100,
        peer="API write p99",
    ),
    "G4": Goal(
        number="G4", what="DELETE by a client to replacement Ready, p50", unit="ms", limit=1.25,
        of_peer=True, then=1.0, peer="ReplicaSet",
    ),
    "G4.repair": Goal(
        number="G4", what="DELETE by a repair to replacement Ready, p50", unit="ms", limit=1.25,
        of_peer=True, then=1.0, peer="ReplicaSet",
    ),
    "G5": Goal(
        number="G5", what="0 to N Ready", unit="s", limit=1.1, of_peer=True, then=1.0,
        peer="ReplicaSet",
    ),
    "G5.cpu": Goal(
        number="G5", what="controller's CPU per pod on the way", unit="ms", limit=1.0,
        of_peer=True, peer="kube-controller-manager",
    ),
    "G6": Goal(
        number="G6", what="CPU per pod event", unit="us", limit=40, then=20, peer="kopf.index",
    ),
    "G7": Goal(
        number="G7", what="memory per instance, prober included", unit="KiB", limit=2, then=1,
        peer="kopf.index",
    ),
    "G7.all": Goal(
        number="G7", what="memory in all at N, prober included", unit="MiB", limit=130,
        peer="kube-controller-manager",
    ),
    "G8": Goal(
        number="G8", what="pod writes per replaced instance", unit="", limit=4, then=3,
        peer="ReplicaSet, its pod deleted by a client",
    ),
    "G8.status": Goal(
        number="G8", what="status writes per batch, all kinds", unit="", limit=2,
        peer="ReplicaSet, for as many",
    ),
    "G8.events": Goal(
        number="G8", what="Events per batch, counts included", unit="", limit=1,
        peer="",
    ),
    "G9": Goal(
        number="G9", what="writes and lists in a steady state, Lease apart", unit="", limit=0,
        peer="kube-controller-manager",
    ),
    "G9.cpu": Goal(
        number="G9", what="CPU in a steady state, prober apart", unit="% core", limit=1, then=0.3,
        peer="kube-controller-manager",
    ),
    "G10": Goal(
        number="G10", what="start to first right decision at N", unit="s", limit=2.5, then=1.5,
        peer="kube-controller-manager",
    ),
    "G10.kopf": Goal(
        number="G10", what="the same at fewer pods", unit="s", limit=2.5, then=1.5,
        peer="kopf.index",
    ),
}  # fmt: skip


@dataclass(slots=True)
class Series:
    """The rounds of one side.

    Attributes:
        disturbed: of each, the share of the machine that others took.
    """

    values: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)

    def figure(self) -> float | None:
        """Give the median, over the quiet rounds where they are the majority."""
        rounds = zip(self.values, self.disturbed, strict=True)
        quiet = [value for value, share in rounds if share <= MOST_FOREIGN]
        chosen = self.values if self.is_noisy else quiet
        return median(chosen) if chosen else None

    @property
    def is_noisy(self) -> bool:
        """Whether half of the rounds or more were disturbed."""
        noisy = [share for share in self.disturbed if share > MOST_FOREIGN]
        return bool(noisy) and 2 * len(noisy) >= len(self.disturbed)


@dataclass(slots=True)
class Findings:
    """What was measured, by the key of the goal.

    Attributes:
        budget: seconds for the whole run, counted from `begun`.
        failures: why a goal's measurement did not end, by its number.
    """

    budget: float
    begun: float = field(default_factory=time.monotonic)
    ours: dict[str, Series] = field(default_factory=dict)
    peer: dict[str, Series] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def past(self, share: float) -> bool:
        """Tell whether this share of the budget is spent."""
        return time.monotonic() - self.begun > share * self.budget

    def add(self, key: str, reading: Reading, *, ours: float | None = None,
            peer: float | None = None) -> None:  # fmt: skip
        """Take one round of either side, or of both."""
        for value, side in ((ours, self.ours), (peer, self.peer)):
            if value is not None:
                series = side.setdefault(key, Series())
                series.values.append(value)
                series.disturbed.append(max(reading.foreign, reading.steal))

    def note(self, key: str, text: str) -> None:
        """Take a condition of a figure, once."""
        known = self.notes.setdefault(key, [])
        if text not in known:
            known.append(text)

    def rows(self, numbers: Sequence[str]) -> list[dict[str, Any]]:
        """Give the lines of the goals with these numbers, as JSON takes them."""
        return [self._row(key, goal) for key, goal in GOALS.items() if goal.number in numbers]

    def _row(self, key: str, goal: Goal) -> dict[str, Any]:
        ours, peer = self.ours.get(key, Series()), self.peer.get(key, Series())
        ours_figure, peer_figure = ours.figure(), peer.figure()
        ratio = None
        if ours_figure is not None and peer_figure:
            ratio = ours_figure / peer_figure
        measured = ratio if goal.of_peer else ours_figure
        noisy = ours.is_noisy or peer.is_noisy
        return {
            "key": key,
            "goal": goal.number,
            "what": goal.what,
            "unit": goal.unit,
            "ours": ours_figure,
            "peer": peer_figure,
            "peerName": goal.peer,
            "ratio": ratio,
            "target": goal.text(),
            "then": goal.then,
            "reached": _reached(measured, goal.limit, noisy=noisy),
            "rounds": {
                "ours": ours.values, "oursDisturbed": ours.disturbed,
                "peer": peer.values, "peerDisturbed": peer.disturbed,
            },
            "notes": self.notes.get(key, []),
            "failure": None if ours.values else self.failures.get(goal.number),
        }  # fmt: skip


def _reached(measured: float | None, limit: float, *, noisy: bool) -> str:
    if measured is None:
        return "no"
    if noisy:
        return "noisy"
    return "yes" if measured <= limit else "no"


def _titled(row: dict[str, Any]) -> str:
    return f"{row['what']} [{row['unit']}]" if row["unit"] else str(row["what"])


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Draw the lines for a terminal, with their notes below."""
    head = ("goal", "what", "ours", "peer", "ratio", "target", "reached", "peer is")
    body = [
        (
            row["goal"], _titled(row),
            _number(row["ours"]), _number(row["peer"]), _number(row["ratio"]),
            row["target"], row["reached"], row["peerName"],
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in (head, *body)]
    lines.insert(1, "  ".join("-" * width for width in widths))
    for row in rows:
        notes = [*row["notes"], *([f"did not end: {row['failure']}"] if row["failure"] else ())]
        lines += [f"{row['key']}: {note}" for note in notes]
    return "\n".join(lines)
