"""`maintenance start`: who is asked for, in which order and when; what is refused before that."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.cli import carrying
from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS, PODS, SCALE_SETS
from tests.cli.maintained import (
    ABORTED,
    AHEAD,
    COMPLETED,
    END,
    MARK,
    NAME,
    asked,
    cluster,
    entry,
    member,
    request,
    row,
    scale_set,
    window,
)
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_plugin import FakeEntrance

STOP = {"reason": "MaintenanceStopped", "message": "web-9 is not back", "time": END}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def in_amsterdam(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Amsterdam")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def start(entrance: FakeEntrance, *words: str, code: int = 0, **env: str) -> Any:
    return entrance.run("maintenance", "start", "web", *words, env=env, code=code)


# --- Who ---------------------------------------------------------------------------------------


def test_an_owner_starts_one_instance_as_by_hand() -> None:
    """M-06: the annotation on the pod, and nothing else."""
    entrance = cluster(member(1), member(2))
    said = start(entrance, "web-2").stdout
    assert asked(entrance) == [("web-2", NAME)]
    assert said == (f"pod/web-2 maintenance: was not asked for, is asked for under {NAME}\n")


def test_order_is_the_owners() -> None:
    """V-03."""
    entrance = cluster(member(1), member(2), member(3))
    start(entrance, "web-3", "web-1", "web-3")
    assert asked(entrance) == [("web-3", NAME), ("web-1", NAME)]


def test_an_update_domain_is_every_pending_instance_of_it() -> None:
    entrance = cluster(
        member(1, domain=2),
        member(2, domain=2, said=COMPLETED),
        member(3, domain=1, said=COMPLETED),
        member(4, domain=2, mark=None, said=None),
        member(5, domain=2),
    )
    start(entrance, "--update-domain", "2")
    assert asked(entrance) == [("web-1", NAME), ("web-5", NAME)]


def test_one_that_is_asked_for_already_is_left_as_it_is() -> None:
    """V-18: two calls are one."""
    entrance = cluster(member(1, asked=NAME))
    said = start(entrance, "web-1").stdout
    assert said == f"pod/web-1 maintenance: is asked for under {NAME}, unchanged\n"
    assert entrance.writes == []


def test_one_that_is_under_way_is_said_to_be() -> None:
    entrance = cluster(member(2), of=scale_set(entry(1, "Moving")))
    said = start(entrance, "web-1").stdout
    assert "is under way since 07:59:00Z, Moving, unchanged" in said
    assert entrance.writes == []


def test_somebody_who_is_quicker_is_not_overwritten() -> None:
    entrance = cluster(member(1))
    others = iter([{"x": "1"}, {"x": "2"}])

    def meanwhile() -> None:
        for labels in others:
            body = member(1)
            body["metadata"]["labels"] |= labels
            entrance.add(PODS, body)
            return

    entrance.meanwhile = meanwhile
    start(entrance, "web-1")
    assert asked(entrance) == [("web-1", NAME)]
    assert entrance.stored(PODS, "default", "web-1")["metadata"]["labels"]["x"] == "2"


def test_what_has_changed_until_the_write_is_seen() -> None:
    """V-17: decided on the pod that is written, not on what was listed."""
    entrance = cluster(member(1))

    def meanwhile() -> None:
        entrance.meanwhile = lambda: None
        entrance.add(PODS, member(1, said=ABORTED))

    entrance.meanwhile = meanwhile
    assert "AlreadyAttempted" in start(entrance, "web-1", code=1).stderr
    assert entrance.writes == []


def test_another_pod_of_the_name_is_another() -> None:
    entrance = cluster(member(1))

    def meanwhile() -> None:
        entrance.meanwhile = lambda: None
        entrance.add(PODS, member(1, uid="uid-of-the-next"))

    entrance.meanwhile = meanwhile
    assert "another pod by now" in start(entrance, "web-1", code=1).stderr
    assert entrance.writes == []


# --- Refused before anything is written --------------------------------------------------------

CLOSED = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pod", "code", "words"),
    [
        ({"mark": None, "said": None}, "NotIncluded", "includes it"),
        ({"said": COMPLETED}, "AlreadyAttempted", "MaintenanceCompleted: moved to worker-3"),
        ({"said": ABORTED}, "AlreadyAttempted", "MaintenanceAborted: no updated node has room"),
        ({"mark": f"{NAME}/2/0b6f6a0c/{END}"}, "NotInSelfService", "has no self-service window"),
        ({"mark": f"{NAME}/1/ffffffff/{END}"}, "NotInSelfService", "has no self-service window"),
        ({"mark": f"other/1/0b6f6a0c/{END}"}, "NotIncluded", "an iteration of other"),
    ],
)
def test_what_the_operator_would_refuse_is_refused_at_once(
    pod: dict[str, Any], code: str, words: str
) -> None:
    """V-17, V-20: and of several none is asked for."""
    entrance = cluster(member(1), member(2, **pod))
    refused = start(entrance, "web-1", "web-2", "--window", NAME, code=1).stderr
    assert f"web-2: {code}: " in refused
    assert words in refused
    assert refused.endswith("Nothing was asked for\n")
    assert entrance.writes == []


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 11, 19, 23, 59, 59, tzinfo=UTC), "opens Fri 2026-11-20 01:00 (00:00Z)"),
        (CLOSED, "closed Fri 2026-11-27 01:00 (00:00Z), 0s ago"),
        (
            datetime(2026, 11, 27, 3, tzinfo=UTC),
            "the scheduled window is from Fri 2026-11-27 03:00",
        ),
    ],
)
@pytest.mark.usefixtures("in_amsterdam")
def test_outside_of_self_service_it_is_said_when_that_is(at: datetime, words: str) -> None:
    """M-10, V-12, V-32: the instant at which it closes is outside."""
    entrance = cluster(member(1))
    entrance.at = at
    refused = start(entrance, "web-1", code=1, TZ="Europe/Amsterdam").stderr
    assert "web-1: NotInSelfService: " in refused
    assert words in refused
    assert entrance.writes == []
    entrance.at = CLOSED - timedelta(seconds=1)
    start(entrance, "web-1")
    assert len(entrance.writes) == 1


def test_an_iteration_that_stopped_takes_nobody() -> None:
    """M-16."""
    entrance = cluster(member(1), of=scale_set(rows=(row(stopped=STOP),)))
    assert "MaintenanceStopped: web-9 is not back" in start(entrance, "web-1", code=1).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web-1", "--window", "none"), "WindowNotFound: no window none concerns the set (host"),
        (("web-7",), "ScaleSet default/web has no instance web-7"),
        (("web-7", "--window", NAME), "ScaleSet default/web has no instance web-7"),
        (("web-4",), "web-4: NotIncluded: no iteration of a maintenance includes it"),
        (("web-1", "web-2"), "several windows are meant, host-patch-nov, other"),
        (("--update-domain", "3"), "update domain 3: NotIncluded"),
        (("--update-domain", "3", "--window", NAME), "no instance of update domain 3 is pending"),
        ((), "give either INSTANCE... or --update-domain N"),
        (("web-1", "--update-domain", "0"), "give either INSTANCE... or --update-domain N"),
        (("web-1", "--spacing", "5m"), "--spacing 5m is the time between two instances"),
        (("web-1", "web-3", "--spacing", "soon"), "--spacing is 'soon': allowed is a span"),
        (("web-1", "-A"), "give -n NAMESPACE"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], said: str) -> None:
    other = member(2, mark=f"other/1/0b6f6a0c/{END}")
    pods = [member(1), other, member(3), member(4, mark=None, said=None)]
    entrance = cluster(*pods, windows=(window(), window(name="other")))
    refused = start(entrance, *words, code=1).stderr
    assert said in refused
    assert refused.count("\n") == 1
    assert entrance.writes == []


def test_a_suspended_window_lets_it_wait_and_that_is_said() -> None:
    entrance = cluster(member(1), windows=(window({"spec.suspend": True}),))
    assert "; it waits: the window is suspended" in start(entrance, "web-1").stdout
    assert asked(entrance) == [("web-1", NAME)]


@pytest.mark.parametrize("resource", ["scalesets", "pods", "maintenancewindows"])
def test_a_missing_right_is_named(resource: str) -> None:
    entrance = cluster(member(1))
    entrance.forbidden = {resource}
    assert f"list {resource}" in start(entrance, "web-1", code=1).stderr.replace("get", "list")


# --- A second update domain --------------------------------------------------------------------

BUSY: dict[str, Callable[[], FakeEntrance]] = {
    "web-9 under maintenance": lambda: cluster(member(1), of=scale_set(entry(9, domain=2))),
    "web-9 asked for": lambda: cluster(member(1), member(9, domain=2, asked=NAME)),
    "web-9 unavailable": lambda: cluster(member(1), member(9, domain=2, ready=False)),
}


@pytest.mark.parametrize("why", BUSY)
def test_a_second_update_domain_is_asked_about_first(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M-20: the owner may, and is warned."""
    entrance = BUSY[why]()
    refused = start(entrance, "web-1", code=1).stderr
    assert f"in update domain 0; update domain 2 has {why}. Start all the same?" in refused
    assert "--yes says it beforehand" in refused
    assert entrance.writes == []
    monkeypatch.setattr(carrying, "somebody_is_there", lambda: True)
    for answer, written in ((False, []), (True, [("web-1", NAME)])):
        monkeypatch.setattr("typer.confirm", lambda *_, yes=answer, **__: yes)
        start(entrance, "web-1", code=0 if answer else 1)
        assert asked(entrance) == written


