"""When a set's view is good enough to act on (X-07), and who is woken when it becomes so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaleset_operator.adapters.cluster.freshness import EXPECTED_FOR_S, Freshness
from scaleset_operator.reconciler.ports import Key
from tests.adapters.cluster.objects import OWNER, WEB


class Bench:
    """What is looked at, its clock, and who was woken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.woken: list[Key] = []
        self.freshness = Freshness(self.woken.append, monotonic=lambda: self.now)

    def fresh(self, *, in_touch: bool = True) -> bool:
        return self.freshness.of(OWNER, in_touch=in_touch)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_set_that_was_not_written_is_fresh_while_in_touch(bench: Bench) -> None:
    assert bench.fresh()
    assert not bench.fresh(in_touch=False)


def test_a_write_is_waited_for_until_the_watch_is_past_it(bench: Bench) -> None:
    bench.freshness.expect(OWNER, 10)
    assert not bench.fresh()
    bench.freshness.reached(9, scope="")
    assert not bench.fresh()
    assert bench.woken == []
    bench.freshness.reached(12, scope="")
    assert bench.fresh()
    assert bench.woken == [WEB]


def test_the_last_of_several_writes_is_waited_for(bench: Bench) -> None:
    bench.freshness.expect(OWNER, 10)
    bench.freshness.expect(OWNER, 12)
    bench.freshness.expect(OWNER, 11)
    bench.freshness.reached(11, scope="default")
    assert not bench.fresh()
    bench.freshness.reached(12, scope="default")
    assert bench.fresh()


def test_another_namespaces_watch_says_nothing(bench: Bench) -> None:
    bench.freshness.expect(OWNER, 10)
    bench.freshness.reached(12, scope="other")
    assert not bench.fresh()


def test_the_write_of_one_set_does_not_hold_up_another(bench: Bench) -> None:
    bench.freshness.expect(OWNER, 10)
    other = replace(OWNER, key=Key("default", "db"), uid="uid-of-db")
    assert bench.freshness.of(other, in_touch=True)


def test_a_write_that_never_shows_is_given_up(bench: Bench) -> None:
    bench.freshness.expect(OWNER, 10)
    bench.now += EXPECTED_FOR_S - 1
    assert not bench.fresh()
    bench.now += 1
    assert bench.fresh()
    bench.freshness.reached(5, scope="")
    assert bench.woken == [WEB]


def test_whoever_asked_while_out_of_touch_is_woken_when_that_ends(bench: Bench) -> None:
    bench.fresh(in_touch=False)
    bench.fresh(in_touch=False)
    bench.freshness.in_touch(scope="other")
    assert bench.woken == []
    bench.freshness.in_touch(scope="")
    bench.freshness.in_touch(scope="")
    assert bench.woken == [WEB]
