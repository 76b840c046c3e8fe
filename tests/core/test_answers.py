"""How requests that are not being met are answered: in which order, since when, how."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from scaleset_operator.core.observed import Observed
from tests.core._stories import Settled, a_set, settle
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec()
RESTART: dict[str, Any] = {"operation": "restart"}


def seen(*first: dict[str, Any], **fields: Any) -> Observed:
    """Ten healthy instances; the first ones bear these fields."""
    pods = list(instances(10))
    for number, values in enumerate(first):
        pods[number] = replace(pods[number], **values)
    return a_set(**({"instances": tuple(pods)} | fields))


def rows(settled: Settled) -> list[tuple[str, str, str, str]]:
    status = settled.plan.status
    return [(r.instance, r.request, r.state.value, r.reason) for r in status.requests]


def test_refusals_stand_first_then_the_newest() -> None:
    """X-11: of a list that is bounded, those that are still on their pods are never left out."""
    old = [
        {
            "instance": f"web-{number}",
            "uid": f"uid-web-{number}",
            "request": "operation=reboot",
            "state": "Answered",
            "reason": "UnknownRequest",
            "time": (T0 - ago * SECOND).isoformat(),
        }
        for number, ago in ((3, 9), (4, 5), (5, 5))
    ]
    waits = RESTART | {"protected_from_actions": True}
    settled = settle(SPEC, seen({"operation": "reboot"}, waits, status={"requests": old}))
    order = [(row[0], row[2]) for row in rows(settled)]
    answered = [(f"web-{number}", "Answered") for number in (4, 5, 3)]
    assert order == [("web-1", "Refused"), ("web-2", "Waiting"), *answered]


def test_a_request_that_waits_keeps_the_time_since_when_it_does() -> None:
    """X-11, G9: another request on the same pod is another one."""
    waits = RESTART | {"protected_from_actions": True}
    first = settle(SPEC, seen(waits))
    later = settle(SPEC, replace(seen(waits), status=first.plan.status), T0 + 60 * SECOND)
    assert later.plan.status.requests == first.plan.status.requests
    other = seen(waits | {"operation": "reimage"}, status=first.plan.status)
    (row,) = settle(SPEC, other, T0 + 60 * SECOND).plan.status.requests
    assert row.time == T0 + 60 * SECOND


def test_an_update_that_waits_for_its_protection_names_the_annotation() -> None:
    """R-47, X-11."""
    asked = {"operation": "update", "model": "m0", "protected_from_actions": True}
    manual = scale_set_spec(upgradePolicy={"mode": "Manual"})
    (row,) = settle(manual, seen(asked)).plan.status.requests
    assert (row.reason, row.message) == ("InstanceProtected", "protect-from-scale-set-actions")
