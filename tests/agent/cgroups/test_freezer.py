"""A process that is paused in place, and thawed whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.agent import cgroups, pauses
from scaleset_operator.agent.freezer import SOURCE_ROOT, Freezer
from scaleset_operator.agent.pauses import Pause
from tests.agent.cgroups.guards import guards, settle
from tests.support.frost import Counter, is_alive, kill
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "6f1c7a2e-web-7"
SHORT_S: Final = 1.0
LONG_S: Final = 60.0
LATE_S: Final = 2.0
"""A thaw may come so much later than the deadline, on a machine that is busy with others."""

AGENT: Final = """
import sys, time
from pathlib import Path
from scaleset_operator.agent.freezer import Freezer
folder, group, seconds = sys.argv[1:]
print(Freezer(Path(folder)).freeze(%r, Path(group), float(seconds)), flush=True)
time.sleep(60)
"""


@pytest.fixture
def agent(
    folder: Path,
    group: Path,
    counter: Counter,  # noqa: ARG001 - it counts before it is paused
) -> Iterator[subprocess.Popen[str]]:
    """An agent as a process of its own, which has just paused the group for three seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", AGENT % NAME, str(folder), str(group), "3"],
        env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)},
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"
        yield process
        process.kill()


def thaws(group: Path, by: float) -> float:
    """Waits until it is thawed; gives when, by the machine's time."""
    left = max(by - pauses.boottime(), 0) + LATE_S
    wait_for(lambda: not cgroups.is_frozen(group), left, "it is thawed", every=0.01)
    return pauses.boottime()


def test_a_paused_process_stands_still_and_goes_on_as_the_same(
    freezer: Freezer, group: Path, counter: Counter
) -> None:
    """Same process, same start, memory kept, clock right; for the given time (M-02)."""
    pid, began = counter.pid, counter.began()
    before = pauses.boottime()
    assert freezer.freeze(NAME, group, SHORT_S) is None
    after = pauses.boottime()
    still = counter.count()
    while cgroups.is_frozen(group) and pauses.boottime() < before + SHORT_S:
        assert counter.count() == still
        time.sleep(0.02)
    thawed = thaws(group, by=after + SHORT_S)
    assert thawed >= before + SHORT_S, "not before its time"
    assert counter.goes_on()
    assert counter.count() > still, "it counts on from where it was"
    assert (counter.pid, counter.began()) == (pid, began)
    assert counter.clock() == pytest.approx(time.time(), abs=1)
    wait_for(lambda: not freezer.paused(), 5, "no record is left", every=0.02)


def test_an_agent_that_is_killed_leaves_a_guard_that_thaws_in_time(
    agent: subprocess.Popen[str], folder: Path, group: Path, counter: Counter
) -> None:
    """The deadline is kept on the node, not in the agent, nor in its process group (M-02)."""
    pause = pauses.read(pauses.path_of(folder, NAME))
    assert pause is not None
    os.killpg(agent.pid, signal.SIGKILL)
    agent.wait()
    assert cgroups.is_frozen(group), "in the middle of the pause"
    assert thaws(group, by=pause.until) >= pause.until
    assert counter.goes_on()
    wait_for(lambda: not guards(folder), 5, "the guard is gone", every=0.05)
    assert pauses.names(folder) == []


def test_an_agent_that_starts_again_thaws_what_is_overdue(
    agent: subprocess.Popen[str], folder: Path, group: Path, counter: Counter
) -> None:
    """Also where the guard was killed with it (M-02)."""
    kill_all(agent, folder)
    until = overdue(folder)
    assert cgroups.is_frozen(group)
    restarted = Freezer(folder)
    assert restarted.sweep() == [NAME]
    assert not cgroups.is_frozen(group)
    assert pauses.boottime() < until + LATE_S
    assert counter.goes_on()
    assert restarted.paused() == []


def test_an_agent_that_starts_again_gives_a_running_pause_a_new_guard(
    agent: subprocess.Popen[str], folder: Path, group: Path, counter: Counter
) -> None:
    """It may itself be killed the next moment (M-02)."""
    pause = pauses.read(pauses.path_of(folder, NAME))
    assert pause is not None
    kill_all(agent, folder)
    restarted = Freezer(folder)
    assert restarted.sweep() == []
    wait_for(lambda: len(guards(folder)) == 1, 5, "it has a guard again", every=0.01)
    assert cgroups.is_frozen(group)
    assert thaws(group, by=pause.until) >= pause.until
    assert counter.goes_on()
    settle(restarted, folder)


