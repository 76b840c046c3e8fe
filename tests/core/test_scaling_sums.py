"""What is missing and what is too many: the sums of one turn, and in which order they are met."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Observed
from scaleset_operator.core.scaling import Domains, Scaling, scale
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def scaled(replicas: int, seen: Observed, **spec: Any) -> Scaling:
    scene = Scene.of(scale_set_spec(replicas=replicas, **spec), seen, T0)
    return scale(scene, Names.of(seen), list(scene.entries), frozenset())


def owed(*numbers: int, domain: int = 0) -> dict[str, Any]:
    """These names were given out, and nothing stands under them yet."""
    rows = [{"name": f"web-{n}", "updateDomain": domain, "model": "m1"} for n in numbers]
    return {"lastInstanceId": max(numbers, default=0), "creating": rows}


def going(*numbers: int, purpose: str = "ScaleIn") -> list[dict[str, Any]]:
    return [{"name": f"web-{n}", "uid": f"uid-web-{n}", "purpose": purpose} for n in numbers]


def names(found: Scaling) -> tuple[list[str], list[str], list[str]]:
    """Created, removed, and whose repairs are given up."""
    creating = [one.name for one in found.creating]
    removing = [one.name for one in found.removing]
    assert all(end.message == "fewer instances are wanted" for end in found.closed)
    return creating, removing, [end.entry.instance for end in found.closed]


# --- Update domains ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domains", "flight", "smallest"),
    [
        ((), [], 0),
        ((0, 1, 2, 3, 4), [], 0),
        ((0, 1), [], 2),
        ((0, 1, 2, 3, 4, 0, 1), [], 2),
        ((1, 2, 3, 4), [entry(1, 61, deleted=T0) | {"updateDomain": 0}], 0),
        ((1, 2, 3), [entry(1, 61, deleted=T0) | {"updateDomain": 0}], 4),
        (
            (1, 2, 2, 3, 3, 4, 4, 1),
            [entry(n, 60 + n, deleted=T0) | {"updateDomain": 0} for n in (11, 12)],
            0,
        ),
        (
            (0, 1, 1, 2, 2, 3, 3, 4, 4),
            [entry(n, 60 + n, deleted=T0) | {"updateDomain": 0} for n in (11, 12)],
            1,
        ),
        ((0, 0, 1, 1, 2, 2, 3, 3, 4), [entry(1, 61) | {"updateDomain": 4}], 4),
    ],
)
def test_the_next_instance_goes_where_the_fewest_are_and_are_to_come(
    domains: tuple[int, ...], flight: list[dict[str, Any]], smallest: int
) -> None:
    """M-11: the lowest of equals; what a repair owes counts, what it has not taken does not."""
    gone = any("deletedTime" in row for row in flight)
    victims = () if gone or not flight else (instance(number=1, update_domain=0),)
    pods = tuple(instance(number=20 + n, update_domain=d) for n, d in enumerate(domains))
    seen = a_set(instances=(*pods, *victims), status=ledger(*flight, last=90))
    scene = Scene.of(scale_set_spec(), seen, T0)
    counted = Domains(scene, list(scene.entries))
    assert counted.smallest() == smallest
    assert counted.take() == smallest


def test_names_that_were_given_out_hold_their_domain() -> None:
    """M-11: of five domains, two are owed to the first."""
    found = scaled(8, a_set(5, status=owed(6, 7, domain=0)))
    assert [(one.name, one.update_domain) for one in found.creating] == [
        ("web-6", 0),
        ("web-7", 0),
        ("web-8", 1),
    ]


# --- What is missing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "seen", "missing"),
    [
        (5, a_set(5), 0),
        (7, a_set(5), 2),
        (7, a_set(5, status=owed(6)), 2),
        (6, a_set(5, status=owed(6)), 1),
        (8, a_set(5, adoptable=(instance(number=7),)), 2),
        (6, a_set(5, adoptable=(instance(number=7),)), 0),
        (5, a_set(instances=instances(5)[1:], status=ledger(entry(1, 6, deleted=T0))), 0),
        (6, a_set(instances=instances(5)[1:], status=ledger(entry(1, 6, deleted=T0))), 1),
    ],
)
def test_missing_is_what_is_wanted_and_neither_there_nor_owed_by_a_repair(
    replicas: int, seen: Observed, missing: int
) -> None:
    """Protocol rules 6 and 22: what was only named counts as missing until it is there."""
    assert scaled(replicas, seen).missing == missing


def test_a_set_that_has_what_it_wants_asks_for_no_list() -> None:
    """G9: though the record has given out later names than can be seen."""
    assert not scaled(5, a_set(5, status={"lastInstanceId": 9})).list_live
    assert scaled(6, a_set(5, status={"lastInstanceId": 9})).list_live


def test_a_wish_that_grows_spares_all_that_were_to_go_for_a_smaller_one() -> None:
    """Those of a rollout go all the same."""
    leaving = [*going(1), *going(2, purpose="Rollout"), *going(3)]
    assert names(scaled(6, a_set(5, status={"scaleIn": leaving})))[1] == ["web-2"]


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        ((), None),
        ((9, 6, 3), None),
        ((9, 7, 6, 3), 7),
        ((40, 39, 30, 22, 16), 4),
        ((90, 80, 70, 60, 50, 35), 5),
        ((90, 80, 70, 60, 50, 40, 39), 41),
        ((90, 80, 70, 60, 50, 40, 39, 30), 90),
        ((90, 80, 70, 60, 50, 40, 39, 30, 20), 100),
        ((9, 7, 6, 11), None),
    ],
)
def test_instances_that_keep_dying_are_made_up_for_after_ten_seconds_and_twice_as_many(
    ages: tuple[int, ...], wait: int | None
) -> None:
    """Design.md section 2: from the fourth within ten minutes on, counted from the newest."""
    deaths: tuple[datetime, ...] = tuple(T0 - age * SECOND for age in ages)
    found = scaled(6, a_set(5, recently_over=deaths))
    assert found.again == ([] if wait is None else [T0 + wait * SECOND])
    assert bool(found.creating) is (wait is None)


# --- What is too many --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "given_up", "removed"),
    [
        (9, [], []),
        (8, [], []),
        (7, [], []),
        (6, ["web-12"], []),
        (5, ["web-12", "web-11"], []),
        (4, ["web-12", "web-11"], ["web-5"]),
        (3, ["web-12", "web-11"], ["web-5", "web-4"]),
    ],
)
def test_names_are_given_up_first_then_the_youngest_repairs_then_instances_go(
    replicas: int, given_up: list[str], removed: list[str]
) -> None:
    """Protocol rule 24: five are there, two names are owed, and two repairs owe one each."""
    flight = [
        entry(11, 61, start=T0 - MINUTE, deleted=T0 - SECOND),
        entry(12, 62, start=T0 - SECOND, deleted=T0),
    ]
    status = ledger(*flight, last=62) | {"creating": owed(7, 8)["creating"]}
    found = scaled(replicas, a_set(5, status=status, listed=True))
    creating, removing, closed = names(found)
    assert creating == ["web-7", "web-8"][: max(0, replicas - 7)]
    assert (closed, sorted(removing, reverse=True)) == (given_up, removed)
    assert [e.instance for e in found.entries] == [
        name for name in ("web-11", "web-12") if name not in given_up
    ]
    assert found.missing == len(creating)


def test_before_the_list_nothing_that_is_owed_is_given_up_and_victims_stay_chosen() -> None:
    """Protocol rule 24: another operator may have made it."""
    status = owed(6, 7) | {"scaleIn": going(1)}
    found = scaled(5, a_set(5, status=status))
    assert names(found) == (["web-6", "web-7"], ["web-1"], [])
    assert found.list_live


def test_one_that_is_gone_or_protected_takes_none_of_those_behind_it_off_the_list() -> None:
    """R-47, protocol rule 24."""
    pods = (instance(number=1, protected_from_scale_in=True), *instances(6)[1:])
    status = {"scaleIn": [*going(9, 1, 2), *going(3, purpose="Rollout"), *going(4)]}
    assert names(scaled(4, a_set(instances=pods, status=status)))[1] == ["web-2", "web-3", "web-4"]
    assert names(scaled(5, a_set(instances=pods, status=status)))[1] == ["web-2", "web-3"]
    assert names(scaled(6, a_set(instances=pods, status=status)))[1] == ["web-3"]


def test_those_that_the_floor_holds_are_counted() -> None:
    """Protocol rule 22: twenty, of which four may be taken at once."""
    rolled = going(*range(1, 8), purpose="Rollout")
    pods = instances(20, model="m0")
    found = scaled(20, a_set(instances=pods, status={"scaleIn": rolled}))
    assert (len(found.removing), found.held) == (7, 3)
    assert len(found.acts) == 4
