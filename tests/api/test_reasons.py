"""The reason codes: complete, documented, and in the form that a condition allows."""

from __future__ import annotations

import re

import pytest

from scaleset_operator.api.base import MAX_LABEL_LENGTH, REASON_PATTERN, REASON_TEXT, Reason

REQUIRED = [
    "InGracePeriod",
    "BatchLimitReached",
    "InstanceProtected",
    "SuspendedByUser",
    "SuspendedByPlatform",
    "Disabled",
    "ObserveMode",
    "MaintenanceInProgress",
    "RolloutInProgress",
    "HealthUnknown",
    "ProbeInconclusive",
    "NeverStarted",
    "DisruptionBudget",
    "HealthStorm",
    "TooManyInstances",
    "TerminationDelayed",
    "ReplacementStarting",
    "WaitingForHealth",
    "RepairStalled",
    "NoProbe",
    "ProbeNotFound",
    "ProbeBlocked",
    "AmbiguousPort",
    "SelectorOverlap",
    "InvalidTemplate",
    "CreateForbidden",
    "NotArmed",
    "StaleView",
]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_one_sentence_and_a_name_that_follows_from_it(reason: Reason) -> None:
    """X-11."""
    text = REASON_TEXT[reason]
    assert len(text) >= 20
    assert text[0].isupper()
    assert text.endswith(".")
    assert re.fullmatch(REASON_PATTERN, reason)
    assert len(reason) <= MAX_LABEL_LENGTH
    assert reason.name.replace("_", "").lower() == reason.value.lower()


def test_the_list_is_complete_and_nothing_is_said_twice() -> None:
    """X-11: finite and documented."""
    assert set(REQUIRED) <= set(Reason)
    assert set(REASON_TEXT) == set(Reason)
    assert len(set(REASON_TEXT.values())) == len(REASON_TEXT)
