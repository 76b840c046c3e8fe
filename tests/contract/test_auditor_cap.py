"""The auditor on the cap: what is in flight, and when a slot is given back."""

import pytest

from tests.contract.forged import GRACE, Forger


def test_as_many_as_allowed_at_once_are_no_violation() -> None:
    """5 % of 40."""
    forger = Forger(desired=40)
    forger.health("False", "web-1", "web-2").after(60)
    forger.record(("web-1", "web-41"), ("web-2", "web-42")).after(1).delete("web-1", "web-2")
    assert forger.none()
    assert forger.auditor.max_in_flight == 2


@pytest.mark.parametrize(("desired", "allowed"), [(19, 1), (39, 1), (40, 2), (59, 2), (60, 3)])
def test_one_deletion_too_many_breaks_the_cap(desired: int, allowed: int) -> None:
    """I1: the entries are closed too early, so only the pods tell."""
    forger = Forger(desired=desired)
    for number in range(1, allowed + 1):
        forger.repair(number, desired + number, healthy=False).close(f"web-{number}")
    assert forger.none()
    assert forger.auditor.max_in_flight == allowed
    last = allowed + 1
    forger.repair(last, desired + last, healthy=False)
    assert f"I1: {last} in flight, {allowed} are allowed" in forger.only()


def test_one_record_too_many_breaks_the_cap() -> None:
    """I1; rule 2: the ledger itself."""
    forger = Forger(desired=20)
    forger.health("False", "web-1", "web-2").after(60)
    forger.record(("web-1", "web-21"), ("web-2", "web-22"))
    assert "I1: 2 repairs in the ledger, 1 are allowed" in forger.only()


def test_a_lower_percentage_is_held_too() -> None:
    """I1: the cap can be lowered."""
    forger = Forger(desired=100, maxInFlight="2%")
    for number in (1, 2):
        forger.repair(number, 100 + number, healthy=False).close(f"web-{number}")
    assert forger.none()
    forger.repair(3, 103, healthy=False)
    assert "I1: 3 in flight, 2 are allowed" in forger.only()


def test_instances_that_never_ran_lend_no_slots() -> None:
    """Rule 1: a scale-out from 20 to 60 does not lend three slots to twenty instances."""
    forger = Forger(desired=20)
    forger.set["spec"]["replicas"] = 60
    forger.tell()
    for number in range(21, 61):
        forger.create(number)
    forger.after(60).repair(1, 61, healthy=False).close("web-1")
    assert forger.none()
    forger.after(60).repair(2, 62, healthy=False)
    assert "I1: 2 in flight, 1 are allowed" in forger.only()


def test_a_repair_recorded_before_the_allowance_shrank_may_finish() -> None:
    """Rule 2."""
    forger = Forger(desired=40)
    forger.health("False", "web-1", "web-2").after(60)
    forger.record(("web-1", "web-41"), ("web-2", "web-42")).after(1).delete("web-1").after(60)
    forger.set["spec"]["replicas"] = 39
    forger.tell().after(60).delete("web-2")
    assert forger.none()


def test_a_replacement_out_of_its_grace_gives_the_slot_back() -> None:
    """Rule 9: the grace of the slot counts from the containers' start."""
    forger = Forger(desired=20)
    forger.repair(1, 21, healthy=False)
    forger.after(GRACE.total_seconds() - 70).close("web-1")
    forger.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert "I1" in forger.only()
    again = Forger(desired=20)
    again.repair(1, 21, healthy=False).after(GRACE.total_seconds()).close("web-1")
    again.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert again.none()


def test_a_replacement_that_never_starts_gives_the_slot_back_in_the_end() -> None:
    """Rule 9: counted from the DELETE."""
    forger = Forger(desired=20, gracePeriod="PT0S")
    forger.health("False", "web-1").record(("web-1", "web-21")).delete("web-1").create(21)
    forger.after(15).close("web-1").health("False", "web-2")
    forger.record(("web-2", "web-22")).delete("web-2")
    assert "I1" in forger.only()
    forger.after(16).close("web-2").health("False", "web-3")
    forger.record(("web-3", "web-23")).delete("web-3")
    assert len(forger.auditor.violations()) == 1


def test_a_successor_restarts_the_grace_of_the_slot_once() -> None:
    """Rule 7: at most once per model."""
    forger = Forger(desired=20)
    forger.repair(1, 21, healthy=False)
    for old, new in ((21, 22), (22, 23)):
        forger.after(20 * 60).fails(f"web-{old}")
        forger.ledger["inFlight"][0]["replacement"] = f"web-{new}"
        forger.tell().create(new).runs(f"web-{new}")
    forger.after(9 * 60).close("web-1")
    forger.health("False", "web-2").record(("web-2", "web-24"))
    assert forger.none()
    forger.close("web-2").after(60).record(("web-2", "web-24")).delete("web-2")
    assert forger.none()
    assert forger.auditor.max_in_flight == 1


def test_a_deletion_by_somebody_else_keeps_its_slot() -> None:
    """Rule 6: past its DELETE, whoever sent it."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").record(("web-1", "web-21")).gone("web-1").close("web-1")
    forger.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert "I1: 2 in flight, 1 are allowed" in forger.only()


def test_a_scale_in_that_wants_no_replacement_ends_the_repair() -> None:
    """Rules 6 and 28."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").record(("web-1", "web-21")).delete("web-1")
    forger.set["spec"]["replicas"] = 19
    forger.close("web-1").after(60)
    forger.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert forger.none()


def test_a_replacement_that_is_scaled_in_clears_its_debt() -> None:
    """Rule 28."""
    forger = Forger(desired=20)
    forger.repair(1, 21, healthy=False)
    forger.set["spec"]["replicas"] = 19
    forger.after(60).announce("ScaleIn", "web-21").delete("web-21").close("web-1")
    forger.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert forger.none()
