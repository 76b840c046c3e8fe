"""The supervisor stops what it runs, in order, however its owner ends. Shells play the parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from localcluster.processes import ProcessId, identify, is_running, send
from localcluster.supervisor import Supervisor, SupervisorError, python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OWNER = """
import os, pathlib, sys, time
from localcluster.supervisor import Supervisor
folder = pathlib.Path(sys.argv[1])
supervisor = Supervisor(folder, lock_fd=os.open(folder.parent / "lock", os.O_CREAT | os.O_RDWR))
pids = [supervisor.start(name, ["sleep", "60"]) for name in ("one", "two")]
print(supervisor.identity.pid, *pids, flush=True)
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(2)
    os._exit(0)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cluster"
    made.mkdir()
    return made


@pytest.fixture
def supervisor(folder: Path) -> Iterator[Supervisor]:
    lock_fd = os.open(folder.parent / "lock", os.O_CREAT | os.O_RDWR)
    made = Supervisor(folder, lock_fd=lock_fd)
    os.close(lock_fd)
    yield made
    made.close()


def known(pid: int) -> ProcessId:
    identity = identify(pid)
    assert identity is not None
    return identity


def noting(order: Path, name: str) -> list[str]:
    """Give a part that notes when it is told to end, and then ends."""
    act = f"trap 'echo {name} >>{order}; exit' TERM; echo up; while :; do sleep 0.01; done"
    return ["sh", "-c", act]


def test_parts_end_youngest_first_and_the_folder_goes(
    supervisor: Supervisor, folder: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    order = folder.parent / "order"
    names = ("etcd", "kube-apiserver", "kwok")
    parts = [known(supervisor.start(name, noting(order, name))) for name in names]
    for name in names:
        log = folder / "logs" / f"{name}.log"
        eventually(lambda log=log: log.read_text() == "up\n")  # type: ignore[misc]
    supervisor.close()
    assert order.read_text().split() == ["kwok", "kube-apiserver", "etcd"]
    assert not any(map(is_running, parts))
    assert not folder.exists()


def test_a_restarted_part_keeps_its_place(
    supervisor: Supervisor, folder: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    order = folder.parent / "order"
    supervisor.start("etcd", noting(order, "etcd"))
    supervisor.start("kwok", noting(order, "kwok"))
    supervisor.stop("etcd")
    order.unlink(missing_ok=True)
    supervisor.start("etcd", noting(order, "etcd"))
    eventually(lambda: (folder / "logs" / "etcd.log").read_text().count("up") == 2)
    eventually(lambda: (folder / "logs" / "kwok.log").read_text() == "up\n")
    supervisor.close()
    assert order.read_text().split() == ["kwok", "etcd"]


def test_a_paused_part_still_ends(supervisor: Supervisor) -> None:
    part = known(supervisor.start("paused", ["sleep", "60"]))
    supervisor.signal("paused", signal.SIGSTOP)
    started = time.monotonic()
    supervisor.close()
    assert not is_running(part)
    assert time.monotonic() - started < 4


def test_a_part_deaf_to_sigterm_is_killed(supervisor: Supervisor) -> None:
    act = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    part = known(supervisor.start("deaf", ["sh", "-c", act]))
    supervisor.stop("deaf")
    assert not is_running(part)
    assert supervisor.parts()["deaf"]["code"] is not None


def test_an_ended_part_is_listed_with_its_exit_code(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    supervisor.start("short", ["sh", "-c", "exit 3"])
    eventually(lambda: supervisor.parts()["short"]["code"] == 3)
    supervisor.stop("short")


def test_a_name_is_not_given_twice_while_it_runs(supervisor: Supervisor) -> None:
    supervisor.start("one", ["sleep", "60"])
    with pytest.raises(SupervisorError, match="one is already running"):
        supervisor.start("one", ["sleep", "60"])


def test_a_program_that_is_not_there_is_an_error_and_not_the_end(supervisor: Supervisor) -> None:
    with pytest.raises(SupervisorError, match="FileNotFoundError"):
        supervisor.start("nothing", ["/nowhere/at/all"])
    assert supervisor.parts() == {}


def test_orders_after_the_end_are_refused(supervisor: Supervisor) -> None:
    supervisor.start("one", ["sleep", "60"])
    assert supervisor.identity is not None
    send(supervisor.identity, signal.SIGKILL)
    with pytest.raises(SupervisorError):
        supervisor.stop("one")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_owner_ends_by_a_signal(
    folder: Path, number: signal.Signals, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with owner(folder, "alone") as process:
        processes = pids(process)
        process.send_signal(number)
    eventually(lambda: not any(map(is_running, processes)))
    eventually(lambda: not folder.exists())


def test_a_fork_that_outlives_the_owner_keeps_nothing_alive(
    folder: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with owner(folder, "fork") as process:
        processes = pids(process)
        started = time.monotonic()
        process.kill()
    eventually(lambda: not any(map(is_running, processes)))
    assert time.monotonic() - started < 1.5


def test_the_parts_die_with_a_killed_supervisor(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    part = known(supervisor.start("one", ["sleep", "60"]))
    assert supervisor.identity is not None
    send(supervisor.identity, signal.SIGKILL)
    eventually(lambda: not is_running(part))


def owner(folder: Path, manner: str) -> subprocess.Popen[bytes]:
    """Start a process that owns a supervisor with two parts."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), manner],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=python_environment(),
    )


def pids(process: subprocess.Popen[bytes]) -> list[ProcessId]:
    """Give the supervisor and the parts, once they are up."""
    assert process.stdout is not None
    return [known(int(pid)) for pid in process.stdout.readline().split()]
