"""The terminate notice, from the record to the DELETE (protocol rule 8, R-51 to R-54)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import DeleteInstance, GiveNotice, Plan, Purpose, Record
from tests.core._stories import (
    Story,
    a_set,
    created,
    deleted,
    entry,
    ledger,
    published,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.timeout(300)


def spec(notice: str | None = "PT5M", *, replicas: int = 40, **fields: Any) -> ScaleSetSpec:
    """Web with a terminate notice of that length; None for a profile that is turned off."""
    profile = {"enable": notice is not None, "notBeforeTimeout": notice or "PT5M"}
    return scale_set_spec(replicas=replicas, terminateNotificationProfile=profile, **fields)


def told(plan: Plan) -> dict[str, GiveNotice]:
    """Name -> the notice it is given."""
    return {act.name: act for act in plan.actions if isinstance(act, GiveNotice)}


def broken(*numbers: int, of: ScaleSetSpec | None = None) -> Story:
    """A story in which these instances begin to answer 503, up to the moment they are Unhealthy."""
    story = Story.of(of or spec())
    story.tell(Outcome.WRONG_STATUS, *(f"web-{number}" for number in numbers))
    story.now += 11 * SECOND
    story.turn()
    return story


def noticed(*numbers: int, of: ScaleSetSpec | None = None) -> Story:
    """The same, one turn after the notice was given."""
    story = broken(*numbers, of=of)
    story.turn()
    story.turn()
    return story


def deadline(story: Story) -> Any:
    """The one that the ledger holds for the only entry."""
    (entry,) = story.seen.status.repairs.in_flight
    return entry.terminate_at


def test_the_victim_is_told_first_and_deleted_at_the_deadline() -> None:
    """R-51: recorded, told on the pod that was read, and not deleted a second too soon."""
    story = broken(1)
    plan = story.turn()
    (entry,) = plan.status.repairs.in_flight
    assert (entry.phase, entry.terminate_at) == ("Recorded", story.now + 5 * MINUTE)
    act = told(plan)["web-1"]
    assert (act.uid, act.terminate_at) == ("uid-web-1", entry.terminate_at)
    assert act.not_after == story.now + 5 * SECOND
    assert not deleted(plan)
    assert not created(plan), "before the notice stands in the ledger"
    story.run(5 * MINUTE - 5 * SECOND)
    assert not story.taken
    story.run(5 * SECOND)
    assert [act.name for act in story.taken] == ["web-1"]


def test_the_replacement_does_not_wait_for_the_deadline() -> None:
    """R-52: it is created in the turn after the notice, and is Healthy long before the DELETE."""
    story = broken(1)
    story.turn()
    plan = story.turn()
    assert created(plan) == {"web-41"}
    assert plan.status.repairs.in_flight[0].phase == "Notified"
    story.run(MINUTE)
    assert story.pods["web-41"].ready
    assert story.pods["web-1"].live
    assert under_repair(story.turn()) == {"web-1"}, "it closes with the DELETE only"


def test_a_notice_is_told_once_as_an_event_with_its_time() -> None:
    """R-51: the instance, the time and the way to end it early."""
    story = noticed(1)
    story.run(MINUTE)
    notes = [note for plan in story.plans for note in plan.notes]
    (note,) = [note for note in notes if note.reason == "TerminateNotice"]
    assert note.message.startswith("web-1 goes at 2026-")


def test_while_it_waits_status_gives_the_reason_and_the_time() -> None:
    """X-11: TerminationDelayed, with the moment at which it changes."""
    story = noticed(1)
    plan = story.run(MINUTE)
    (row,) = plan.status.unhealthy_instances
    assert (row.name, row.reason, row.repair_decision) == (
        "web-1",
        "TerminationDelayed",
        "Repairing",
    )
    assert row.eligible_time == deadline(story)
    assert plan.look_again_at == deadline(story)
    assert plan.status.repairs.next_eligible_time is None


def test_an_approval_ends_the_wait() -> None:
    """R-54: confirmed on a live read."""
    story = noticed(1)
    story.change("web-1", termination_approved=True)
    first = decide(story.spec, story.observe(), story.now)
    assert first.reads == {"web-1"}
    assert not first.actions
    assert deleted(story.turn()) == {"web-1"}


@pytest.mark.parametrize("notice", ["PT15M", None])
def test_the_deadline_stays_where_it_was_announced(notice: str | None) -> None:
    """R-54: whatever becomes of the profile, or with it turned off."""
    story = noticed(1)
    announced = deadline(story)
    story.spec = spec(notice)
    story.run(announced - story.now - 5 * SECOND)
    assert deadline(story) == announced
    assert not story.taken
    story.run(5 * SECOND)
    assert [act.name for act in story.taken] == ["web-1"]


def test_whoever_rewrites_the_deadline_on_the_pod_neither_extends_nor_shortens_it() -> None:
    """R-54: the ledger's holds, and is written on the pod again."""
    story = noticed(1)
    announced = deadline(story)
    for other in (announced + MINUTE, announced - 4 * MINUTE, None):
        story.change("web-1", terminate_at=other)
        story.run(10 * SECOND)
        assert not story.taken
        assert story.pods["web-1"].terminate_at == announced
    story.change("web-1", terminate_at=announced + MINUTE)
    story.run(announced - story.now)
    assert [act.name for act in story.taken] == ["web-1"]


