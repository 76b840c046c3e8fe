"""What a turn reads live of windows: the one that acts, and the one that says whose turn it is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.pairturn import pair_of
from scaleset_operator.core.plan import Plan
from scaleset_operator.core.windowview import WindowView
from scaleset_operator.reconciler.closer import Closer, Round
from scaleset_operator.reconciler.windows_seen import windows_seen
from scaleset_operator.rehearsal.requests import Verb
from tests.api.manifests import WINDOW, manifest
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE
from tests.support.fake_clock import T0

WEST = "west"


class Looking:
    """A set's turn that asks for `west`, of which was heard that it has the turn of its pair."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.server = self.stage.server
        body = self.server.resource("ScaleSet", *KEY)
        labels = {"labels": {"tier": "web"}}
        self.server.restore("ScaleSet", {**body, "metadata": {**body["metadata"], **labels}})
        self.edit("east", WEST)
        self.edit(WEST, "east")
        self.give_turn("east", WEST)
        self.stage.operator.hear()

    def edit(self, name: str, other: str) -> None:
        """Write one window as it really stands: announced, and paired with another."""
        spec = manifest(WINDOW)["spec"] | {"pairedWith": {"name": other}}
        made = self.server.apply(WINDOW, NAMESPACE, name, spec)
        row = {
            "iteration": 1,
            "announcedTime": format_time(T0),
            "startTime": format_time(T0),
            "endTime": format_time(T0 + timedelta(hours=9)),
        }
        self.write_status(made, announced=[row])

    def write_status(self, body: Mapping[str, Any], **fields: Any) -> None:
        name, version = body["metadata"]["name"], body["metadata"]["resourceVersion"]
        status = {**body["status"], **fields}
        self.server.apply_status(NAMESPACE, name, version, status, kind=WINDOW)

    def give_turn(self, first: str, holder: str) -> None:
        """As it stands in the first of the pair."""
        bodies = [self.server.resource(WINDOW, NAMESPACE, name) for name in (first, WEST)]
        pair = pair_of(*(MaintenanceWindow.model_validate(body) for body in bodies))
        turn = PairTurn(holder=f"{NAMESPACE}/{holder}", state=PairState.HELD, time=T0, pair=pair)
        self.write_status(bodies[0], pairTurn=turn.model_dump(mode="json", by_alias=True))

    async def look(self) -> WindowView:
        """Read what is asked for, and see the window by it."""
        operator = self.stage.operator
        known = operator.resources.scale_set(KEY)
        assert known is not None
        plan = Plan(status=ScaleSetStatus(), read_windows=frozenset({WEST}))
        closer = Closer(
            operator.resources, operator.cluster, operator.relocations, self.stage.clock
        )
        assert await closer.look(known, plan, Round())
        (view,) = (v for v in windows_seen(known, operator.resources, {}, {WEST}) if v.name == WEST)
        return view

    def read(self) -> list[str]:
        return [request.name for request in self.stage.made(Verb.READ_WINDOW)]


@pytest.fixture
def looking() -> Looking:
    return Looking()


async def test_the_window_is_read_and_the_other_of_its_pair(looking: Looking) -> None:
    """M-17: once each."""
    view = await looking.look()
    assert view.turn
    assert looking.read() == [WEST, "east"]


async def test_whose_turn_it_is_stands_where_the_window_just_read_says(looking: Looking) -> None:
    """M-17: paired anew, it has not the turn that its last pair gave it."""
    looking.edit("north", WEST)
    looking.edit(WEST, "north")
    looking.give_turn("north", "north")
    view = await looking.look()
    assert looking.read() == [WEST, "north"]
    assert view.turn_detail == "shop/north has its turn"
    assert view.live


async def test_a_turn_from_before_an_edit_of_either_window_is_nobody_s(looking: Looking) -> None:
    """M-17: between two edits the other may have been no partner, and have begun alone."""
    looking.edit("east", "nobody")
    looking.edit("east", WEST)
    looking.stage.operator.hear()
    view = await looking.look()
    assert view.turn_reason is Reason.PARTNER_ACTIVE
    assert view.turn_detail == "nobody of the pair has its turn yet"
    looking.give_turn("east", WEST)
    assert (await looking.look()).turn
    looking.edit(WEST, "nobody")
    looking.edit(WEST, "east")
    assert not (await looking.look()).turn


async def test_two_that_are_no_pair_are_not_said_to_wait_for_each_other(looking: Looking) -> None:
    """M-18, X-11: it has no turn either, for a reason of its own."""
    looking.edit("east", "nobody")
    looking.stage.operator.hear()
    view = await looking.look()
    assert not view.turn
    assert view.turn_reason is Reason.INVALID_PAIR
    assert "paired with shop/nobody" in view.turn_detail


async def test_a_window_that_is_gone_is_seen_no_more(looking: Looking) -> None:
    """M-17: neither it, nor a pair with it."""
    looking.server.delete_resource(WINDOW, NAMESPACE, "east")
    view = await looking.look()
    assert not view.turn
    assert view.turn_detail.startswith("spec.pairedWith is 'shop/east': no such window")
