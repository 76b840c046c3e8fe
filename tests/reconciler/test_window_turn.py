"""The status of a MaintenanceWindow: what is said of its times, and how rarely."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.window_turn import LOOK_AGAIN, WindowReporter
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.api.manifests import ABSENT, ONCE, WINDOW, manifest
from tests.api.refused_others import recurring
from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE
from tests.support.fake_clock import T0
from tests.support.fake_leadership import FakeLeadership

PATCH: Final = Key(NAMESPACE, "patch")
FAR: Final = 10**9
STARTS: Final = [
    f"2026-{month}-{day:02}T01:00:00Z" for month, day in ((11, 24), (12, 1), (12, 8), (12, 15))
]


class Windows:
    """A reporter beside one window."""

    def __init__(self, leadership: FakeLeadership | None = None, **changes: Any) -> None:
        self.stage = Stage()
        self.resources = self.stage.operator.resources
        self.reporter = WindowReporter(
            self.resources, self.stage.cluster, self.stage.clock, leadership
        )
        self.edit(**changes)

    def edit(self, **changes: Any) -> None:
        weekly = {"schedule": "0 2 * * TUE"} | changes
        spec = manifest(WINDOW, changes=recurring(**weekly))["spec"]
        self.stage.server.apply(WINDOW, *PATCH, spec)

    async def turn(self) -> float | None:
        """One turn, with all news heard; returns in how many seconds to look again."""
        self.resources.put_window(self.stage.server.resource(WINDOW, *PATCH))
        due = await self.reporter.turn(PATCH)
        return None if due is None else (due - self.stage.clock.now()).total_seconds()

    def writes(self) -> int:
        return len([r for r in self.stage.made(Verb.STATUS) if r.name == PATCH.name])

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.server.resource(WINDOW, *PATCH)["status"]
        return found

    def condition(self, kind: str) -> tuple[str, str, str]:
        row = next(row for row in self.status()["conditions"] if row["type"] == kind)
        return row["status"], row["reason"], row["message"]

    def pass_time(self, until: str) -> None:
        moment = datetime.fromisoformat(until).replace(tzinfo=UTC)
        self.stage.clock.advance((moment - self.stage.clock.now()).total_seconds())


async def test_a_window_tells_its_next_five_starts_and_that_nothing_is_done_yet() -> None:
    """M-23: as instants, in UTC."""
    windows = Windows()
    await windows.turn()
    status = windows.status()
    assert status["observedGeneration"] == 1
    assert status["upcoming"][:4] == STARTS
    assert len(status["upcoming"]) == 5
    assert windows.condition("Accepted") == (
        "True",
        Reason.VALID,
        "opens next at 2026-11-24T01:00:00Z",
    )
    state, reason, message = windows.condition("Ready")
    assert (state, reason) == ("False", Reason.NOT_YET_SUPPORTED)
    assert "carries no maintenance out" in message
    assert status.keys() == {"observedGeneration", "upcoming", "conditions"}, "no zero is a claim"


async def test_it_is_written_on_a_change_only() -> None:
    """G9: no writes in a steady state."""
    windows = Windows()
    for _ in range(10):
        await windows.turn()
        windows.stage.clock.advance(3_600)
    assert windows.writes() == 1


async def test_it_is_looked_at_when_a_start_has_come_and_at_least_every_hour() -> None:
    """A clock that is put right is noticed."""
    windows = Windows()
    assert await windows.turn() == LOOK_AGAIN.total_seconds()
    windows.pass_time("2026-11-24T00:59:50")
    assert await windows.turn() == pytest.approx(10)
    windows.stage.clock.advance(10)
    await windows.turn()
    assert windows.status()["upcoming"][:3] == STARTS[1:]
    assert windows.condition("Accepted")[2] == "opens next at 2026-12-01T01:00:00Z"
    assert windows.writes() == 2


async def test_what_is_left_out_is_not_announced_as_a_start() -> None:
    windows = Windows(blackoutDates=["2026-12-01"])
    await windows.turn()
    assert windows.status()["upcoming"][:3] == [STARTS[0], *STARTS[2:]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": "0 25 * * *"}, "spec.recurring.schedule is '0 25 * * *': bad hour; allowed"),
        ({"timeZone": "Mars/X"}, "spec.recurring.timeZone is 'Mars/X': no such time zone; allow"),
        (
            {"schedule": "0 * * * *"},
            "spec.recurring.duration is 'PT4H': the next window opens PT1H",
        ),
    ],
)
async def test_a_schedule_that_cannot_be_used_is_told_with_what_is_allowed(
    changes: dict[str, Any], said: str
) -> None:
    """M-23: it fails closed."""
    windows = Windows(**changes)
    assert await windows.turn() == LOOK_AGAIN.total_seconds()
    state, reason, message = windows.condition("Accepted")
    assert (state, reason) == ("False", Reason.INVALID_SCHEDULE)
    assert message.startswith(said)
    assert windows.status()["upcoming"] == []
    assert windows.condition("Ready")[:2] == ("False", Reason.NOT_YET_SUPPORTED)


async def test_a_window_that_is_mended_is_accepted_and_its_time_moves_with_the_status() -> None:
    windows = Windows(schedule="0 25 * * *")
    await windows.turn()
    before = {row["type"]: row["lastTransitionTime"] for row in windows.status()["conditions"]}
    windows.stage.clock.advance(60)
    windows.edit()
    await windows.turn()
    after = {row["type"]: row["lastTransitionTime"] for row in windows.status()["conditions"]}
    assert windows.condition("Accepted")[0] == "True"
    assert after["Accepted"] > before["Accepted"]
    assert after["Ready"] == before["Ready"]
    assert windows.status()["observedGeneration"] == 2


async def test_a_window_that_is_over_says_so_and_is_no_error() -> None:
    windows = Windows()
    over = {
        name: {edge: time.replace("2026", "2020") for edge, time in span.items()}
        for name, span in ONCE.items()
    }
    spec = manifest(WINDOW, changes={"spec.once": over, "spec.recurring": ABSENT})["spec"]
    windows.stage.server.apply(WINDOW, *PATCH, spec)
    assert await windows.turn() == LOOK_AGAIN.total_seconds()
    assert windows.condition("Accepted") == ("True", Reason.VALID, "does not open again")


async def test_what_others_wrote_into_the_status_stays() -> None:
    """A later version's fields are not taken away by an earlier one that does not write them."""
    windows = Windows()
    resource = windows.stage.server.resource(WINDOW, *PATCH)
    resource["status"]["iteration"] = 3
    await windows.turn()
    await windows.turn()
    assert windows.writes() == 1