def test_a_notice_given_is_carried_out_although_the_instance_recovers() -> None:
    """Rule 8: told is told, and it never comes back into rotation."""
    story = noticed(1)
    story.tell(Outcome.OK, "web-1")
    plans = [story.run(5 * SECOND) for _ in range(20)]
    assert story.pods["web-1"].published is not None
    assert story.pods["web-1"].published.health == "Healthy"
    assert story.pods["web-1"].in_rotation is False
    assert {row.vm_health for row in plans[-1].status.unhealthy_instances} == {"Healthy"}
    story.change("web-1", in_rotation=True)
    assert published(story.turn())["web-1"].in_rotation is False
    story.run(4 * MINUTE)
    assert [act.name for act in story.taken] == ["web-1"]
    assert len(story.live) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"policy": {"serviceState": "Suspended"}},
        {"policy": {"mode": "Observe"}},
        {"repairs": False},
        {"healthProbeRef": None, "repairs": False},
    ],
    ids=["suspended", "observing", "disabled", "without a source"],
)
def test_gates_are_asked_until_the_notice_and_not_after_it(change: dict[str, Any]) -> None:
    """Rules 4 and 8: closed before, nothing is told; closed after, it is carried out."""
    before = broken(1)
    before.spec = spec(**change)
    before.run(MINUTE)
    assert before.pods["web-1"].terminate_at is None
    after = noticed(1)
    after.spec = spec(**change)
    after.run(5 * MINUTE)
    assert [act.name for act in after.taken] == ["web-1"]
    assert len(after.live) == 40


def test_protection_stops_a_repair_until_the_notice_and_not_after_it() -> None:
    """R-47, rule 8: its replacement is there already."""
    story = broken(1)
    recorded = settle(story.spec, story.observe(), story.now).plans
    assert any(plan.record is Record.NOW and under_repair(plan) for plan in recorded)
    story.change("web-1", protected_from_actions=True)
    story.run(MINUTE)
    assert story.pods["web-1"].terminate_at is None
    story.change("web-1", protected_from_actions=False)
    story.run(10 * SECOND)
    assert story.pods["web-1"].terminate_at is not None
    story.change("web-1", protected_from_actions=True)
    story.run(5 * MINUTE)
    assert [act.name for act in story.taken] == ["web-1"]


def test_a_notice_that_could_not_be_given_in_time_is_not_given() -> None:
    """Rule 5: five seconds after its record nothing is sent; two later its slot is free."""
    story = broken(1)
    settled = settle(story.spec, story.observe(), story.now)
    story.seen = settled.seen
    story.now += 6 * SECOND
    plan = decide(story.spec, story.observe(), story.now)
    assert not told(plan)
    story.now += SECOND
    story.turn()
    assert story.seen.status.repairs.history[0].reason == Reason.RECORD_EXPIRED


def test_a_notice_written_by_an_operator_that_died_is_carried_out_by_another() -> None:
    """R-16, rule 11: the pod says so, though the ledger still says Recorded."""
    story = broken(1)
    settled = settle(story.spec, story.observe(), story.now)
    story.seen = settled.seen
    story.change("web-1", terminate_at=told(settled.plan)["web-1"].terminate_at, in_rotation=False)
    story.now += MINUTE
    plan = story.turn()
    assert plan.status.repairs.in_flight[0].phase == "Notified"
    assert created(plan) == {"web-41"}
    story.run(5 * MINUTE)
    assert [act.name for act in story.taken] == ["web-1"]


