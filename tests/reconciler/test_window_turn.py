"""The status of a MaintenanceWindow: what is said of its times, and how rarely."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.api.windowledger import MAX_NOTICES
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.window_turn import LOOK_AGAIN, WindowReporter
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.api.manifests import ABSENT, ONCE, WINDOW, manifest
from tests.api.refused_others import recurring
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE
from tests.support.fake_clock import T0
from tests.support.fake_leadership import FakeLeadership

if TYPE_CHECKING:
    from scaleset_operator.core.plan import Note

PATCH: Final = Key(NAMESPACE, "patch")
FOUR: Final = {
    "preMaintenanceWindowStartTime",
    "preMaintenanceWindowEndTime",
    "maintenanceWindowStartTime",
    "maintenanceWindowEndTime",
}
STARTS: Final = [
    f"2026-{month}-{day:02}T01:00:00Z" for month, day in ((11, 24), (12, 1), (12, 8), (12, 15))
]


class Windows:
    """A reporter beside one window."""

    def __init__(self, leadership: FakeLeadership | None = None, **changes: Any) -> None:
        self.stage = Stage()
        self.resources = self.stage.operator.resources
        self.notes: list[Note] = []
        self.reporter = WindowReporter(
            self.resources,
            self.stage.cluster,
            self.stage.clock,
            leadership,
            tell=lambda _key, _uid, note: self.notes.append(note),
        )
        self.edit(**changes)

    def edit(
        self,
        *,
        urgent: bool = False,
        selector: str = "2026-11",
        notify: str = "P30D",
        **changes: Any,
    ) -> None:
        weekly = {"schedule": "0 2 * * TUE"} | changes
        spec = manifest(WINDOW, changes=recurring(**weekly))["spec"]
        spec["updatedNodeSelector"] = {"matchLabels": {"maintenance/updated": selector}}
        spec |= {"urgent": urgent, "notifyBefore": notify}
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


async def test_what_is_too_near_is_not_held_and_what_is_far_is_announced_in_time() -> None:
    """V-01, M-23: thirty days at least, or urgent; times as instants, in UTC."""
    windows = Windows()
    await windows.turn()
    status = windows.status()
    assert windows.condition("Accepted")[:2] == ("True", Reason.VALID)
    assert windows.condition("Ready")[:2] == ("True", Reason.VALID)
    assert windows.condition("Announced")[:2] == ("True", Reason.ANNOUNCED)
    late = {row["startTime"] for row in status["missed"]}
    assert late == {*STARTS, "2026-12-22T01:00:00Z"}
    assert {row["reason"] for row in status["missed"]} == {"NoticeTooShort"}
    start = datetime.fromisoformat(status["preMaintenanceWindowStartTime"])
    assert timedelta(days=30) <= start - windows.stage.clock.now() <= timedelta(days=32)
    assert status["maintenanceWindowStartTime"] == "2026-12-29T01:00:00Z"
    assert status.keys() >= FOUR
    assert (status["iteration"], status["lastIteration"]) == (1, 1)
    assert status["upcoming"][0] == "2027-01-05T01:00:00Z", "what is not held is not to come"
    assert len(status["upcoming"]) == 5
    assert status["announced"][0]["sharePercent"] == 10, "the first one is small (V-06)"


async def test_without_enough_notice_nothing_is_announced_and_no_time_is_shown() -> None:
    """V-01, V-15: absent, not zero; with what would help."""
    windows = Windows()
    near = {
        "selfService": {"startTime": "2026-11-25T00:00:00Z", "endTime": "2026-11-26T00:00:00Z"},
        "scheduled": {"startTime": "2026-11-26T00:00:00Z", "endTime": "2026-11-26T04:00:00Z"},
    }
    spec = manifest(WINDOW, changes={"spec.once": near, "spec.recurring": ABSENT})["spec"]
    windows.stage.server.apply(WINDOW, *PATCH, spec)
    await windows.turn()
    state, reason, message = windows.condition("Announced")
    assert (state, reason) == ("False", Reason.NOTICE_TOO_SHORT)
    assert "urgent: true" in message
    status = windows.status()
    assert not status.keys() & FOUR
    assert "announcedTime" not in status
    assert status["notices"] == []
    assert [row["startTime"] for row in status["missed"]] == ["2026-11-26T00:00:00Z"]
    windows.stage.server.apply(WINDOW, *PATCH, spec | {"urgent": True})
    await windows.turn()
    assert windows.condition("Announced")[0] == "True"
    assert windows.condition("Ready")[2] == "urgent"


async def test_an_urgent_window_is_announced_with_what_notice_is_left() -> None:
    """V-01, V-11, V-23, V-24: each phase is made known once, to each audience once."""
    windows = Windows(urgent=True)
    await windows.turn()
    status = windows.status()
    assert status["maintenanceWindowStartTime"] == STARTS[0]
    assert [row["startTime"] for row in status["announced"]][:4] == STARTS
    assert [row["iteration"] for row in status["announced"]][:4] == [1, 2, 3, 4]
    kinds = [(row["kind"], row["iteration"]) for row in status["notices"]]
    assert kinds.count(("Announced", 1)) == 1
    assert ("SelfServiceOpened", 1) in kinds, "it began before it was announced"
    assert all(row["audiences"] == ["default"] for row in status["notices"])
    assert windows.condition("SelfServiceOpen")[0] == "True"
    windows.pass_time("2026-11-24T01:00:00")
    await windows.turn()
    assert windows.status()["activeWindow"] == "Scheduled"
    assert windows.condition("ScheduledOpen")[0] == "True"
    assert windows.status()["isCustomerInitiatedMaintenanceAllowed"] is False
    windows.pass_time("2026-11-24T05:00:00")
    await windows.turn()
    status = windows.status()
    assert status["iteration"] == 2
    assert status["maintenanceWindowStartTime"] == STARTS[1]
    kinds = [(row["kind"], row["iteration"]) for row in status["notices"]]
    assert len(kinds) == len(set(kinds)), "nothing is told twice"
    assert ("ScheduledOpened", 1) in kinds
    assert ("Ended", 1) in kinds


async def test_what_nobody_is_told_any_more_is_told() -> None:
    """V-24: room for so many, the oldest go, and an Event says whom they have not reached."""
    windows = Windows()
    await windows.turn()
    body = windows.stage.server.resource(WINDOW, *PATCH)
    old = {"kind": "Ended", "time": "2026-01-01T00:00:00Z", "audiences": ["shop"]}
    rows = [old | {"iteration": number} for number in range(MAX_NOTICES)]
    status, version = body["status"] | {"notices": rows}, body["metadata"]["resourceVersion"]
    windows.stage.server.apply_status(*PATCH, version, status, kind=WINDOW)
    windows.edit(urgent=True)
    await windows.turn()
    kept = windows.status()["notices"]
    new = [row for row in kept if row["audiences"] == ["default"]]
    assert new
    assert len(kept) == MAX_NOTICES
    said = [n.message for n in windows.notes if n.reason is Reason.NOTIFICATION_FAILED]
    assert len(said) == len(new)
    why = f"{MAX_NOTICES} newer notifications of this window wait"
    assert said[0] == f"shop was not told of 0/Ended: {why}"
    assert all(n.warning for n in windows.notes if n.reason is Reason.NOTIFICATION_FAILED)


async def test_what_was_announced_is_not_moved_by_an_edit() -> None:
    """M-23, V-06: times stay; another selector begins small again."""
    windows = Windows(urgent=True)
    await windows.turn()
    before = windows.status()["announced"]
    windows.edit(schedule="0 3 * * WED", urgent=True)
    await windows.turn()
    assert windows.status()["announced"][: len(before)] == before
    windows.edit(urgent=True, selector="2026-12")
    await windows.turn()
    after = windows.status()["announced"]
    assert [row["startTime"] for row in after[: len(before)]] == [r["startTime"] for r in before]
    assert windows.status()["campaignIteration"] == 2, "the one that is open stays as it is"


async def test_of_many_that_are_announced_at_once_every_one_is_made_known() -> None:
    """V-23, V-24: the earliest too, each once and in order."""
    often: dict[str, Any] = {
        "schedule": "0 2,14 * * *",
        "duration": "PT1H",
        "selfServiceLead": "PT1H",
    }
    windows = Windows(urgent=True, **often)
    await windows.turn()
    status = windows.status()
    made = [row["iteration"] for row in status["announced"]]
    assert made == list(range(1, 61))
    told = [row["iteration"] for row in status["notices"] if row["kind"] == "Announced"]
    assert told == made
    for _ in range(90):
        windows.stage.clock.advance(12 * 3600)
        await windows.turn()
        assert windows.condition("Accepted")[0] == "True", "two a day are not too many"
        assert len(windows.status()["notices"]) <= MAX_NOTICES


async def test_it_is_written_on_a_change_only() -> None:
    """G9: no writes in a steady state."""
    windows = Windows()
    for _ in range(10):
        await windows.turn()
        windows.stage.clock.advance(60)
    assert windows.writes() == 1


async def test_behind_very_many_that_are_too_near_the_first_with_notice_is_announced() -> None:
    """V-01: however many of them there are."""
    hours: dict[str, Any] = {"schedule": "0,10,20,30,40,50 8-17 1 * *", "duration": "PT5M"}
    windows = Windows(selfServiceLead="PT1H", **hours)
    await windows.turn()
    assert windows.condition("Announced")[1] == Reason.NOTICE_TOO_SHORT
    assert windows.status()["upcoming"][0] == "2027-01-01T07:00:00Z"
    windows.pass_time("2026-12-01T20:00:00")
    await windows.turn()
    starts = [row["startTime"] for row in windows.status()["announced"]]
    assert (len(starts), starts[0]) == (60, "2027-01-01T07:00:00Z")


async def test_too_many_for_the_notice_are_refused_from_the_beginning() -> None:
    """V-01: not weeks later, once some were announced."""
    windows = Windows(schedule="0 */8 * * *", duration="PT1H", selfServiceLead="PT1H")
    await windows.turn()
    assert windows.condition("Accepted")[:2] == ("False", Reason.INVALID_SCHEDULE)
    assert "64 times" in windows.condition("Accepted")[2]


async def test_many_that_are_too_near_are_told_of_once() -> None:
    """G9, V-01: the list is short, and must not be filled anew in each turn."""
    windows = Windows(schedule="0 2 * * *", duration="PT1H", selfServiceLead="PT12H")
    for _ in range(5):
        await windows.turn()
        windows.stage.clock.advance(1)
    assert windows.writes() == 1
    assert len(windows.status()["missed"]) == 5


async def test_it_is_looked_at_at_every_edge_and_at_least_every_hour() -> None:
    """V-11: a clock that is put right is noticed."""
    windows = Windows(urgent=True)
    await windows.turn()
    windows.pass_time("2026-11-24T00:59:50")
    assert await windows.turn() == pytest.approx(10)
    windows.stage.clock.advance(10)
    assert await windows.turn() == LOOK_AGAIN.total_seconds()
    assert windows.status()["upcoming"][:3] == STARTS[1:]


async def test_what_is_left_out_is_not_announced() -> None:
    windows = Windows(blackoutDates=["2026-12-01"], urgent=True)
    await windows.turn()
    starts = [row["startTime"] for row in windows.status()["announced"]]
    assert starts[:3] == [STARTS[0], *STARTS[2:]]


async def test_more_windows_than_can_be_announced_are_refused() -> None:
    """V-01: else the later ones would have less notice than was promised."""
    windows = Windows(schedule="0 * * * *", duration="PT30M", selfServiceLead="PT1H", urgent=True)
    await windows.turn()
    state, reason, message = windows.condition("Accepted")
    assert (state, reason) == ("False", Reason.INVALID_SCHEDULE)
    assert "64 times" in message


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
    assert windows.condition("Ready")[:2] == ("False", Reason.INVALID_SCHEDULE)


@pytest.mark.parametrize("broken", [{"schedule": "0 25 * * *"}, {"timeZone": "Mars/X"}])
async def test_what_was_announced_goes_on_to_its_end_when_its_schedule_can_no_more_be_used(
    broken: dict[str, Any],
) -> None:
    """M-23, V-23: absolute from its announcement on; nothing new is announced."""
    windows = Windows(urgent=True, notify="P3D")
    await windows.turn()
    before = windows.status()["announced"]
    assert [row["startTime"] for row in before] == STARTS[:2]
    windows.edit(urgent=True, notify="P3D", **broken)
    windows.pass_time("2026-11-24T00:59:50")
    assert await windows.turn() == pytest.approx(10)
    assert windows.condition("Accepted")[:2] == ("False", Reason.INVALID_SCHEDULE)
    assert windows.condition("Announced")[:2] == ("True", Reason.ANNOUNCED)
    assert windows.status()["upcoming"] == STARTS[1:2]
    windows.pass_time("2026-11-24T01:00:00")
    await windows.turn()
    assert windows.status()["activeWindow"] == "Scheduled"
    assert windows.condition("ScheduledOpen")[0] == "True"
    windows.pass_time("2026-11-24T05:00:00")
    await windows.turn()
    status = windows.status()
    assert status["announced"] == before[1:]
    assert (status["iteration"], status["maintenanceWindowStartTime"]) == (2, STARTS[1])
    windows.pass_time("2026-12-01T05:00:00")
    await windows.turn()
    status = windows.status()
    assert (status["announced"], status["lastIteration"]) == ([], 2)
    assert not status.keys() & FOUR
    assert windows.condition("Announced")[:2] == ("False", Reason.INVALID_SCHEDULE)
    kinds = [(row["kind"], row["iteration"]) for row in status["notices"]]
    assert {("ScheduledOpened", 1), ("Ended", 1), ("Ended", 2)} <= set(kinds)
    assert len(kinds) == len(set(kinds))


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
    assert after["Ready"] > before["Ready"]
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
    assert windows.condition("Announced")[:2] == ("False", Reason.NOTHING_AHEAD)


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
    assert windows.status()["upcoming"], "its times are known all the same"
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


@pytest.mark.parametrize(("uid", "counted"), [("mine", 4), ("another", 0)])
async def test_what_was_done_under_a_window_of_the_same_name_before_is_not_its_own(
    uid: str, counted: int
) -> None:
    """V-24: a result is of this window's instances."""
    windows = Windows(urgent=True)
    await windows.turn()
    meta = windows.stage.server.resource(WINDOW, *PATCH)["metadata"]
    shown = meta["uid"][:8] if uid == "mine" else "deadbeef"
    row = {"window": PATCH.name, "iteration": 1, "targeted": 4, "completed": 4}
    row["mark"] = f"{PATCH.name}/1/{shown}/2026-11-24T05:00:00Z"
    body = windows.stage.server.resource("ScaleSet", *KEY)
    tier = {"labels": {"tier": "web"}}
    windows.stage.server.restore("ScaleSet", {**body, "metadata": body["metadata"] | tier})
    body = windows.stage.server.resource("ScaleSet", *KEY)
    said = ScaleSetStatus.model_validate({**body["status"], "maintenance": {"iterations": [row]}})
    status = said.model_dump(mode="json", by_alias=True, exclude_none=True)
    version = body["metadata"]["resourceVersion"]
    windows.stage.server.apply_status(*KEY, version, status)
    windows.resources.put_scale_set(windows.stage.server.resource("ScaleSet", *KEY))
    await windows.turn()
    assert windows.status()["instances"]["completed"] == counted