async def test_a_pair_that_is_none_is_told_until_the_other_names_this_one_too() -> None:
    """M-18."""
    windows = Windows()
    other = windows.stage.server.resource(WINDOW, *PATCH)["spec"]
    mine = other | {"pairedWith": {"name": "other"}}
    windows.stage.server.apply(WINDOW, *PATCH, mine)
    await windows.turn()
    state, reason, message = windows.condition("Accepted")
    assert (state, reason) == ("False", Reason.INVALID_PAIR)
    assert message.startswith(f"spec.pairedWith is '{NAMESPACE}/other': no such window")
    assert windows.status()["upcoming"][:4] == STARTS, "its times are known all the same"
    back = other | {"pairedWith": {"name": PATCH.name}}
    windows.stage.server.apply(WINDOW, NAMESPACE, "other", back)
    windows.resources.put_window(windows.stage.server.resource(WINDOW, NAMESPACE, "other"))
    await windows.turn()
    assert windows.condition("Accepted")[:2] == ("True", Reason.VALID)


async def test_a_conflict_is_tried_again_and_a_missing_window_is_let_go() -> None:
    windows = Windows()
    windows.stage.operator.faults.script(Verb.STATUS, Fault.CONFLICT)
    assert await windows.turn() == pytest.approx(1.0)
    windows.stage.server.delete_resource(WINDOW, *PATCH)
    assert await windows.reporter.turn(PATCH) is None
    windows.resources.drop_window(PATCH)
    assert await windows.reporter.turn(PATCH) is None
    assert windows.writes() == 2


async def test_a_standby_writes_nothing_and_catches_up_once_it_leads() -> None:
    word = FakeLeadership()
    windows = Windows(word)
    assert await windows.turn() is None
    assert windows.writes() == 0
    word.leading = True
    await windows.turn()
    assert windows.writes() == 1
    assert windows.stage.clock.now() == T0 + timedelta(0)