def test_yes_says_it_beforehand() -> None:
    entrance = BUSY["web-9 unavailable"]()
    start(entrance, "web-1", "--yes")
    assert asked(entrance) == [("web-1", NAME)]


def test_those_that_are_chosen_may_lie_in_several_domains() -> None:
    """M-20."""
    entrance = cluster(member(1), member(2, domain=1))
    refused = start(entrance, "web-1", "web-2", code=1).stderr
    assert "those asked for are in update domains 0, 1. Start all the same?" in refused
    start(entrance, "web-1", "web-2", "-y")
    assert len(entrance.writes) == 2


def test_within_one_domain_nothing_is_asked() -> None:
    """M-20: what is down in the same domain is no second one."""
    entrance = cluster(
        member(1), member(2, ready=False), member(3, asked=NAME), of=scale_set(entry(9))
    )
    start(entrance, "web-1")
    assert asked(entrance) == [("web-1", NAME)]


# --- With time between -------------------------------------------------------------------------


def test_there_is_time_from_one_to_the_next_and_it_is_shown() -> None:
    """V-03: order and spacing are the owner's."""
    entrance = cluster(member(1), member(2), member(3))
    at: list[timedelta] = []
    entrance.meanwhile = lambda: at.append(entrance.at - T0)
    said = start(entrance, "web-1", "web-2", "web-3", "--spacing", "PT5M").stdout
    assert at == [0 * MINUTE, 5 * MINUTE, 10 * MINUTE]
    assert "pod/web-2 follows 08:05:00Z (in 5m)\n" in said
    assert said.index("pod/web-1 m") < said.index("pod/web-2 f") < said.index("pod/web-2 m")


