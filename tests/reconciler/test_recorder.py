"""The lines of a recording bear the times by which a replay can give them back."""

import asyncio
import json
from datetime import datetime, timedelta

from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.recorder import Recorder
from tests.support.builders import instance
from tests.support.fake_clock import T0, FakeClock

ONE, OTHER = Key("shop", "one"), Key("shop", "other")


async def test_what_a_turn_asked_for_was_known_to_it_from_its_begin() -> None:
    """X-12: also where another set's turn began while the answer was on its way."""
    clock, lines = FakeClock(), list[str]()
    recorder = Recorder(clock, lines.append, "test")
    asked = asyncio.Event()

    async def asks(key: Key) -> datetime | None:
        recorder.begin_observation(key)
        await asked.wait()
        recorder.was_told("policies", (key.namespace,), [], [])
        return None

    async def comes_between(key: Key) -> datetime | None:
        clock.advance(1.0)
        recorder.begin_observation(key)
        clock.advance(1.0)
        asked.set()
        return None

    await asyncio.gather(recorder.turn(ONE, asks), recorder.turn(OTHER, comes_between))
    at = {
        (row["is"], *row.get("set", ())): datetime.fromisoformat(row["at"])
        for row in map(json.loads, lines)
    }
    assert at["turn", *ONE] == T0
    assert at["turn", *OTHER] == T0 + timedelta(seconds=1)
    assert at["policies",] == T0


def test_a_vote_is_written_when_it_is_another_and_never_is_not() -> None:
    """X-12: under the instance's name, which a replay makes again; its UID is another then."""
    clock, lines = FakeClock(), list[str]()
    recorder = Recorder(clock, lines.append, "test")
    one = instance(number=1)
    recorder.saw_vote(one.uid, T0)
    assert len(lines) == 1, "nobody knows who that is"
    recorder.saw_pods(ONE, [one])
    for vote in (None, T0, T0, None):
        recorder.saw_vote(one.uid, vote)
    rows = [json.loads(line) for line in lines[2:]]
    assert [row["of"] for row in rows] == [["web-1"], ["web-1"]]
    assert [row["value"] for row in rows] == [T0.isoformat(), None]
