"""What turns remember: names that are spent, refusals and their waits, pods that are over."""

from datetime import timedelta

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Fleet
from scaleset_operator.reconciler.memory import (
    LONGEST_WAIT,
    OVER_LIFETIME,
    OVER_REMEMBERED,
    FleetBook,
    Memory,
)
from scaleset_operator.reconciler.ports import Key, Refused
from tests.support.builders import T0

SECOND = timedelta(seconds=1)
WAITS = [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_name_that_is_owed_and_was_not_seen_yet_may_be_created() -> None:
    memory = Memory()
    memory.note_names({"web-4"}, {"web-1"})
    memory.note_names({"web-4"}, {"web-1", "web-4"})
    assert memory.unusable == set()


def test_a_name_whose_pod_was_there_and_is_gone_is_never_created_again() -> None:
    memory = Memory()
    memory.note_names({"web-4"}, {"web-4"})
    memory.note_names({"web-4"}, set())
    assert memory.unusable == {"web-4"}
    memory.note_names({"web-4"}, {"web-5"})
    assert memory.unusable == {"web-4"}


def test_names_that_the_ledger_no_longer_owes_are_forgotten() -> None:
    memory = Memory()
    memory.unusable.add("web-3")
    memory.note_names({"web-3", "web-4"}, {"web-4"})
    memory.note_names(set(), {"web-4"})
    assert memory.unusable == memory.seen == set()


def test_a_refused_delete_holds_its_own_instance_back_and_longer_each_time() -> None:
    memory = Memory()
    waits = []
    for _ in WAITS:
        memory.refuse_touch("web-1", T0)
        waits.append((memory.refused_until["web-1"] - T0) / SECOND)
    assert waits == WAITS
    assert memory.refused_until.keys() == {"web-1"}
    memory.refuse_touch("web-2", T0)
    assert memory.refused_until["web-2"] == T0 + 5 * SECOND


def test_a_refused_create_holds_all_creates_back_until_one_has_passed() -> None:
    memory = Memory()
    refused = Refused(Reason.CREATE_FORBIDDEN, "exceeded quota")
    now = T0
    for seconds in WAITS:
        memory.refuse_create(refused, now)
        until = now + seconds * SECOND
        assert memory.create_refused == (Reason.CREATE_FORBIDDEN, "exceeded quota", until)
        now = until
    memory.create_passed()
    assert memory.create_refused is None
    memory.refuse_create(refused, T0)
    assert memory.create_refused == (Reason.CREATE_FORBIDDEN, "exceeded quota", T0 + 5 * SECOND)


def test_creates_that_are_refused_together_wait_as_one() -> None:
    memory = Memory()
    for _ in range(500):
        memory.refuse_create(Refused(Reason.CREATE_FORBIDDEN, "exceeded quota"), T0)
    assert memory.create_refused == (Reason.CREATE_FORBIDDEN, "exceeded quota", T0 + 5 * SECOND)


def test_acts_that_could_not_be_carried_out_are_tried_ever_more_rarely() -> None:
    memory = Memory()
    waits = [(memory.note_acts(T0, done=False)[0] - T0) / SECOND for _ in range(12)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert memory.note_acts(T0, done=True) == ()
    assert memory.note_acts(T0, done=False) == (T0 + 0.5 * SECOND,)


def test_many_refusals_wait_no_longer_than_five_minutes() -> None:
    memory = Memory()
    for _ in range(5_000):
        memory.refuse_touch("web-1", T0)
    assert memory.refused_until["web-1"] == T0 + LONGEST_WAIT


def test_a_pod_that_is_over_is_noticed_once() -> None:
    memory = Memory()
    assert memory.note_over({"a"}, T0) == (T0,)
    assert memory.note_over({"a"}, T0 + SECOND) == (T0,)
    assert memory.note_over({"a", "b"}, T0 + 2 * SECOND) == (T0, T0 + 2 * SECOND)
    assert memory.note_over(set(), T0 + 3 * SECOND) == (T0, T0 + 2 * SECOND)


def test_pods_that_were_over_long_ago_are_forgotten() -> None:
    memory = Memory()
    memory.note_over({"a"}, T0)
    memory.note_over({"b"}, T0 + SECOND)
    assert memory.note_over(set(), T0 + OVER_LIFETIME) == (T0 + SECOND,)
    assert memory.note_over(set(), T0 + OVER_LIFETIME + SECOND) == ()


@pytest.mark.parametrize("many", [OVER_REMEMBERED, 5 * OVER_REMEMBERED])
def test_pods_that_stay_over_are_not_noticed_anew(many: int) -> None:
    """Else nothing would be created beside them for as long as their objects stay."""
    memory = Memory()
    uids = {f"uid-{number}" for number in range(many)}
    for seconds in range(5):
        seen = memory.note_over(uids, T0 + seconds * SECOND)
        assert seen == (T0,) * OVER_REMEMBERED
    for seconds in range(3):
        assert memory.note_over(uids, T0 + 2 * OVER_LIFETIME + seconds * SECOND) == ()


def test_a_pod_that_is_gone_is_not_remembered_for_ever() -> None:
    memory = Memory()
    for number in range(1_000):
        memory.note_over({f"uid-{number}"}, T0 + number * SECOND)
    assert len(memory.over) <= 2 * OVER_LIFETIME / SECOND


A, B, C = (Key("default", name) for name in "abc")


def test_the_fleet_counts_sets_and_the_witnesses_of_the_others() -> None:
    fleet = FleetBook()
    fleet.note(A, watched=True, silent=True, witness=True)
    fleet.note(B, watched=True, silent=True, witness=False)
    fleet.note(C, watched=False, silent=False, witness=False)
    assert fleet.seen_by(A) == Fleet(watched_sets=2, silent_sets=2, witnesses=0)
    assert fleet.seen_by(B) == Fleet(watched_sets=2, silent_sets=2, witnesses=1)


def test_the_fleet_follows_what_changes_and_forgets_what_is_gone() -> None:
    fleet = FleetBook()
    fleet.note(A, watched=True, silent=True, witness=True)
    fleet.note(A, watched=True, silent=False, witness=False)
    assert fleet.seen_by(B) == Fleet(watched_sets=1, silent_sets=0, witnesses=0)
    fleet.forget(A)
    assert fleet.seen_by(B) == Fleet()
