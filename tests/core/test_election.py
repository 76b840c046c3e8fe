"""One candidate's steps: what it makes of a Lease, of each answer, and of none."""

from dataclasses import replace

import pytest

from scaleset_operator.core import election
from scaleset_operator.core.election import (
    NS,
    Candidate,
    LeaseRecord,
    Leave,
    Moment,
    Read,
    Seen,
    Standing,
    Step,
    Wait,
    Write,
    has_failed,
    next_step,
    released,
    was_read,
    was_refused,
    was_written,
)

ME = "here_1"
OTHER = "there_2"
NOW = 500 * NS
"""Of our clock: the machine has been up for a while."""


def lease(holder: str = OTHER, renewed: str = "r1", version: str = "7", **fields: object) -> Seen:
    record = LeaseRecord(holder=holder, lasts_s=15, acquired="a1", renewed=renewed, transitions=3)
    known = {k: v for k, v in fields.items() if k == "vantage"}
    kept = replace(record, **{k: v for k, v in fields.items() if k not in known})  # type: ignore[arg-type]
    return Seen(record=kept, version=version, **known)  # type: ignore[arg-type]


def newcomer(address: str = "") -> Standing:
    return Standing(candidate=Candidate(identity=ME, address=address))


def leader(sent: int = NOW) -> Standing:
    """One that has just taken the lease."""
    return was_written(newcomer(), lease(ME), sent, sent)


def step(standing: Standing, at: int, *, fit: bool = True, deaf: str = "") -> Step:
    return next_step(standing, Moment(at=at, stamp="now", fit=fit, deaf=deaf))


def written(standing: Standing, at: int, *, deaf: str = "") -> Seen:
    chosen = step(standing, at, deaf=deaf)
    assert isinstance(chosen, Write)
    return chosen.lease


def test_the_first_candidate_of_all_makes_the_lease() -> None:
    assert step(newcomer(), NOW) == Read()
    made = written(was_read(newcomer(), None, NOW), NOW)
    assert made.version == ""
    assert made.record == LeaseRecord(
        holder=ME, lasts_s=15, acquired="now", renewed="now", transitions=0
    )


def test_times_are_nanoseconds() -> None:
    """As CLOCK_BOOTTIME counts them."""
    assert leader(sent=0).leads_until == 10_000_000_000


def test_nobody_leads_before_its_write_was_accepted() -> None:
    standing = was_read(newcomer(), None, NOW)
    assert standing.leads_until is None
    after = was_written(standing, lease(ME), NOW, NOW + NS)
    assert after.leads_until == NOW + 10 * NS, "counted from when it was sent"


def test_a_lease_that_was_given_back_is_taken_at_once_on_its_version() -> None:
    taken = written(was_read(newcomer(), lease("", version="9"), NOW), NOW)
    assert (taken.version, taken.record.holder, taken.record.transitions) == ("9", ME, 4)


def test_a_record_is_over_once_it_stood_unchanged_for_its_time_on_our_own_clock() -> None:
    """X-10: whatever the holder's clock wrote into it."""
    seen = newcomer()
    for second in range(15):
        seen = was_read(seen, lease(renewed="1970-01-01T00:00:00.000000Z"), NOW + second * NS)
        assert not isinstance(step(seen, NOW + second * NS), Write), second
    assert written(seen, NOW + 15 * NS).record.holder == ME


def test_a_record_that_changes_begins_anew_and_a_version_alone_does_not() -> None:
    """Somebody who only annotates the Lease renews it for nobody."""
    seen = was_read(newcomer(), lease(), NOW)
    annotated = was_read(seen, lease(version="8"), NOW + 10 * NS)
    assert isinstance(step(annotated, NOW + 15 * NS), Write)
    renewed = was_read(seen, lease(renewed="r2", version="8"), NOW + 10 * NS)
    assert not isinstance(step(renewed, NOW + 24 * NS), Write)
    assert isinstance(step(renewed, NOW + 25 * NS), Write)


@pytest.mark.parametrize(("asked", "waited"), [(1, 15), (15, 15), (40, 40), (10**6, 60)])
def test_a_holder_may_ask_for_more_time_within_reason_and_never_for_less(
    asked: int, waited: int
) -> None:
    seen = was_read(newcomer(), lease(lasts_s=asked), NOW)
    assert seen.free_at == NOW + waited * NS


