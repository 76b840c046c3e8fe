"""The model of flows and ports: what uses a port, when it frees, and what retries do."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.portblocks import PortBlock
from scaleset_operator.core.snat import Configuration, Protocol, Retry, Triple, recovered
from tests.support.fake_clock import T0

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DATABASE = Triple("203.0.113.5", 443)


def configuration(ports: int) -> Configuration:
    return Configuration(PortBlock("192.0.2.10", 1024, 1023 + ports))


def other(number: int) -> Triple:
    return Triple(f"203.0.113.{number}", 443)


@given(k=st.integers(1, 60))
def test_flows_to_one_destination_use_a_port_each_and_to_many_one(k: int) -> None:
    """S-13."""
    one, many = configuration(64), configuration(64)
    assert len({f.port for f in [one.open(DATABASE, T0) for _ in range(k)] if f}) == k
    assert len({f.port for f in [many.open(other(n), T0) for n in range(k)] if f}) == 1
    assert (one.ports_needed(T0), many.ports_needed(T0)) == (k, 1)


def test_the_ports_needed_are_those_of_the_busiest_destination() -> None:
    """S-14: 500, 200 and 10 need 500, not 710."""
    made = configuration(512)
    for number, count in enumerate((500, 200, 10)):
        for _ in range(count):
            assert made.open(other(number), T0) is not None
    assert len(made.flows(T0)) == 710
    assert made.ports_needed(T0) == 500


@pytest.mark.parametrize(
    "second",
    [
        DATABASE._replace(address="203.0.113.6"),
        DATABASE._replace(port=80),
        DATABASE._replace(protocol=Protocol.UDP),
    ],
)
def test_a_destination_that_differs_in_any_part_does_not_compete(second: Triple) -> None:
    """S-15."""
    made = configuration(1)
    assert made.open(DATABASE, T0) is not None
    assert made.open(DATABASE, T0) is None
    assert made.open(second, T0) is not None


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "close", "use"]), st.integers(0, 3), st.integers(0, 5 * 60)),
    max_size=60,
)


@given(steps=STEPS, ports=st.integers(1, 4))
def test_no_two_open_flows_have_the_same_five_parts(
    steps: list[tuple[str, int, int]], ports: int
) -> None:
    """S-16, S-12: whatever opens, closes and waits; and a flow fails only when all are taken."""
    made, now = configuration(ports), T0
    known = []
    for what, number, wait in steps:
        now += wait * SECOND
        if what == "open":
            before = sum(flow.to == other(number) for flow in made.flows(now))
            flow = made.open(other(number), now)
            assert (flow is None) == (before == ports)
            known += [flow] if flow else []
        elif known and what == "close":
            made.close(known[number % len(known)])
        elif known:
            made.use(known[number % len(known)], now)
        parts = [(flow.port, flow.to) for flow in made.flows(now)]
        assert len(parts) == len(set(parts))
        assert {port for port, _ in parts} <= set(range(1024, 1024 + ports))


def test_at_exhaustion_new_flows_fail_until_one_frees_and_the_others_go_on() -> None:
    """S-12, S-17."""
    made = configuration(2)
    first, second = made.open(DATABASE, T0), made.open(DATABASE, T0)
    assert first is not None
    assert second is not None
    assert made.open(DATABASE, T0) is None
    assert made.use(first, T0)
    assert made.use(second, T0)
    made.close(first)
    again = made.open(DATABASE, T0)
    assert again is not None
    assert again.port == first.port
    made.close(first)  # Over since long: its port is another flow's now.
    assert made.use(again, T0)


def test_a_neighbours_free_ports_do_not_help() -> None:
    """S-18."""
    mine, neighbours = configuration(1), configuration(8)
    assert mine.open(DATABASE, T0) is not None
    assert mine.open(DATABASE, T0) is None
    assert neighbours.ports_needed(T0) == 0


def test_a_port_frees_after_four_idle_minutes_from_the_last_use() -> None:
    """S-19: the four minutes are counted from the last use and not from the start."""
    made = configuration(1)
    flow = made.open(DATABASE, T0)
    assert flow is not None
    assert made.use(flow, T0 + 3 * MINUTE)
    assert made.open(DATABASE, T0 + 7 * MINUTE - SECOND) is None
    assert made.open(DATABASE, T0 + 7 * MINUTE) is not None
    assert not made.use(flow, T0 + 7 * MINUTE)


def test_a_keepalive_renews_for_as_long_as_it_comes() -> None:
    """S-19."""
    made = configuration(1)
    flow = made.open(DATABASE, T0)
    assert flow is not None
    assert all(made.use(flow, T0 + n * 3 * MINUTE) for n in range(1, 40))


def exhausted() -> Configuration:
    """120 ports, all taken by attempts that nobody answered, four a second, and never closed."""
    made = configuration(120)
    for number in range(120):
        assert made.open(DATABASE, T0 + number * SECOND / 4) is not None
    return made


STARTS = [T0 + 30 * SECOND + number * SECOND / 4 for number in range(4)]


def test_hasty_retries_keep_exhaustion_alive_and_backing_off_ends_it() -> None:
    """S-20: the same ports and callers; only the pauses differ.

    Each port that frees is taken at once by an attempt that needs a second one, and gives up.
    """
    day = T0 + 24 * HOUR
    hasty = Retry(first=SECOND)
    gentle = Retry(first=SECOND, factor=2, longest=10 * MINUTE)
    stuck = exhausted()
    assert recovered(stuck, DATABASE, STARTS, hasty, needs=2, until=T0 + 2 * HOUR) is None
    assert stuck.ports_needed(T0 + 2 * HOUR) == 120
    end = recovered(exhausted(), DATABASE, STARTS, gentle, needs=2, until=day)
    assert end is not None
    assert end < T0 + 10 * MINUTE


@given(failures=st.integers(1, 200))
def test_waits_grow_to_the_longest_and_no_further(failures: int) -> None:
    """S-20."""
    gentle = Retry(first=SECOND, factor=2, longest=10 * MINUTE)
    grown = 10 * MINUTE if failures > 10 else SECOND * 2 ** (failures - 1)
    assert gentle.wait(failures) == grown
    assert Retry(first=SECOND).wait(failures) == SECOND


def test_callers_that_find_ports_are_done_at_once() -> None:
    made = configuration(8)
    end = recovered(made, DATABASE, STARTS, Retry(first=SECOND), needs=8, until=T0 + HOUR)
    assert end == STARTS[-1]
    assert made.ports_needed(STARTS[-1]) == 0
