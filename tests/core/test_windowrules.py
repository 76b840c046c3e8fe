"""What the API server refuses of a window is refused without it too, with the same field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import ValidationError

from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.core.calendar import agenda
from scaleset_operator.core.schedule import ScheduleError
from tests.api.accepted import ACCEPTED
from tests.api.manifests import WINDOW, manifest
from tests.api.refused_others import WINDOWS, once, recurring

if TYPE_CHECKING:
    from tests.api.manifests import Manifest
    from tests.api.refusal import Case

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
OF_NO_CALENDAR: Final = {
    "a window paired with itself",
    "a pause of P2D between domains",
    "a day left out twice",
}
"""Nothing about times depends on these."""


def read(changes: Manifest) -> MaintenanceWindowSpec:
    return MaintenanceWindowSpec.model_validate(manifest(WINDOW, changes=changes)["spec"])


@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_what_the_api_server_refuses_gives_no_calendar(case: Case) -> None:
    """V-13, V-01: two texts of one rule, held together by one list of cases."""
    if case.what in OF_NO_CALENDAR:
        next(agenda(read(case.changes), NOW))
        return
    with pytest.raises((ScheduleError, ValidationError)):
        agenda(read(case.changes), NOW)


@pytest.mark.parametrize("changes", [changes for _, kind, changes in ACCEPTED if kind == WINDOW])
def test_what_the_api_server_accepts_has_a_calendar(changes: Manifest) -> None:
    next(agenda(read(changes), NOW))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            once(pre_end="2026-11-20T00:00:00Z"),
            (
                "spec.once.selfService.startTime is '2026-11-20T00:00:00Z': "
                "it must be earlier than 2026-11-20T00:00:00Z"
            ),
        ),
        (
            once(start="2026-11-26T23:59:59Z"),
            (
                "spec.once.selfService.endTime is '2026-11-27T00:00:00Z': "
                "it must be no later than 2026-11-26T23:59:59Z"
            ),
        ),
        (
            once(end="2026-11-27T02:00:00Z"),
            (
                "spec.once.scheduled.startTime is '2026-11-27T02:00:00Z': "
                "it must be earlier than 2026-11-27T02:00:00Z"
            ),
        ),
        (
            {"spec.notifyBefore": "P29D"},
            "spec.notifyBefore is 'P29D': allowed are P30D to P365D; urgent: true allows less",
        ),
        (
            {"spec.notifyBefore": "P366D", "spec.urgent": True},
            "spec.notifyBefore is 'P366D': allowed are PT0S to P365D",
        ),
        (
            recurring(duration="PT4M59S"),
            "spec.recurring.duration is 'PT4M59S': allowed are PT5M to P7D",
        ),
        (
            recurring(selfServiceLead="PT59M"),
            "spec.recurring.selfServiceLead is 'PT59M': allowed are PT1H to P90D",
        ),
        (
            {"spec.impact": "None"},
            "spec.once.selfService is 'set': it is allowed with impact Redeploy only",
        ),
        (
            {"spec.once.selfService": None},
            "spec.once.selfService is 'absent': it is required with impact Redeploy",
        ),
        (
            recurring(selfServiceLead=None),
            "spec.recurring.selfServiceLead is 'absent': it is required with impact Redeploy",
        ),
        (
            recurring() | {"spec.impact": "Pause"},
            "spec.recurring.selfServiceLead is 'set': it is allowed with impact Redeploy only",
        ),
        (
            {"spec.once": None},
            "spec.once is 'absent': so is spec.recurring; exactly one of the two must be set",
        ),
        (
            {"spec.recurring": recurring()["spec.recurring"]},
            "spec.once is 'set': so is spec.recurring; exactly one of the two must be set",
        ),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(changes: Manifest, said: str) -> None:
    """V-01, V-13."""
    with pytest.raises(ScheduleError) as refused:
        agenda(read(changes), NOW)
    assert str(refused.value) == said
