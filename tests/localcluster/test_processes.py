"""Processes are told apart for good, ended without error, and die with their parents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from localcluster.processes import ProcessId, identify, is_running, send, wait_gone
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT = """
import subprocess, sys, time
from localcluster.processes import dying_with_parent
child = subprocess.Popen(["sleep", "60"], preexec_fn=dying_with_parent())
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_process_is_known_by_its_pid_and_start() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me.pid == os.getpid()
    assert is_running(me)


def test_an_ended_process_is_not_running_even_before_it_is_reaped() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = identify(process.pid)
        assert identity is not None
        assert send(identity, signal.SIGKILL)
        assert wait_gone(identity, 4)
        assert not is_running(identity)
        assert identify(process.pid) is None
    assert not send(identity, signal.SIGTERM)


def test_another_process_with_the_same_pid_is_never_signalled() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = identify(process.pid)
        assert identity is not None
        former = ProcessId(identity.pid, identity.started - 1)
        assert not send(former, signal.SIGKILL)
        assert wait_gone(former, 0)
        assert is_running(identity)
        process.kill()


def test_waiting_for_a_process_that_lives_on_ends_in_time() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert not wait_gone(me, 0.05)


def test_a_child_dies_with_its_killed_parent(
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=python_environment()
    ) as parent:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
    eventually(lambda: not is_running(child))
