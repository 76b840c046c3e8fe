"""One turn of the renewals of a rollout: which go on, what each waits for (rules 10 and 22)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.rolloutstatus import Renewal
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.rollout import roll_out
from scaleset_operator.core.rollout_inplace import Renewals, carry_on, may_write
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from tests.core._stories import wrong
from tests.core.test_rollout_inplace import (
    NEWER,
    OTHER,
    PATCHED,
    outdated,
    pods,
    spec,
    step,
    under_way,
    view,
)
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)


def turn(
    *steps: dict[str, Any], first: Instance | None = None, size: int = 17, **fields: Any
) -> Renewals:
    """What becomes of the renewals; of seventeen the floor of twenty spares one."""
    some = pods(size)
    shown = some if first is None else (first, *some[1:])
    read = fields.pop("read", {"web-1", "web-2", "web-3"})
    seen = outdated(instances=shown, status=under_way(*steps), live_reads=frozenset(read), **fields)
    return carry_on(Scene.of(spec(), seen, T0), set())


def kept(found: Renewals) -> list[str]:
    return [one.instance for one in found.steps]


def patched(found: Renewals) -> list[str]:
    return [act.name for act in found.acts]


def test_those_behind_one_that_has_gone_go_on() -> None:
    """Protocol rule 6: it is made up for like any other."""
    gone = replace(pods()[0], terminating=True)
    found = turn(step(1), step(2), first=gone, size=18)
    assert (kept(found), patched(found)) == (["web-2"], ["web-2"])


def test_each_takes_one_that_the_floor_spares() -> None:
    """Protocol rule 22: the second is held, and looked at again when its record may end."""
    found = turn(step(1), step(2))
    assert (kept(found), patched(found)) == (["web-1", "web-2"], ["web-1"])
    assert found.again == [T0 + 6 * SECOND]
    assert patched(turn(step(1), step(2), size=18)) == ["web-1", "web-2"]
    assert not patched(turn(step(1), step(2), size=16))


def test_one_that_is_not_patched_takes_nothing_from_the_others() -> None:
    """Protocol rule 22: not read yet, out of time, superseded, or patched before."""
    unread = turn(step(1), step(2), read={"web-2"})
    assert (unread.reads, kept(unread)) == ({"web-1"}, ["web-1", "web-2"])
    assert patched(unread) == ["web-2"]
    late = turn(step(1, start=T0 - 7 * SECOND), step(2))
    assert (kept(late), patched(late)) == (["web-2"], ["web-2"])
    held = turn(step(1, start=T0 - 6 * SECOND), step(2))
    assert (kept(held), patched(held)) == (["web-1", "web-2"], ["web-2"])
    before = turn(step(1), step(2), first=replace(pods()[0], **PATCHED), size=18)
    assert (kept(before), patched(before)) == (["web-1", "web-2"], ["web-2"])


def test_those_that_have_not_shown_themselves_are_waited_for() -> None:
    """X-11: recorded, or patched and not heard since; one that runs anew is only held."""
    young = replace(pods()[0], **PATCHED)
    runs = replace(young, renewing=False, started=T0 - SECOND, published=None)
    assert turn(step(1), read=set()).waiting == ["web-1"]
    assert turn(step(1)).waiting == ["web-1"]
    patched_now = turn(step(1), first=young)
    assert (patched_now.waiting, patched_now.again) == (["web-1"], [T0 + 1800 * SECOND])
    assert turn(step(1), first=replace(young, started=T0)).waiting == ["web-1"]
    assert turn(step(1), first=runs).waiting == []
    assert kept(turn(step(1), first=runs)) == ["web-1"]


@pytest.mark.parametrize(
    ("of_step", "of_pod", "of_set", "written"),
    [
        ({}, {}, {}, True),
        ({"model": NEWER}, {}, {}, False),
        ({}, {"model": OTHER}, {}, False),
        ({}, {}, {"template": view(checked=False)}, False),
        ({}, {}, {"template": view(fault=Reason.INVALID_TEMPLATE)}, False),
        ({}, {}, {"overlaps_with": "older"}, False),
        ({"start": T0 - 5 * SECOND}, {}, {}, False),
        ({}, {"protected_from_actions": True}, {}, False),
        ({"model": OTHER}, {}, {"template": view(OTHER)}, False),
    ],
)
def test_a_patch_is_sent_only_where_all_is_as_it_was_recorded(
    of_step: dict[str, Any], of_pod: dict[str, Any], of_set: dict[str, Any], *, written: bool
) -> None:
    """Protocol rules 5 and 10, R-47: for the latest model, within five seconds."""
    recorded = Renewal.model_validate(step(1, **of_step))
    first = replace(pods()[0], **of_pod)
    scene = Scene.of(spec(), outdated(**of_set), T0)
    assert may_write(scene, recorded, first) is written


def test_the_lost_and_the_others_of_a_batch_are_renewed_together() -> None:
    """Protocol rule 22: of four, two that are ill and two that the floor spares."""
    seen = outdated(bad=wrong(19, 20))
    found = roll_out(Scene.of(spec(), seen, T0), Names.of(seen), Scaling(), [])
    assert [one.instance for one in found.renewals] == ["web-19", "web-20", "web-1", "web-6"]
    assert not found.taken
