"""Whose turn it is in a pair: who wants it, who may take it, and when it is given up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenanceledger import SetIteration, Stop
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.pairturn import next_turn, pair_of, turn_for, turn_of_another, wants
from tests.api.manifests import WINDOW, manifest
from tests.support.builders import T0

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EAST, WEST, PAIR = "shop/east", "shop/west", "a-pair"
LATER = T0 + timedelta(hours=1)
NONE, OWNERS, OURS = ActiveWindow.NONE, ActiveWindow.SELF_SERVICE, ActiveWindow.SCHEDULED
HELD, RELEASING = PairState.HELD, PairState.RELEASING


def row(**fields: Any) -> SetIteration:
    return SetIteration(window="east", iteration=1, mark="east/1", **fields)


def turn(holder: str, state: PairState = HELD) -> PairTurn:
    return PairTurn(holder=holder, state=state, pair=PAIR, time=T0)


def following(
    before: PairTurn | None, wanting: Sequence[str], busy: Collection[str] | None = None
) -> tuple[str, PairState] | None:
    """Who has it next, and how."""
    after = next_turn(before, wanting, pair=PAIR, busy=busy, now=LATER)
    if after is None:
        return None
    assert after.pair == PAIR
    same = before is not None and (before.holder, before.state) == (after.holder, after.state)
    assert after.time == (T0 if same else LATER), "since when it is so"
    return after.holder, after.state


STOPPED = Stop(reason=Reason.MAINTENANCE_STOPPED, message="web-7", time=T0)


@pytest.mark.parametrize(
    ("rows", "phase", "held", "expected"),
    [
        ([], OURS, False, False),
        ([row(pending=1)], OURS, False, True),
        ([row(), row(pending=1)], OURS, False, True),
        ([row(pending=1)], OWNERS, False, False),
        ([row(pending=1)], NONE, False, False),
        ([row(pending=1)], OURS, True, False),
        ([row(pending=1, stopped=STOPPED)], OURS, False, False),
        ([row(pending=1, stopped=STOPPED), row(pending=1)], OURS, False, True),
        ([row(pending=1, asked=1)], OWNERS, False, True),
        ([row(asked=1)], OURS, False, False),
        ([row(asked=1)], NONE, False, False),
        ([row(asked=1)], OWNERS, True, False),
        ([row(in_progress=1)], NONE, False, True),
        ([row(in_progress=1)], OURS, True, True),
        ([row(in_progress=1, stopped=STOPPED)], NONE, True, True),
        ([row(), row(in_progress=1)], NONE, False, True),
    ],
)
def test_a_window_wants_its_turn_while_it_has_work_that_may_be_done(
    rows: list[SetIteration], phase: ActiveWindow, *, held: bool, expected: bool
) -> None:
    """M-17, M-25: what has started keeps it; what may not start leaves it to the other side."""
    assert wants(rows, phase, held=held) is expected


@pytest.mark.parametrize(
    ("before", "wanting", "busy", "after"),
    [
        # Free: taken by the first in line, once the other side was seen at rest.
        (None, [], None, None),
        (None, [], set(), None),
        (None, [EAST], set(), (EAST, HELD)),
        (None, [WEST, EAST], set(), (WEST, HELD)),
        (None, [EAST], None, None),
        # Lost with its window, or by an edit: one of the two may be at work all the same.
        (None, [EAST], {WEST}, None),
        (None, [EAST, WEST], {WEST}, (WEST, HELD)),
        (None, [EAST], {EAST}, (EAST, HELD)),
        (None, [EAST, WEST], {EAST, WEST}, None),
        # Held: as long as it is wanted, whoever else wants it.
        (turn(WEST), [WEST], None, (WEST, HELD)),
        (turn(WEST), [EAST, WEST], None, (WEST, HELD)),
        (turn(WEST), [EAST], None, (WEST, RELEASING)),
        (turn(WEST), [], set(), (WEST, RELEASING)),
        # Given up: only once nobody of the holder is under maintenance, read after that was said.
        (turn(WEST, RELEASING), [EAST], None, (WEST, RELEASING)),
        (turn(WEST, RELEASING), [EAST], {WEST}, (WEST, RELEASING)),
        (turn(WEST, RELEASING), [], {WEST}, (WEST, RELEASING)),
        (turn(WEST, RELEASING), [EAST], set(), (EAST, HELD)),
        (turn(WEST, RELEASING), [EAST], {EAST}, (EAST, HELD)),
        (turn(WEST, RELEASING), [], set(), None),
        (turn(WEST, RELEASING), [EAST, WEST], None, (WEST, HELD)),
    ],
)
def test_the_turn_goes_from_one_that_is_at_rest_to_one_that_wants_it(
    before: PairTurn | None,
    wanting: list[str],
    busy: set[str] | None,
    after: tuple[str, PairState] | None,
) -> None:
    """M-17."""
    assert following(before, wanting, busy) == after


@pytest.mark.parametrize(
    ("stands", "said"),
    [
        (None, "nobody of the pair has its turn yet"),
        (turn(WEST), "shop/west has its turn"),
        (turn(WEST, RELEASING), "shop/west has its turn"),
        (turn(EAST, RELEASING), "its turn is being given up"),
        (turn(EAST), ""),
    ],
)
def test_whose_turn_it_is_instead_is_said(stands: PairTurn | None, said: str) -> None:
    """M-17, V-27: and only one that is held lets its holder begin."""
    assert turn_of_another(stands, EAST) == said


def window(name: str, *, uid: str = "", generation: int = 1) -> MaintenanceWindow:
    meta = {"namespace": "shop", "name": name, "uid": uid or name, "generation": generation}
    return MaintenanceWindow.model_validate({**manifest(WINDOW), "metadata": meta})


def test_a_pair_is_another_one_once_either_window_is_edited_or_made_anew() -> None:
    """M-17: between two edits it may have been none, and either have begun alone."""
    east, west = window("east"), window("west")
    pair = pair_of(east, west)
    assert pair == pair_of(west, east), "from whichever side it is seen"
    others = [
        pair_of(window("east", generation=2), west),
        pair_of(east, window("west", generation=2)),
        pair_of(window("east", uid="anew"), west),
        pair_of(east, window("west", uid="anew")),
        pair_of(east, window("north")),
    ]
    assert len({pair, *others}) == 6
    stands = turn(EAST).model_copy(update={"pair": pair})
    assert turn_for(stands, pair) == stands
    assert [turn_for(stands, other) for other in others] == [None] * 5
    assert turn_for(None, pair) is None
