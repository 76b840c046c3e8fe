"""The log has one line of JSON for each decision that changes, and no more."""

import json
import logging
from datetime import timedelta

import pytest

from scaleset_operator.core.plan import Plan
from scaleset_operator.reconciler.journal import MOST_LINES, Journal
from scaleset_operator.reconciler.ports import Key
from tests.core._stories import a_set, settle, wrong
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

KEY = Key("shop", "web")
LOGGER = "scaleset_operator.decisions"


def plan(*bad: int, size: int = 40, minutes_later: int = 0) -> Plan:
    now = T0 + timedelta(minutes=minutes_later)
    pods = instances(size, unhealthy=bad, started=T0 - timedelta(minutes=10))
    return settle(scale_set_spec(replicas=size), a_set(instances=pods, bad=wrong(*bad)), now).plan


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    found = [json.loads(r.getMessage()) for r in caplog.records if r.name == LOGGER]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)


def test_a_decision_is_one_line_of_json_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    """X-11: with reason, numbers and time."""
    journal = Journal()
    journal.note(KEY, plan(1))
    assert lines(caplog) == [
        {
            "namespace": "shop",
            "scaleset": "web",
            "instance": "web-1",
            "health": "Unhealthy",
            "since": "2026-11-21T07:00:00Z",
            "decision": "Deferred",
            "reason": "InGracePeriod",
            "detail": "until 2026-11-21T08:20:00Z",
            "until": "2026-11-21T08:20:00Z",
        }
    ]


def test_what_stands_is_not_said_again(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    for _ in range(3):
        journal.note(KEY, plan(1))
    assert len(lines(caplog)) == 1
    journal.note(KEY, plan(1, 2))
    assert [line["instance"] for line in lines(caplog)] == ["web-2"]


def test_a_decision_that_ends_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    for bad in ([1], [], []):
        journal.note(KEY, plan(*bad))
    assert [line["decision"] for line in lines(caplog)] == ["Deferred", None]


def test_a_disaster_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The rest is told in numbers."""
    journal = Journal()
    journal.note(KEY, plan(*range(1, MOST_LINES + 11), size=100))
    *single, rest = lines(caplog)
    assert len(single) == MOST_LINES
    assert (rest["more"], rest["reasons"]) == (10, {"InGracePeriod": 10})


def test_a_set_that_is_gone_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    journal.note(KEY, plan(1))
    journal.note(KEY, None)
    journal.note(KEY, plan(1))
    assert len(lines(caplog)) == 2