def test_a_window_that_closes_meanwhile_ends_it() -> None:
    """V-12: and it is said who was and who was not asked for."""
    entrance = cluster(member(1), member(2), member(3))
    entrance.at = CLOSED - 4 * MINUTE
    refused = start(entrance, "web-1", "web-2", "web-3", "--spacing", "3m", code=1).stderr
    assert "asked for: web-1, web-2; not asked for: web-3\n" in refused
    assert "NotInSelfService" in refused
    assert len(entrance.writes) == 2


def test_a_domain_that_falls_meanwhile_is_asked_about() -> None:
    """M-20."""
    entrance = cluster(member(1), member(2), member(9, domain=2))
    entrance.asleep = lambda e: e.add(PODS, member(9, domain=2, ready=False))
    refused = start(entrance, "web-1", "web-2", "--spacing", "5m", code=1).stderr
    assert "update domain 2 has web-9 unavailable" in refused
    assert "asked for: web-1; not asked for: web-2\n" in refused


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Python's own handler of Ctrl-C, whatever other tests have left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before or signal.SIG_DFL)


@pytest.mark.usefixtures("keyboard")
def test_who_interrupts_it_learns_what_was_asked_for() -> None:
    entrance = cluster(member(1), member(2), member(3))

    async def interrupted(seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(seconds)

    entrance.sleep = interrupted  # type: ignore[method-assign] # the person at the keyboard
    said = start(entrance, "web-1", "web-2", "web-3", "--spacing", "5m", code=130).stderr
    assert "asked for: web-1; not asked for: web-2, web-3\n" in said
    assert asked(entrance) == [("web-1", NAME)]


# --- Waiting for the result --------------------------------------------------------------------


def going(*steps: Callable[[FakeEntrance], None]) -> Callable[[FakeEntrance], None]:
    """One step at each look."""
    ahead = list(steps)

    def step(entrance: FakeEntrance) -> None:
        if ahead:
            ahead.pop(0)(entrance)

    return step


def put_set(*entries: dict[str, Any], **more: Any) -> Callable[[FakeEntrance], None]:
    return lambda entrance: entrance.add(SCALE_SETS, scale_set(*entries, **more))


def put(number: int, **fields: Any) -> Callable[[FakeEntrance], None]:
    return lambda entrance: entrance.add(PODS, member(number, **fields))


def both(*steps: Callable[[FakeEntrance], None]) -> Callable[[FakeEntrance], None]:
    def step(entrance: FakeEntrance) -> None:
        for one in steps:
            one(entrance)

    return step


def gone(entrance: FakeEntrance) -> None:
    entrance.remove(PODS, "default", "web-1")


def test_it_is_followed_until_it_is_back() -> None:
    """M-06, M-07: through the time in which there is no such pod."""
    entrance = cluster(member(1))
    entrance.asleep = going(
        put_set(requests=[request(1, "Waiting", "FloorReached", "2 of 40 are away")]),
        put_set(entry(1, "Recorded")),
        both(put_set(entry(1, "Moving")), gone),
        both(put_set(entry(1, "Returning")), put(1, uid="uid-new", ready=False)),
        put(1, uid="uid-new", said=COMPLETED),
    )
    said = start(entrance, "web-1", "--wait").stdout.splitlines()
    assert [line.partition("maintenance: ")[2] for line in said[1:]] == [
        "Waiting",
        "Waiting: FloorReached: 2 of 40 are away",
        "Recorded: a place on an updated node is sought",
        "Moving: the old pod is on its way out",
        "Returning: it is on the updated node, and not healthy yet",
        "MaintenanceCompleted: moved to worker-3",
    ]


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (put(1, said=ABORTED), "MaintenanceAborted: no updated node has room"),
        (
            both(put(1), put_set(requests=[request(1, "Answered", "NotInSelfService", "closed")])),
            "Refused: NotInSelfService: closed",
        ),
        (
            put(1, said=AHEAD | {"lastOperationResultCode": "RetryLater"}),
            "RetryLater",
        ),
        (put(1), "Withdrawn: the request is not on the pod any more"),
        (gone, "Gone: there is no such instance any more"),
    ],
)
def test_what_does_not_end_well_is_an_error(
    step: Callable[[FakeEntrance], None], state: str
) -> None:
    entrance = cluster(member(1))
    entrance.asleep = going(step)
    said = start(entrance, "web-1", "--wait", code=1).stdout
    assert said.splitlines()[-1] == f"pod/web-1 maintenance: {state}"


