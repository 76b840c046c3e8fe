"""A year of windows through their real turns, beside a model that knows a list of starts alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.cli.windows import Foreseen, foreseen
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.window_turn import WindowReporter
from tests.api.manifests import WINDOW, manifest
from tests.api.refused_others import recurring
from tests.core._walked_clocks import Pattern, last_of_month, opens, second_tuesday
from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scaleset_operator.core.plan import Note

PATCH: Final = Key(NAMESPACE, "patch")
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
LENGTH: Final = 4 * HOUR
AHEAD: Final = {"Announced", "SelfServiceOpened", "ScheduledOpened", "MaintenanceEnded"}


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


class Kind(NamedTuple):
    """A schedule, and by other means when it opens."""

    schedule: str
    zone: str
    starts: tuple[datetime, ...]
    lead: timedelta
    urgent: timedelta | None = None

    def spec(self) -> dict[str, Any]:
        fields = {"schedule": self.schedule, "timeZone": self.zone}
        lead = f"PT{self.lead // HOUR}H"
        spec: dict[str, Any] = manifest(WINDOW, changes=recurring(selfServiceLead=lead, **fields))
        spec = spec["spec"]
        if self.urgent is not None:
            spec |= {"urgent": True, "notifyBefore": f"PT{self.urgent // HOUR}H"}
        return spec


def walked(days: Any, cron: str, zone: str, hour: int) -> tuple[str, str, tuple[datetime, ...]]:
    pattern = Pattern(days, cron, (hour,), (30,))
    return pattern.cron, zone, tuple(opens(pattern, zone))


def every_day(_: Any) -> bool:
    return True


def sundays(day: Any) -> bool:
    return bool(day.weekday() == 6)


KINDS: Final = {
    "weekly": Kind(*walked(sundays, "* * SUN", "Europe/Amsterdam", 2), lead=3 * DAY),
    "second Tuesdays": Kind(*walked(second_tuesday, "* * TUE#2", "UTC", 2), lead=7 * DAY),
    "last days": Kind(*walked(last_of_month, "L * *", "Australia/Lord_Howe", 1), lead=DAY),
    "daily, urgent": Kind(
        *walked(every_day, "* * *", "America/Havana", 0), lead=6 * HOUR, urgent=2 * DAY
    ),
    "leap day": Kind("30 2 29 2 *", "Europe/Amsterdam", (at(2028, 2, 29, 1, 30),), lead=7 * DAY),
}
BEGIN, END = at(2027, 1, 1), at(2028, 1, 20)
LEAP: Final = (at(2028, 1, 1), at(2028, 3, 10))


class Told(NamedTuple):
    """What was made known of one maintenance, and when."""

    reason: str
    start: datetime
    time: datetime


@dataclass
class Model:
    """What is to be told at each look, from the list of starts alone."""

    kind: Kind
    announced: dict[datetime, set[str]] = field(default_factory=dict)
    over: set[datetime] = field(default_factory=set)

    def look(self, now: datetime) -> Iterator[Told]:
        lead, urgent = self.kind.lead, self.kind.urgent
        for start in sorted(self.announced):
            if now >= start + LENGTH:
                del self.announced[start]
                self.over.add(start)
                yield Told("MaintenanceEnded", start, now)
        for start in self.kind.starts:
            left = start - lead - now
            due = left <= (urgent if urgent is not None else 31 * DAY)
            held = now < start + LENGTH if urgent is not None else left >= 30 * DAY
            if due and held and start not in self.announced and start not in self.over:
                self.announced[start] = set()
                yield Told("Announced", start, now)
        first = min(self.announced, default=None)
        if first is not None:
            phase = "ScheduledOpened" if now >= first else "SelfServiceOpened"
            if now >= first - lead and phase not in self.announced[first]:
                self.announced[first].add(phase)
                yield Told(phase, first, now)


class Real:
    """The operator's turns over one window, with all that it makes known."""

    def __init__(self, kind: Kind, begin: datetime) -> None:
        self.stage, self.told, self.wrong = Stage(), list[Told](), timedelta()
        self.clock = self.stage.clock
        self.clock.advance((begin - self.clock.now()).total_seconds())
        self.stage.server.apply(WINDOW, *PATCH, kind.spec())
        self.starts: dict[int, datetime] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.restart()

    def restart(self) -> None:
        """Another process: it knows what stands recorded, and nothing else."""
        self.resources = self.stage.world.start().resources
        cluster = self.stage.world.operators[-1].cluster
        self.reporter = WindowReporter(self.resources, cluster, self, tell=self.hear)

    def now(self) -> datetime:
        """The operator's clock; the server's goes right."""
        return self.clock.now() + self.wrong

    def boottime_ns(self) -> int:
        return self.clock.boottime_ns()

    def hear(self, _key: Key, _uid: str, note: Note) -> None:
        if note.reason in AHEAD:
            number = int(note.message.partition("iteration ")[2].partition(":")[0])
            self.heard.append((str(note.reason), number))

    async def look(self, now: datetime) -> list[Told]:
        self.clock.advance((now - self.now()).total_seconds())
        self.heard: list[tuple[str, int]] = []
        self.resources.put_window(self.stage.server.resource(WINDOW, *PATCH))
        await self.reporter.turn(PATCH)
        for row in self.status()["announced"]:
            known = self.rows.setdefault(row["iteration"], row)
            assert row == known, "what was announced stays as it was"
            self.starts[row["iteration"]] = datetime.fromisoformat(row["startTime"])
        found = [Told(reason, self.starts[number], now) for reason, number in self.heard]
        self.told += found
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.server.resource(WINDOW, *PATCH)["status"]
        return found


