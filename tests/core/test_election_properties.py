"""Several candidates through delays, losses, freezes and clocks at odds: never two, and always one.

The time is true time, which no candidate can see.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_election import Arena

STORM_S = 150.0
CALM_S = 25.0
"""A lease's length, a second for the process to begin, and a few for the requests."""
seeds = st.integers(0, 2**32)


def assert_at_most_one(arena: Arena) -> None:
    """Kept by its own name, for the broken variant is to fail here."""
    assert len(arena.believers()) <= 1, f"two lead at {arena.now:.3f} s: {arena.believers()}"


@given(seed=seeds, machines=st.integers(2, 3))
def test_two_candidates_never_both_believe_to_lead(seed: int, machines: int) -> None:
    """R-17: at the same true time, whatever happens to them."""
    arena = Arena(seed, machines)
    arena.run_until(STORM_S, lambda: assert_at_most_one(arena))


@given(seed=seeds, machines=st.integers(1, 3))
def test_somebody_leads_again_once_the_faults_are_over(seed: int, machines: int) -> None:
    arena = Arena(seed, machines)
    arena.run_until(STORM_S, lambda: None)
    arena.weather.bad = False
    # What was delayed or frozen before goes on being so; the longest of it is a freeze.
    arena.run_until(STORM_S + 40 + CALM_S, lambda: None)
    leader = arena.believers()
    assert len(leader) == 1

    def look() -> None:
        assert arena.believers() == leader, f"at {arena.now:.3f} s"

    arena.run_until(arena.now + 60, look)


def test_without_faults_one_leads_from_its_first_request_on_for_ever() -> None:
    arena = Arena(1, 2)
    arena.weather.bad = False
    arena.run_until(5, lambda: None)
    (first,) = arena.believers()
    arena.run_until(600, lambda: assert_at_most_one(arena))
    assert arena.believers() == [first]


def test_the_storm_is_one() -> None:
    """The property would hold of a calm as well: there are take-overs in it, and many."""
    taken = 0
    for seed in range(10):
        arena = Arena(seed, 2)
        arena.run_until(STORM_S, lambda: None)
        taken += 0 if arena.store.lease is None else arena.store.lease.record.transitions
    assert taken > 20