def test_an_old_refusal_is_not_taken_for_the_answer() -> None:
    entrance = cluster(
        member(1), of=scale_set(requests=[request(1, "Answered", "NotInSelfService", "closed")])
    )
    entrance.asleep = going(put_set(entry(1, "Recorded")), put(1, said=COMPLETED))
    assert "Refused" not in start(entrance, "web-1", "--wait").stdout


def test_as_data_each_has_its_result() -> None:
    entrance = cluster(member(1), member(2))
    entrance.asleep = going(both(put(1, said=COMPLETED), put(2, said=ABORTED)))
    words = ("web-1", "web-2", "--wait", "--spacing", "0s", "-o", "json")
    data = json.loads(start(entrance, *words, code=1).stdout)
    assert data["window"] == NAME
    first, second = data["items"]
    assert (first["name"], first["changed"]) == ("web-1", True)
    assert first["operation"] == {
        "state": "MaintenanceCompleted",
        "message": "moved to worker-3",
        "over": True,
    }
    assert second["operation"]["state"] == "MaintenanceAborted"
    without = json.loads(start(cluster(member(1)), "web-1", "-o", "json").stdout)
    assert without["items"][0]["operation"] is None


def test_the_mark_of_the_tests_is_one_that_the_operator_writes() -> None:
    """So that what is proved here holds of its pods."""
    from scaleset_operator.core.marks import Mark  # noqa: PLC0415 - here only

    assert str(Mark.parse(MARK)) == MARK
    entrance = cluster(member(1))
    assert entrance.stored(MAINTENANCE_WINDOWS, "default", NAME)["metadata"]["uid"][:8] in MARK
