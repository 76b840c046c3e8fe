"""A scenario is read clause by clause, and refused by the clause that is wrong."""

from datetime import timedelta

import pytest

from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.scenario import ACTS, read_scenario
from scaleset_operator.core.observed import Outcome
from scaleset_operator.rehearsal import events
from scaleset_operator.rehearsal.endpoints import HANG, OK, STATUS_500, Answer
from scaleset_operator.rehearsal.events import Whom
from scaleset_operator.rehearsal.probes import Blindness

READ: dict[str, events.Happening] = {
    "fail=12%": events.Fail(Whom(percent=12), STATUS_500),
    "fail=3 as=hang": events.Fail(Whom(count=3), HANG),
    "fail=web-1,web-2 as=429": events.Fail(
        Whom(names=("web-1", "web-2")), Answer(Outcome.WRONG_STATUS, 429)
    ),
    "fail=all as=exit": events.Fail(Whom(), None),
    "recover": events.Recover(Whom()),
    "recover=web-1": events.Recover(Whom(names=("web-1",))),
    "born=never": events.Newborn(None),
    "born=200": events.Newborn(OK),
    "image=web:2": events.Image("web:2", OK),
    "image=web:2 as=500": events.Image("web:2", STATUS_500),
    "image=web:2 as=never": events.Image("web:2", None),
    "scale=60": events.Scale(60),
    "set=automaticRepairsPolicy.gracePeriod=PT10M": events.Edit(
        ("automaticRepairsPolicy", "gracePeriod"), "PT10M"
    ),
    "set=spec.replicas=4": events.Edit(("replicas",), 4),
    "suspend": events.Service.SUSPEND,
    "resume": events.Service.RESUME,
    "blind": events.Blind(Blindness.PODS),
    "blind=all": events.Blind(Blindness.ALL),
    "sight": events.Blind(Blindness.NONE),
    "prober=stop": events.Prober.STOP,
    "node-lost=node-1": events.Node("node-1", lost=True),
    "node-back=node-1": events.Node("node-1", lost=False),
    "delete=2": events.Delete(Whom(count=2)),
    "protect=web-1": events.Protect(Whom(names=("web-1",)), protected=True),
    "unprotect=web-1": events.Protect(Whom(names=("web-1",)), protected=False),
    "start-after=2m": events.StartAfter(timedelta(minutes=2)),
}


@pytest.mark.parametrize("text", READ)
def test_each_event_is_read(text: str) -> None:
    (event,) = read_scenario(f"at=5m {text}")
    assert event.after == timedelta(minutes=5)
    assert event.what == READ[text]
    assert event.text == f"at=5m {text}"


def test_every_clause_is_read_by_some_row_of_this_table() -> None:
    assert {text.partition(" ")[0].partition("=")[0] for text in READ} == set(ACTS)


def test_events_stand_between_semicolons_or_on_lines_with_comments() -> None:
    found = read_scenario("at=1m suspend; at=2m resume;\n# a word\nat=3m sight # and another\n\n")
    assert [event.after.total_seconds() / 60 for event in found] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fail=12%", "at=SPAN is missing"),
        ("at=soon recover", "at of 'at=soon recover' is 'soon': allowed is a span"),
        ("at=1m", "nothing happens: allowed is one of fail, recover"),
        ("at=1m fail=1 recover", "fail and recover are two events"),
        ("at=1m explode", "explode is not known: allowed are at, as, fail"),
        ("at=1m at=2m recover", "at stands twice"),
        ("at=1m fail=0%", "fail is '0%': allowed is 12%, a number, names"),
        ("at=1m fail=101%", "fail is '101%'"),
        ("at=1m fail=0", "fail is '0'"),
        ("at=1m fail=Web_1", "fail is 'Web_1'"),
        ("at=1m fail=1 as=600", "as is '600': allowed is ok, a status such as 500"),
        ("at=1m fail=1 as=ok", "as is 'ok'"),
        ("at=1m scale=many", "scale is 'many': allowed is a number from 0 to 10000"),
        ("at=1m scale=3 as=500", "as=500 goes with fail and image alone"),
        ("at=1m image=", "image is '': allowed is an image"),
        ("at=1m born=dead", "born is 'dead'"),
        ("at=1m blind=half", "blind is 'half': allowed is pods"),
        ("at=1m prober=sleep", "prober is 'sleep': allowed is stop, start, restart"),
        ("at=1m node-lost", "node-lost is '': allowed is the name of a node"),
        ("at=1m suspend=yes", "suspend is 'yes': allowed is suspend alone"),
        ("at=1m set=gracePeriod", "set is 'gracePeriod': allowed is FIELD=VALUE"),
        ("at=1m set=a: [=1", "set"),
    ],
)
def test_a_clause_that_is_wrong_is_named_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(Failure) as refused:
        read_scenario(text)
    assert told in str(refused.value)