def kill_all(agent: subprocess.Popen[str], folder: Path) -> None:
    """Kills the agent and the guard, as when everything of its container is ended."""
    agent.kill()
    agent.wait()
    for guard in guards(folder):
        kill(guard)


def overdue(folder: Path) -> float:
    """Lets the recorded deadline pass; gives it."""
    record = pauses.path_of(folder, NAME)
    pause = pauses.read(record)
    assert pause is not None
    past = replace(pause, until=pauses.boottime())
    pauses.write(record, past)
    return past.until


def test_a_guard_that_is_asked_to_end_thaws_first(
    freezer: Freezer, folder: Path, group: Path, counter: Counter
) -> None:
    """A node that shuts down leaves nothing frozen, for what is frozen cannot end (M-02)."""
    assert freezer.freeze(NAME, group, LONG_S) is None
    (guard,) = guards(folder)
    os.kill(guard, signal.SIGTERM)
    thaws(group, by=pauses.boottime())
    assert counter.goes_on()
    wait_for(lambda: not is_alive(guard), 5, "the guard is gone", every=0.02)
    assert freezer.sweep() == []


def test_a_pause_can_be_ended_early(
    freezer: Freezer, folder: Path, group: Path, counter: Counter
) -> None:
    assert freezer.freeze(NAME, group, LONG_S) is None
    assert freezer.thaw(NAME)
    assert not cgroups.is_frozen(group)
    assert counter.goes_on()
    assert guards(folder) == []
    assert not freezer.thaw(NAME), "there is none any more"


def test_a_second_pause_of_the_same_instance_is_refused(
    freezer: Freezer, group: Path, counter: Counter
) -> None:
    assert freezer.freeze(NAME, group, LONG_S) is None
    assert freezer.freeze(NAME, group, SHORT_S) == f"{NAME} is paused already"
    assert cgroups.is_frozen(group), "and the first goes on"
    assert counter.pid


def test_a_group_that_goes_takes_its_pause_along(
    freezer: Freezer, folder: Path, group: Path
) -> None:
    """Its pod is gone; nothing waits for it."""
    assert freezer.freeze(NAME, group, SHORT_S) is None
    group.rmdir()
    wait_for(lambda: not guards(folder), SHORT_S + 5, "the guard is gone", every=0.05)
    assert freezer.sweep() == []
    assert freezer.paused() == []


def test_a_guard_moves_out_of_the_agents_control_group(
    folder: Path, group: Path, counter: Counter
) -> None:
    """Else whoever ends the agent's container would end it (M-02)."""
    home = group.with_name(f"{group.name}-home")
    home.mkdir()
    freezer = Freezer(folder, homes=(home,))
    try:
        assert freezer.freeze(NAME, group, LONG_S) is None
        assert guards(folder) == [int((home / "cgroup.procs").read_text(encoding="ascii"))]
        assert freezer.thaw(NAME)
        assert counter.goes_on()
    finally:
        settle(freezer, folder)
        home.rmdir()


def test_without_its_home_nothing_is_frozen(folder: Path, group: Path, counter: Counter) -> None:
    """A guard that could be ended with the agent is none."""
    freezer = Freezer(folder, homes=(group / "missing",))
    why = freezer.freeze(NAME, group, LONG_S)
    assert why is not None
    assert "No such file" in why
    assert not cgroups.is_frozen(group)
    assert counter.goes_on()
    assert freezer.paused() == []


def test_a_pause_of_an_earlier_boot_is_void(freezer: Freezer, folder: Path, group: Path) -> None:
    """Its deadline was told by another clock."""
    folder.mkdir()
    pause = replace(Pause.of(str(group), LONG_S), boot="an earlier one")
    pauses.path_of(folder, NAME).write_text(json.dumps(asdict(pause)), encoding="utf-8")
    assert freezer.sweep() == [NAME]
    assert freezer.paused() == []