def test_a_standby_looks_twice_a_second_and_at_the_very_end_of_a_lease() -> None:
    seen = was_read(newcomer(), lease(), NOW)
    assert step(seen, NOW) == Wait(NOW + NS // 2)
    assert step(seen, NOW + NS // 2) == Read()
    late = was_read(seen, lease(), NOW + 15 * NS - NS // 10)
    assert step(late, NOW + 15 * NS - NS // 10) == Wait(NOW + 15 * NS)


def test_a_leader_renews_every_two_seconds_on_the_version_it_knows() -> None:
    standing = leader()
    assert step(standing, NOW) == Wait(NOW + 2 * NS)
    again = written(standing, NOW + 2 * NS)
    assert again == lease(ME, renewed="now"), "nothing but the time of renewal differs"


def test_a_leader_that_could_not_renew_for_ten_seconds_leaves() -> None:
    standing = leader()
    for second in (2, 4, 6, 8):
        standing = has_failed(standing, NOW + second * NS)
    assert isinstance(step(standing, NOW + 10 * NS - 1), Read)
    assert step(standing, NOW + 10 * NS) == Leave("the lease could not be renewed for 10 s")


def test_a_leader_whose_name_was_taken_off_writes_it_again() -> None:
    """Nobody else holds the lease: that is no reason to leave."""
    cleared = was_read(was_refused(leader(), NOW + 2 * NS), lease("", version="8"), NOW + 2 * NS)
    assert written(cleared, NOW + 2 * NS).version == "8"


def test_who_has_made_the_lease_is_its_holder() -> None:
    made = was_written(was_read(newcomer(), None, NOW), lease(ME), NOW, NOW)
    assert (made.holder, made.missing) == (ME, False)
    assert written(made, NOW + 2 * NS).version == lease(ME).version


def test_a_leader_that_slept_past_its_time_leaves_before_anything_else() -> None:
    """A process that was stopped and goes on: also an answer that waited for it changes nothing."""
    standing = leader()
    assert isinstance(step(standing, NOW + 3600 * NS), Leave)
    answered = was_written(standing, lease(ME), NOW + 2 * NS, NOW + 3600 * NS)
    assert isinstance(step(answered, NOW + 3600 * NS), Leave)


def test_a_candidate_whose_first_write_was_answered_too_late_does_not_begin() -> None:
    standing = was_read(newcomer(), None, NOW)
    late = was_written(standing, lease(ME), NOW, NOW + 10 * NS)
    assert late.leads_until is None
    again = was_written(late, written(late, NOW + 10 * NS), NOW + 10 * NS, NOW + 11 * NS)
    assert again.leads_until == NOW + 20 * NS


def test_a_write_without_an_answer_may_have_been_carried_out_and_is_looked_for() -> None:
    lost = has_failed(was_read(newcomer(), None, NOW), NOW + 3 * NS)
    assert step(lost, NOW + 3 * NS) == Wait(NOW + 4 * NS)
    assert step(lost, NOW + 4 * NS) == Read()
    found = was_read(lost, lease(ME), NOW + 5 * NS)
    assert found.leads_until is None, "the answer that counts is that to a write"
    assert written(found, NOW + 5 * NS).record.holder == ME


def test_a_conflict_is_read_at_once_and_ends_a_leader_only_where_another_one_holds_it() -> None:
    standing = was_refused(leader(), NOW + 2 * NS)
    assert step(standing, NOW + 2 * NS) == Read()
    annotated = was_read(standing, lease(ME, version="8", vantage="there:1"), NOW + 2 * NS)
    assert written(annotated, NOW + 2 * NS).version == "8"
    stolen = was_read(standing, lease(OTHER, version="8"), NOW + 2 * NS)
    gone = step(stolen, NOW + 2 * NS)
    assert isinstance(gone, Leave)
    assert OTHER in gone.why


def test_a_leader_whose_lease_was_deleted_makes_it_again() -> None:
    missing = was_read(was_refused(leader(), NOW + 2 * NS), None, NOW + 2 * NS)
    made = written(missing, NOW + 2 * NS)
    assert (made.version, made.record.holder, made.record.acquired) == ("", ME, "a1")


def test_a_standby_that_knew_a_holder_gives_it_its_time_when_the_lease_is_deleted() -> None:
    """It may lead on, and would make the Lease again within two seconds."""
    seen = was_read(newcomer(), lease(), NOW)
    for second in (10, 11, 20):
        seen = was_read(seen, None, NOW + second * NS)
        assert not isinstance(step(seen, NOW + second * NS), Write), second
    assert written(seen, NOW + 25 * NS).version == ""
    back = was_read(seen, lease(), NOW + 21 * NS)
    assert back.free_at == NOW + 36 * NS, "seen anew"


def test_a_lease_that_is_given_back_names_nobody_and_is_short() -> None:
    """As client-go writes it; what is not ours is not given back."""
    back = released(leader(), "now")
    assert back == lease("", renewed="now", acquired="now", lasts_s=1)
    assert released(newcomer(), "now") is None
    assert released(was_read(newcomer(), lease(), NOW), "now") is None


def test_who_does_not_do_its_work_neither_takes_nor_keeps_the_place() -> None:
    free = was_read(newcomer(), lease(""), NOW)
    assert step(free, NOW, fit=False) == Wait(NOW + NS)
    standing = leader()
    assert step(standing, NOW + 2 * NS, fit=False) == Wait(NOW + 3 * NS)
    assert step(standing, NOW + 9 * NS + 1, fit=False) == Wait(NOW + 10 * NS)
    assert isinstance(step(standing, NOW + 10 * NS, fit=False), Leave)


def test_a_standby_takes_the_place_of_the_second_vantage_where_it_is_free() -> None:
    standing = newcomer("here:8081")
    offered = written(was_read(standing, lease(), NOW), NOW)
    assert offered == lease(vantage="here:8081"), "the record stays as it is"
    seen = was_written(was_read(standing, lease(), NOW), offered, NOW, NOW)
    assert (seen.leads_until, step(seen, NOW)) == (None, Wait(NOW + NS // 2))
    taken = was_read(standing, lease(vantage="third:8081"), NOW)
    assert isinstance(step(taken, NOW), Wait)
    assert isinstance(step(was_read(newcomer(), lease(), NOW), NOW), Wait), "nowhere to be asked"


def test_an_offer_does_not_renew_the_lease_for_a_leader_that_is_dead() -> None:
    standing = was_read(newcomer("here:8081"), lease(), NOW)
    seen = was_written(standing, written(standing, NOW), NOW + 5 * NS, NOW + 5 * NS)
    assert seen.free_at == NOW + 15 * NS


def test_a_leader_keeps_the_vantage_and_clears_its_own_and_one_that_is_deaf() -> None:
    standing = was_read(newcomer("here:8081"), lease("", vantage="here:8081"), NOW)
    assert written(standing, NOW).vantage == ""
    kept = was_written(newcomer("here:8081"), lease(ME, vantage="there:8081"), NOW, NOW)
    assert written(kept, NOW + 2 * NS).vantage == "there:8081"
    assert written(kept, NOW + 2 * NS, deaf="there:8081").vantage == ""
    assert written(kept, NOW + 2 * NS, deaf="third:8081").vantage == "there:8081"


def test_a_lease_that_was_deleted_has_no_place_to_offer_oneself_for() -> None:
    """It would be written on the version of one that is gone."""
    standing = was_read(newcomer("here:8081"), lease(), NOW)
    deleted = was_read(standing, None, NOW + NS)
    assert step(deleted, NOW + NS) == Wait(NOW + NS + NS // 2)


@pytest.mark.parametrize("found", [None, lease("")])
def test_what_is_nobody_s_is_taken_from_the_first_moment_of_the_clock_on(
    found: Seen | None,
) -> None:
    standing = was_read(newcomer(), found, 0)
    assert written(standing, 0).record.holder == ME


def test_the_holder_is_told_as_long_as_the_lease_is_there() -> None:
    seen = was_read(newcomer(), lease(), NOW)
    assert (newcomer().holder, seen.holder, was_read(seen, None, NOW).holder) == ("", OTHER, "")


def test_a_leader_stops_before_a_standby_may_begin() -> None:
    assert election.LEAD_S < election.LEASE_S <= election.LONGEST_LEASE_S
    assert 3 * election.REQUEST_S < election.LEAD_S
