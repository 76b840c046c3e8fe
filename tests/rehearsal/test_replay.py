"""A recording replayed: the same inputs give the same acts, and another rule shows (X-12)."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scaleset_operator.cli.scenario import read_scenario
from scaleset_operator.core.scene import Scene
from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.rehearsal.comparison import first_difference, gist_of
from scaleset_operator.rehearsal.recording import BadRecordingError, read_recording
from tests.rehearsal.recorded_runs import difference, recorded, replayed
from tests.rehearsal.runs import rehearsal

LIVE = Path(__file__).parent / "recordings"
STORIES = {
    "batches with one that recovers": "at=1m fail=web-1,web-3,web-7; at=65s recover=web-7",
    "a silent set": "at=1m blind; at=3m sight",
    "a dead set": "at=1m fail=all as=hang",
    "a bad image": "at=1m image=web:2 as=500; at=90s fail=1",
    "a good image": "at=1m image=web:2",
    "scaling and people": "at=1m scale=12; at=2m delete=web-3; at=3m scale=8; at=4m protect=web-1",
    "a suspension": "at=1m born=500; at=1m fail=2",
    "ends and edits": "at=1m fail=2 as=exit; at=2m set=automaticRepairsPolicy.gracePeriod=PT1M",
    "a lost node": "at=1m node-lost=node-2; at=4m node-back=node-2",
    "a prober that stops": "at=1m prober=stop; at=61s fail=2; at=3m prober=start",
}


async def lines_of(scenario: str, minutes: float = 6, **policy: Any) -> list[str]:
    """The recording of a rehearsal."""
    run = rehearsal(10, suspendAfterFailedRepairs=policy.pop("suspend", 2), **policy)
    lines = recorded(run)
    await run.run(timedelta(minutes=minutes), read_scenario(scenario))
    return lines


@pytest.mark.parametrize("story", STORIES)
async def test_a_replay_does_what_was_recorded_in_the_same_order(story: str) -> None:
    """X-12."""
    assert await difference(await lines_of(STORIES[story])) is None


@pytest.mark.parametrize("action", ["Restart", "Reimage"])
async def test_repairs_in_place_are_replayed(action: str) -> None:
    """X-12."""
    lines = await lines_of("at=1m fail=2", repairAction=action)
    assert await difference(lines) is None


async def test_the_history_from_before_a_recording_is_known_to_its_replay() -> None:
    """X-12, V-21: what is moved is made from its own template again."""
    run = rehearsal(4)
    await run.run(timedelta(minutes=2), read_scenario("at=1m image=web:2"))
    lines = recorded(run)
    await run.run(timedelta(minutes=4), read_scenario("at=3m image=web:3"))
    history = (await replayed(lines)).loop.history.kept.values()
    images = {row.data["spec"]["containers"][0]["image"] for row in history}
    assert images == {"web:1", "web:2", "web:3"}


@pytest.mark.parametrize("file", sorted(LIVE.glob("*.jsonl")), ids=lambda file: file.stem)
def test_what_a_live_operator_did_on_a_real_control_plane_is_done_again(file: Path) -> None:
    """X-12."""
    lines = file.read_text().splitlines(keepends=True)
    assert asyncio.run(difference(lines)) is None


def edited(lines: list[str], change: Callable[[dict[str, Any]], None]) -> list[str]:
    """The same recording with other ScaleSets in it."""
    rows = [json.loads(line) for line in lines]
    for row in rows:
        if row["is"] == "resource" and row["of"] == "ScaleSet":
            change(row["body"]["spec"])
    return [json.dumps(row) + "\n" for row in rows]


def longer_grace(spec: dict[str, Any]) -> None:
    spec["automaticRepairsPolicy"]["gracePeriod"] = "PT2M"


def only_watch(spec: dict[str, Any]) -> None:
    spec["automaticRepairsPolicy"]["mode"] = "Observe"


@pytest.mark.parametrize("change", [longer_grace, only_watch])
async def test_another_policy_shows_as_the_first_act_that_differs(
    change: Callable[[dict[str, Any]], None],
) -> None:
    """X-12: the comparison can fail."""
    lines = await lines_of("at=1m fail=4; at=4m recover")
    found = await difference(edited(lines, change))
    assert found is not None
    assert found.recorded is not None
    assert found.recorded.kind is ActKind.BEGIN


async def test_another_allowance_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-12: an operator that takes two where it may take one is told from this one."""
    lines = await lines_of("at=1m fail=4")
    monkeypatch.setattr(Scene, "allowance", property(lambda _: 3))
    found = await difference(lines)
    assert found is not None


async def test_acts_are_compared_by_what_they_are_and_not_by_when() -> None:
    lines = await lines_of("at=1m fail=1")
    acts = read_recording(lines).acts
    later = [type(act)(**{**_fields(act), "at": act.at + timedelta(seconds=1)}) for act in acts]
    assert first_difference(acts, later) is None
    assert [gist_of(act) for act in acts] == [gist_of(act) for act in later]
    found = first_difference(acts, later[:-1])
    assert found is not None
    assert found.replayed is None


def _fields(act: Any) -> dict[str, Any]:
    return {name: getattr(act, name) for name in type(act).__slots__}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no line that begins"),
        (["{\n"], "line 1 is none"),
        (['{"is": "begin", "at": "2026-01-01T00:00:00Z", "format": 9}\n'], "its format is 9"),
        (
            [
                '{"is": "begin", "at": "2026-01-01T00:00:00Z", "format": 1}\n',
                '{"is": "act", "at": "2026-01-01T00:00:00Z"}\n',
            ],
            "line 2 holds no act",
        ),
    ],
)
def test_what_is_no_recording_is_refused(lines: list[str], told: str) -> None:
    with pytest.raises(BadRecordingError, match=told):
        read_recording(lines)


async def test_of_two_runs_in_a_file_the_last_counts_and_a_line_cut_short_does_not() -> None:
    lines = await lines_of("at=1m fail=1", minutes=2)
    both = [*lines, *lines, '{"is": "act", "at']
    assert read_recording(both) == read_recording(lines)