def test_a_deadline_that_somebody_else_wrote_is_no_notice() -> None:
    """R-54: only what the ledger holds counts; without an entry it means nothing."""
    story = Story.of(spec())
    story.change("web-1", terminate_at=T0, termination_approved=True)
    story.run(MINUTE)
    assert not story.taken
    assert story.pods["web-1"].in_rotation


def test_a_deadline_whose_repair_is_not_in_view_brings_nothing_back_for_a_minute() -> None:
    """Rule 8: the ledger may be ahead of this view of it; a stray deadline holds no longer."""
    story = Story.of(spec())
    story.change("web-1", terminate_at=T0, in_rotation=False)
    story.change("web-2", terminate_at=T0 + timedelta(days=3), in_rotation=False)
    story.run(55 * SECOND)
    assert story.pods["web-2"].in_rotation is True, "no notice is three days long"
    assert story.pods["web-1"].in_rotation is False
    story.run(10 * SECOND)
    assert story.pods["web-1"].in_rotation is True
    back = [act for plan in story.plans for act in published(plan).values() if act.in_rotation]
    assert all(act.resource_version for act in back), "on the version that was seen"


def test_two_hundred_desired_and_ten_under_notice_are_two_hundred_and_ten() -> None:
    """R-06, R-53, X-09: neither trimmed, nor does it trip the limit of 200."""
    story = noticed(*range(1, 11), of=spec(replicas=200))
    plan = story.run(2 * MINUTE)
    assert len(story.live) == 210
    assert plan.status.replicas == 210
    assert plan.status.repairs.batch_limit == 10
    assert len(under_repair(plan)) == 10
    assert not story.taken
    assert not plan.status.scale_in
    assert Reason.TOO_MANY_INSTANCES not in reasons(plan).values()
    assert story.spec.automatic_repairs_policy is not None
    assert story.spec.automatic_repairs_policy.limits == "Standard"
    story.change("web-1", termination_approved=True)
    story.tell(Outcome.WRONG_STATUS, "web-11")
    story.run(MINUTE)
    assert [act.name for act in story.taken] == ["web-1"]
    assert story.pods["web-11"].terminate_at is not None, "a slot is free, so the next is told"
    assert len(story.live) == 210


def test_the_surplus_never_exceeds_the_number_in_flight() -> None:
    """R-11, R-53: five broken, two at a time, 42 live at most."""
    story = noticed(1, 2, 3, 4, 5)
    most = 0
    for _ in range(70):
        plan = story.run(20 * SECOND, step=20 * SECOND)
        most = max(most, len(story.live))
        assert len(story.live) - 40 <= len(under_repair(plan)) <= 2
    assert most == 42
    assert len(story.live) == 40
    assert not story.not_answering


def test_a_deletion_by_a_person_ends_the_wait() -> None:
    """Rule 6: past its DELETE, whoever sent it; the replacement counts, and nothing is doubled."""
    story = noticed(1)
    story.run(MINUTE)
    story.terminate("web-1")
    plan = story.run(10 * SECOND)
    assert not under_repair(plan)
    assert plan.status.repairs.history[0].result == "Succeeded"
    assert len(story.live) == 40
    assert story.names == ["web-41"]


def test_a_replacement_that_is_removed_is_followed_by_another() -> None:
    """Rule 7: the entry takes the successor and keeps its slot; the deadline stays."""
    story = noticed(1)
    announced = deadline(story)
    story.run(MINUTE)
    story.terminate("web-41")
    story.run(MINUTE)
    assert story.names == ["web-41", "web-42"]
    (entry,) = story.seen.status.repairs.in_flight
    assert (entry.replacement, entry.phase, entry.deleted_time) == ("web-42", "Notified", None)
    assert entry.terminate_at == announced
    story.run(4 * MINUTE)
    assert [act.name for act in story.taken] == ["web-1"]
    assert len(story.live) == 40


def test_a_replacement_that_breaks_is_repaired_once_its_own_repair_has_closed() -> None:
    """Rule 7: else both repairs would owe an instance for one place."""
    story = noticed(1, of=spec("PT10M", grace=timedelta(0), policy={"limits": "Extended"}))
    story.tell(Outcome.WRONG_STATUS, "web-41")
    plan = story.run(5 * MINUTE)
    assert reasons(plan)["web-41"] is Reason.WAITING_FOR_HEALTH
    assert under_repair(plan) == {"web-1"}
    story.run(20 * MINUTE)
    assert [act.name for act in story.taken] == ["web-1", "web-41"]
    assert story.names == ["web-41", "web-42"]
    assert len(story.live) == 40


