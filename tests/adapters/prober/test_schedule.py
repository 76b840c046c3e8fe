"""When targets are due: spread, jittered, and never all at once."""

import uuid
import zlib

from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.adapters.prober.schedule import TICK_BITS, Wheel, first_due, next_due

SECOND = 1_000_000_000
SEEDS = st.integers(0, 2**32 - 1)
INTERVALS = st.integers(SECOND // 100, 3600 * SECOND)
MOMENTS = st.integers(0, 10**18)


def seeds(count: int) -> list[int]:
    return [zlib.crc32(str(uuid.UUID(int=at * 7919)).encode()) for at in range(count)]


def test_ten_thousand_targets_are_spread_over_the_interval() -> None:
    """P-26, P-27: no shared tick."""
    slices = [0] * 50
    for seed in seeds(10_000):
        slices[next_due(10**15, 5 * SECOND, seed) % (5 * SECOND) * 50 // (5 * SECOND)] += 1
    assert min(slices) > 120
    assert max(slices) < 280


def test_new_targets_are_spread_over_a_second() -> None:
    """P-27: a thousand pods that come at once are not probed at once."""
    slices = [0] * 10
    for seed in seeds(1_000):
        slices[first_due(0, 15 * SECOND, seed) * 10 // SECOND] += 1
    assert min(slices) > 60


@given(MOMENTS, INTERVALS, SEEDS)
def test_a_new_target_is_tried_within_a_second_and_within_its_interval(
    now: int, interval: int, seed: int
) -> None:
    assert 0 <= first_due(now, interval, seed) - now <= min(interval, SECOND)


@given(MOMENTS, INTERVALS, SEEDS)
def test_the_gap_is_one_interval_give_or_take_the_jitter(
    now: int, interval: int, seed: int
) -> None:
    """P-27: 2 % to either side, so 4 % from one to the next."""
    due = next_due(now, interval, seed)
    following = next_due(due, interval, seed)
    assert abs(following - due - interval) <= interval * 4 // 100 + 1


@given(MOMENTS, INTERVALS, SEEDS)
def test_the_first_gap_is_half_to_one_and_a_half_intervals(
    now: int, interval: int, seed: int
) -> None:
    """P-12: at the defaults two probes still fit into the timeout."""
    gap = next_due(now, interval, seed) - now
    assert interval * 48 // 100 - 1 <= gap <= interval * 152 // 100 + 1


def test_the_jitter_moves_and_the_place_stays() -> None:
    """P-27: two targets never keep step for ever, and none drifts."""
    seed, interval = 0x12345678, 5 * SECOND
    place = seed * interval >> 32
    due, offsets = 10**15, []
    for _ in range(200):
        due = next_due(due, interval, seed)
        offset = (due - place) % interval
        offsets.append(offset if offset < interval // 2 else offset - interval)
    assert max(abs(offset) for offset in offsets) <= interval * 2 // 100
    assert len(set(offsets)) > 150
    assert min(offsets) < 0 < max(offsets)


@given(st.lists(st.integers(0, 10**10), max_size=50), st.integers(0, 10**10))
def test_the_wheel_gives_back_what_is_due_and_nothing_before(whens: list[int], now: int) -> None:
    wheel: Wheel[int] = Wheel()
    for when in whens:
        wheel.add(when, when)
    tick = 1 << TICK_BITS

    due = wheel.due(now)

    assert all(when <= now for when in due)
    assert all(when > now - tick for when in whens if when not in due)
    left = [when for when in whens if when not in due]
    following = wheel.next_ns()
    assert (following is None) == (not left)
    if following is not None:
        assert min(left) <= following < min(left) + tick
        assert sorted(due + wheel.due(10**11)) == sorted(whens)
