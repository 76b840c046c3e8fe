"""Names are given out once, and whoever has given one out knows whether its instance is to come."""

from typing import Any

import pytest

from scaleset_operator.core.naming import Names, is_behind
from tests.core._stories import entry, ledger
from tests.support.builders import instance, instances, observed
from tests.support.fake_clock import T0


@pytest.mark.parametrize(
    ("name", "number"), [("web-7", 7), ("my-web-12", 12), ("web-2-30", 30), ("9-1", 1)]
)
def test_the_id_is_what_stands_behind_the_last_dash(name: str, number: int) -> None:
    """A set's name may have dashes of its own."""
    assert Names.id_of(name) == number


@pytest.mark.parametrize(
    ("seen", "ownerless", "recorded", "name"),
    [(0, (), 0, "web-1"), (3, (), 2, "web-4"), (3, (), 9, "web-10"), (3, (5,), 4, "web-6")],
)
def test_no_name_is_given_out_twice(
    seen: int, ownerless: tuple[int, ...], recorded: int, name: str
) -> None:
    """R-56: behind every id that was recorded or seen, of pods without an owner too."""
    alone = tuple(instance(number=number) for number in ownerless)
    status = {"lastInstanceId": recorded}
    names = Names.of(observed(instances=instances(seen), adoptable=alone, status=status))
    assert names.take() == name
    assert names.take() != name
    assert names.last_id == Names.id_of(name) + 1


CREATING = {"name": "web-1", "updateDomain": 0, "model": "m1", "time": T0.isoformat()}
SURGE = {
    "model": "m1",
    "startTime": T0.isoformat(),
    "reason": "RollingOut",
    "surge": [{"instance": "web-0", "uid": "u", "replacement": "web-1", "model": "m1"}],
}
DOUBT = {"group": "set", "since": T0.isoformat(), "witness": "web-1"}


@pytest.mark.parametrize(
    ("status", "pods", "behind"),
    [
        ({"lastInstanceId": 0}, (), False),
        ({"lastInstanceId": 1}, (), True),
        ({"lastInstanceId": 1}, (1,), False),
        ({"lastInstanceId": 2}, (1,), True),
        ({"lastInstanceId": 1, "creating": [CREATING]}, (), False),
        ({"lastInstanceId": 1, "rollout": SURGE}, (), False),
        (ledger(entry(9, 1), last=1), (), False),
        (ledger(entry(9, 1), last=2), (), True),
        (ledger(doubts=[DOUBT], last=1), (), False),
    ],
)
def test_a_record_is_ahead_of_the_view_where_a_name_was_given_out_that_nobody_owes(
    status: dict[str, Any], pods: tuple[int, ...], *, behind: bool
) -> None:
    """R-16, protocol rule 24: only a live LIST tells whether that instance has gone."""
    seen = observed(instances=[instance(number=number) for number in pods], status=status)
    assert is_behind(seen) is behind