def test_a_scale_in_takes_another_and_the_victim_keeps_its_time() -> None:
    """R-18, rule 24: neither the one under notice nor more than are too many."""
    story = noticed(1)
    story.run(MINUTE)
    story.spec = spec(replicas=39)
    story.run(MINUTE)
    assert [act.purpose for act in story.taken] == ["scale_in"]
    assert story.pods["web-1"].live
    assert len(story.live) == 40
    story.run(4 * MINUTE)
    assert [act.name for act in story.taken][1:] == ["web-1"]
    assert len(story.live) == 39
    assert not story.seen.status.repairs.in_flight


def test_a_scale_in_that_takes_the_replacement_lets_the_victim_go_without_one() -> None:
    """Rules 6 to 8: the notice is carried out, and its repair closes as Cancelled."""
    story = noticed(1)
    assert story.pods["web-41"].started is None
    story.spec = spec(replicas=39)
    story.run(MINUTE)
    assert [act.name for act in story.taken] == ["web-41"]
    story.run(5 * MINUTE)
    assert [act.name for act in story.taken] == ["web-41", "web-1"]
    last = story.seen.status.repairs.history[0]
    assert (last.result, last.reason) == ("Cancelled", "ScaledIn")
    assert len(story.live) == 39
    assert story.names == ["web-41"]


def test_a_scale_out_after_that_creates_what_is_missing() -> None:
    """Rule 6: missing counts those that stay."""
    story = noticed(1)
    story.spec = spec(replicas=39)
    story.run(30 * SECOND)
    story.spec = spec(replicas=40)
    story.run(30 * SECOND)
    assert len(story.live) == 41
    story.run(5 * MINUTE)
    assert len(story.live) == 40
    assert not story.not_answering


def test_a_rollout_leaves_the_victim_its_time_and_counts_it_as_unavailable() -> None:
    """Rules 22 and 23: recovered or not, and it holds up nobody."""
    story = noticed(1)
    story.tell(Outcome.OK, "web-1")
    story.run(30 * SECOND)
    newer = type(story.seen.template)(model="m2")
    story.outside["template"] = newer
    story.run(3 * MINUTE)
    assert "web-1" not in {act.name for act in story.taken}
    assert {pod.model for pod in story.live if pod.name != "web-1"} == {"m2"}
    story.run(3 * MINUTE)
    assert {pod.model for pod in story.live} == {"m2"}
    assert len(story.live) == 40


def test_a_refused_delete_is_tried_again_and_keeps_the_repair_open() -> None:
    """Rules 4 and 8: a notice given is carried out; the surplus stays accounted for."""
    story = noticed(1)
    story.run(5 * MINUTE - 15 * SECOND)
    later = deadline(story) + MINUTE
    story.outside["refused_until"] = {"web-1": later}
    story.run(MINUTE)
    assert not story.taken
    assert under_repair(story.turn()) == {"web-1"}
    story.outside["refused_until"] = {}
    assert deleted(story.turn()) == {"web-1"}


def test_nothing_is_told_or_deleted_on_a_view_that_is_not_fresh() -> None:
    """X-07: the deadline waits for sight."""
    story = noticed(1)
    story.outside["view_is_fresh"] = False
    story.run(6 * MINUTE)
    assert not story.taken
    story.outside["view_is_fresh"] = True
    assert deleted(story.turn()) == {"web-1"}


def test_a_notice_of_no_length_is_told_all_the_same() -> None:
    """R-51 with limits Extended: told, recorded, then deleted with the create."""
    story = broken(1, of=spec("PT0S", policy={"limits": "Extended"}))
    first, second = story.turn(), story.turn()
    assert set(told(first)) == {"web-1"}
    assert (deleted(second), created(second)) == ({"web-1"}, {"web-41"})


def test_the_deadline_has_whole_seconds_and_is_never_early() -> None:
    """R-54: what a person reads is what holds."""
    story = broken(1)
    story.now += timedelta(milliseconds=1)
    story.turn()
    assert deadline(story) == (story.now + 5 * MINUTE).replace(microsecond=0) + SECOND


def test_a_profile_that_is_off_gives_no_notice() -> None:
    """R-51: deleted at once."""
    story = broken(1, of=spec(None))
    plan = story.turn()
    assert deleted(plan) == {"web-1"}
    assert not told(plan)


# --- One turn of a notice that was given -------------------------------------------------------

DUE: Final = T0 + 4 * MINUTE