def looks(
    kind: Kind, begin: datetime, end: datetime, down: Sequence[tuple[datetime, datetime]]
) -> list[datetime]:
    """Every edge, a second before and after it, and once more when an operator is there again."""
    notice = 31 * DAY if kind.urgent is None else kind.urgent
    edges = {begin, *(up for _, up in down)}
    for start in kind.starts:
        edges |= {start - kind.lead - notice, start - kind.lead, start, start + LENGTH}
    found = sorted(edge for edge in edges if begin <= edge < end)
    return [t for t in found if not any(since <= t < up for since, up in down)]


def away(kind: Kind) -> dict[str, list[tuple[datetime, datetime]]]:
    """When no operator runs: over what of which maintenance."""
    late = [start for start in kind.starts if start > BEGIN + 70 * DAY]
    some = late[:: max(1, len(late) // 5)]
    notice = 31 * DAY if kind.urgent is None else kind.urgent
    return {
        "never": [],
        "over a start": [(s - HOUR, s + HOUR) for s in some],
        "over an end": [(s + HOUR, s + LENGTH + HOUR) for s in some],
        "over its whole length": [(s - HOUR, s + LENGTH + HOUR) for s in some],
        "over all of it": [(s - kind.lead - HOUR, s + LENGTH + HOUR) for s in some],
        "half a day over its announcement": [
            (s - kind.lead - notice - HOUR, s - kind.lead - notice + 11 * HOUR) for s in some
        ],
        "two days over its announcement": [
            (s - kind.lead - notice - HOUR, s - kind.lead - notice + 47 * HOUR) for s in some
        ],
    }


LOSING: Final = {"over all of it", "two days over its announcement"}
"""Longer than the day by which an announcement is early."""
STORIES: Final = [
    (name, story)
    for name, kind in KINDS.items()
    for story in (away(kind) if name in {"second Tuesdays", "leap day"} else ["never"])
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "story"), STORIES)
async def test_a_year_is_announced_told_and_ended_as_the_model_says(name: str, story: str) -> None:
    """M-23, M-24, V-01, V-23, V-24: both clock changes, the leap day, and nobody there.

    Never caught up after its end, nothing announced or told twice, and never with less notice than
    thirty days, unless it is urgent.
    """
    kind = KINDS[name]
    begin, end = LEAP if name == "leap day" else (BEGIN, END)
    down = away(kind)[story]
    model, real = Model(kind), Real(kind, begin)
    for now in looks(kind, begin, end, down):
        expected, found = list(model.look(now)), await real.look(now)
        assert sorted(found) == sorted(expected), now
        if now in {up for _, up in down}:
            real.restart()
    assert max(Counter((one.reason, one.start) for one in real.told).values(), default=1) == 1
    for one in real.told:
        notice = one.start - kind.lead - one.time
        assert one.reason != "Announced" or kind.urgent is not None or notice >= 30 * DAY
        assert one.reason != "ScheduledOpened" or one.time < one.start + LENGTH
    held = [start for start in kind.starts if start - kind.lead - begin >= 31 * DAY]
    announced = {one.start for one in real.told if one.reason == "Announced"}
    if story == "two days over its announcement":
        assert {row["reason"] for row in real.status()["missed"]} >= {"NoticeTooShort"}
    elif story not in LOSING:
        assert {s for s in held if s < end - 40 * DAY} <= announced


@pytest.mark.parametrize("step", [2 * DAY, 6 * HOUR, -6 * HOUR, -2 * DAY])
@pytest.mark.parametrize("name", ["weekly", "daily, urgent"])
async def test_a_clock_that_was_wrong_for_a_week_announces_nothing_twice(
    name: str, step: timedelta
) -> None:
    """X-10, M-24: what ended by a clock that was ahead does not come again once it is put right."""
    kind = KINDS[name]
    model, real = Model(kind), Real(kind, BEGIN)
    begin, end = BEGIN + 60 * DAY, BEGIN + 67 * DAY
    for right in looks(kind, BEGIN, BEGIN + 120 * DAY, []):
        real.wrong = step if begin <= right < end else timedelta()
        now = right + real.wrong
        expected, found = list(model.look(now)), await real.look(now)
        assert sorted(found) == sorted(expected), (right, now)
    assert max(Counter((one.reason, one.start) for one in real.told).values(), default=1) == 1
    assert len(real.told) > 30


@pytest.mark.parametrize("name", ["weekly", "second Tuesdays", "daily, urgent"])
async def test_a_preview_agrees_with_what_then_happens(name: str) -> None:
    """V-01, M-23: by what it shows on the first day, and later from what stands announced."""
    kind = KINDS[name]
    real = Real(kind, BEGIN)
    times = looks(kind, BEGIN, BEGIN + 150 * DAY, [])
    shown: list[tuple[datetime, list[datetime], list[datetime]]] = []
    for now in times:
        if not shown or now - shown[-1][0] > 20 * DAY:
            body = real.stage.server.resource(WINDOW, *PATCH)
            items = foreseen(MaintenanceWindow.model_validate(body), now, 4).items
            occurrences = [one for one in items if isinstance(one, Foreseen)]
            held = [one.occurrence.scheduled.start for one in occurrences if one.held]
            late = [one.occurrence.scheduled.start for one in occurrences if not one.held]
            shown.append((now, held, late))
        await real.look(now)
    opened = {one.start for one in real.told if one.reason == "ScheduledOpened"}
    for now, held, late in shown:
        passed = [start for start in held if start < times[-1] - LENGTH]
        assert set(passed) == {s for s in opened if passed and now - LENGTH < s <= passed[-1]}
        assert not opened & set(late)
    assert len(opened) > 3
