"""The auditor on names, surplus, scale-in and the end: what is forged is found."""

from datetime import timedelta

import pytest

from tests.contract.forged import START, Forger
from tests.support.auditor_records import span


def test_one_instance_too_many_is_found() -> None:
    """I4."""
    forger = Forger(desired=20)
    forger.create(21)
    assert "I4: 21 live instances with web-21, 20 are allowed" in forger.only()


def test_one_witness_is_allowed_and_a_second_is_not() -> None:
    """I4; rule 18."""
    forger = Forger(desired=20)
    forger.ledger["doubts"] = [{"group": "set", "witness": "web-21"}]
    forger.tell().create(21)
    assert forger.none()
    forger.create(22)
    assert "I4: 22 live instances with web-22, 21 are allowed" in forger.only()


def test_a_notice_allows_one_surplus_instance() -> None:
    """I4; rule 8."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").give_notice("web-1", "web-21").create(21)
    assert forger.none()
    forger.create(22)
    assert "I4" in forger.only()


def test_a_surge_allows_a_batch() -> None:
    """I4; rule 22."""
    forger = Forger(desired=20)
    rolling = {"maxBatchInstancePercent": 10, "maxSurge": True}
    forger.set["spec"]["upgradePolicy"] = {"rollingUpgradePolicy": rolling}
    forger.tell().create(21).create(22)
    assert forger.none()
    forger.create(23)
    assert "I4: 23 live instances" in forger.only()


def test_a_create_decided_before_a_scale_in_is_allowed_for_seconds_only() -> None:
    """Rule 5: no act is older than 5 s."""
    forger = Forger(desired=20)
    forger.fails("web-1")
    forger.set["spec"]["replicas"] = 19
    forger.tell().after(4).create(21)
    assert forger.none()
    forger.after(60).create(22)
    assert "I4: 21 live instances with web-22, 19 are allowed" in forger.only()


def test_a_name_used_twice_is_found() -> None:
    """I4; design 2: never reused."""
    forger = Forger(desired=20)
    forger.fails("web-1").gone("web-1").create(21, name="web-1")
    assert "I4: the name web-1 is used a second time" in forger.only()


def test_an_id_used_twice_is_found_in_both_ways() -> None:
    """I4: no two pods of one instance id, and none reused."""
    forger = Forger(desired=20)
    forger.fails("web-1").create(2, name="web-0002")
    assert "I4: two pods have the instance id 2" in forger.only()
    again = Forger(desired=20)
    again.fails("web-1").gone("web-1").create(1, name="web-0001")
    assert "I4: a second pod has the instance id 1" in again.only()


def test_an_adopted_pod_keeps_its_name_and_is_no_surplus() -> None:
    """Design 2: adoption."""
    forger = Forger(desired=20)
    forger.disown("web-1").create(21)
    owner = [{"kind": "ScaleSet", "uid": "set-1", "controller": True}]
    forger.pods["web-1"]["metadata"]["ownerReferences"] = owner
    forger.health("True", "web-1")
    assert forger.none()


def test_a_scale_in_of_a_protected_instance_is_found() -> None:
    """I6."""
    forger = Forger(desired=20)
    forger.set["spec"]["replicas"] = 19
    forger.label("web-1", "protect-from-scale-in").announce("ScaleIn", "web-1").delete("web-1")
    assert "I6: web-1 was removed (ScaleIn) although it is protected" in forger.only()


def test_a_scale_in_below_the_desired_count_is_found() -> None:
    """I4; rule 24."""
    forger = Forger(desired=20)
    forger.announce("ScaleIn", "web-1").delete("web-1")
    assert "I4: web-1 was scaled in below 20 instances" in forger.only()


def test_what_a_rollout_removed_is_still_owed_and_covers_a_scale_in_once() -> None:
    """I4; rules 24 and 28: each is bounded by itself, whichever DELETE comes first."""
    forger = Forger(desired=20)
    forger.set["spec"]["replicas"] = 19
    forger.announce("Rollout", "web-1", "web-2").announce("ScaleIn", "web-3")
    forger.delete("web-1", "web-2", "web-3")
    assert forger.none()
    forger.create(21).create(22)
    forger.after(10).announce("ScaleIn", "web-4").delete("web-4")
    assert "I4: web-4 was scaled in below 19 instances" in forger.only()


def test_a_scale_in_to_the_desired_count_is_no_violation() -> None:
    """Rule 24."""
    forger = Forger(desired=20)
    forger.set["spec"]["replicas"] = 18
    forger.announce("ScaleIn", "web-1", "web-2").after(1).delete("web-1", "web-2")
    forger.gone("web-1", "web-2")
    forger.auditor.expect_settled()
    assert forger.none()


def test_a_rollout_below_the_floor_is_found() -> None:
    """Rule 22."""
    forger = Forger(desired=20)
    taken = [f"web-{number}" for number in range(1, 6)]
    forger.announce("Rollout", *taken).delete(*taken[:4])
    assert forger.none()
    forger.delete(taken[4])
    assert "I7: web-5 was rolled out below the floor of 16" in forger.only()


def test_a_rollout_of_an_instance_protected_from_actions_is_found() -> None:
    """I6."""
    forger = Forger(desired=20)
    forger.label("web-1", "protect-from-scale-set-actions")
    forger.announce("Rollout", "web-1").delete("web-1")
    assert "I6: web-1 was removed (Rollout) although it is protected" in forger.only()


def test_another_outcome_than_expected_is_found() -> None:
    """I7."""
    forger = Forger(desired=20)
    forger.repair(1, 21)
    forger.auditor.expect_repaired(["web-1", "web-2"])
    assert "I7: repaired ['web-1'], expected ['web-1', 'web-2']" in forger.only()


def test_too_few_instances_at_the_end_are_found() -> None:
    """I4."""
    forger = Forger(desired=20)
    forger.fails("web-1").gone("web-1")
    forger.auditor.expect_settled()
    assert "I4: 19 live instances at the end, 20 desired" in forger.only()


def test_time_never_goes_back() -> None:
    """A history out of order would be judged wrongly: the auditor refuses it."""
    forger = Forger(desired=1)
    with pytest.raises(AssertionError, match="time went back"):
        forger.auditor.see("MODIFIED", forger.set, START - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT30M", 1800), ("P1D", 86400), ("PT1H30M", 5400), ("PT11S", 11), ("PT0S", 0)],
)
def test_spans_are_read(text: str, seconds: int) -> None:
    """Rule 27."""
    assert span(text) == timedelta(seconds=seconds)