def under_notice(
    *more: Instance, of_first: Any = None, of_entry: Any = None, **fields: Any
) -> Observed:
    """web-1 was given notice a minute ago, and web-41 is to follow it."""
    first = instances(1, unhealthy=(1,), terminate_at=DUE)[0]
    pods = (replace(first, **(of_first or {})), *instances(40)[1:], *more)
    values = {"start": T0 - MINUTE, "phase": "Notified", "terminateAt": DUE.isoformat()}
    recorded = ledger(entry(1, 41, **(values | (of_entry or {}))), last=41)
    return a_set(instances=pods, bad=wrong(1), status=recorded, **fields)


def test_a_notice_carries_uid_and_version_of_the_live_read_and_ends_with_its_record() -> None:
    """Protocol rules 5 and 8: as a DELETE does."""
    first = instances(40, unhealthy=(1,))
    acts = settle(spec(), a_set(instances=first, bad=wrong(1))).plan.actions
    assert acts == (
        GiveNotice(
            name="web-1",
            uid="uid-web-1",
            resource_version="101",
            terminate_at=T0 + 5 * MINUTE,
            not_after=T0 + 5 * SECOND,
        ),
    )


def test_its_delete_carries_them_too_and_is_never_too_late() -> None:
    """Protocol rules 5 and 8: an approval holds for as long as it stands on the pod."""
    successor = instance(number=41)
    seen = under_notice(successor, of_first={"termination_approved": True})
    assert settle(spec(), seen).plan.actions == (
        DeleteInstance(
            name="web-1", uid="uid-web-1", resource_version="101", purpose=Purpose.REPAIR
        ),
    )


def test_a_deadline_that_was_rewritten_is_put_right_on_the_pod_that_was_read() -> None:
    """R-54, protocol rule 5."""
    seen = under_notice(instance(number=41), of_first={"terminate_at": DUE + MINUTE})
    settled = settle(spec(), seen)
    assert settled.plan.actions == (
        GiveNotice(name="web-1", uid="uid-web-1", resource_version="101", terminate_at=DUE),
    )
    assert "web-1" in settled.seen.live_reads


@pytest.mark.parametrize(("left", "held"), [(MINUTE, True), (0 * SECOND, False)])
def test_after_a_refusal_the_delete_waits_and_costs_no_read(left: timedelta, *, held: bool) -> None:
    """Protocol rules 4 and 8: of another instance it says nothing."""
    approved = {"termination_approved": True}
    refused = {"web-1": T0 + left, "web-2": T0 + MINUTE}
    seen = under_notice(instance(number=41), of_first=approved, refused_until=refused)
    settled = settle(spec(), seen)
    assert (not deleted(settled.plan)) is held
    assert not held or not any(plan.reads for plan in settled.plans)
    assert not held or settled.plan.look_again_at == T0 + MINUTE


def test_the_entry_knows_the_replacement_that_has_come() -> None:
    """Protocol rule 7: by UID, and the model that it has."""
    settled = settle(spec(), under_notice(instance(number=41, started=None, health=None)))
    (open_,) = settled.entries
    assert (open_.replacement_uid, open_.model) == ("uid-web-41", "m1")
    assert not created(settled.plan)
    newer = instance(number=41, started=None, health=None, model="m2")
    latest = under_notice(newer, template=TemplateView(model="m2"))
    assert settle(spec(), latest).entries[0].model == "m2"


@pytest.mark.parametrize(
    "change",
    [
        {"of_entry": {"replacementUID": "uid-web-41"}},
        {"unusable": frozenset({"web-41"})},
        {"gone": instance(number=41, terminating=True)},
    ],
    ids=["it was there", "its name is taken", "it goes"],
)
def test_a_replacement_that_is_lost_during_the_notice_is_followed_by_the_next_name(
    change: dict[str, Any],
) -> None:
    """R-52, protocol rule 7: and no DELETE was sent from which its grace could run."""
    gone = [change["gone"]] if "gone" in change else []
    more = {key: value for key, value in change.items() if key != "gone"}
    settled = settle(spec(), under_notice(*gone, **more))
    (open_,) = settled.entries
    assert (open_.replacement, open_.deleted_time) == ("web-42", None)
    assert created(settled.plan) == {"web-42"}


def test_a_scale_in_that_takes_the_replacement_forgets_it_altogether() -> None:
    """Protocol rule 6: nothing is created under its name again."""
    young = instance(number=41, started=None, health=None)
    seen = under_notice(young, of_entry={"replacementUID": "uid-web-41"})
    (open_,) = settle(spec(replicas=39), seen).entries
    assert (open_.replacement, open_.replacement_uid) == (None, None)
