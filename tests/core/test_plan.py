"""A plan as one line of a log."""

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.plan import AdoptInstance, CreateInstance, Plan, Record
from tests.support.fake_clock import T0


def test_a_plan_is_told_in_one_line() -> None:
    """X-11: what is recorded, what is done, and when it is looked again."""
    acts = (
        CreateInstance(name="web-1", instance_id=1, update_domain=0, model="m1"),
        AdoptInstance(name="web-2", uid="u", resource_version="1"),
    )
    plan = Plan(status=ScaleSetStatus(), record=Record.SOON, actions=acts, look_again_at=T0)
    told = "record SOON; do CreateInstance(web-1), AdoptInstance(web-2); look again "
    assert str(plan) == f"{told}2026-11-21T08:00:00+00:00"
    assert str(Plan(status=ScaleSetStatus())) == (
        "record NONE; do nothing; look again on the next event"
    )
