"""The demo as a person runs it: what it shows, that it leaves nothing behind, what it refuses."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
MARK: Final = "DEMO_OF_THIS_TEST"
"""A variable of the demo's environment: every process that it starts inherits it."""
CLAIMS: Final = (
    "at no moment more than 2 of 40 under repair (most seen: 2)",
    "deleted: the 5 broken instances, each once, and no other",
    "none deleted within its grace of 20 s",
    "each has one successor, and it was Healthy",
    "while all 40 were silent: nothing deleted, all kept in rotation",
    "in the end 40 of 40 are Healthy, 40 Ready",
)
RUN_WITHIN_S: Final = 240.0
STEP_WITHIN_S: Final = 60.0
END_WITHIN_S: Final = 30.0


class Demo:
    """One run, its output, and every process that came of it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        # Wide, so that no sentence is folded.
        added = {MARK: self.mark, "COLUMNS": "200", "NO_COLOR": "1", **environment}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "demo" / "run.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **added},
        )
        self.said = ""

    def read_until(self, words: str, within: float) -> None:
        """Read its output up to these words; fails when they do not come, in seconds."""
        deadline = time.monotonic() + within
        while words not in self.said and self._read(deadline):
            continue
        assert words in self.said, self.said

    def end(self) -> int:
        """Read the rest; gives the exit status."""
        deadline = time.monotonic() + RUN_WITHIN_S
        while self._read(deadline):
            continue
        return self.process.wait(END_WITHIN_S)

    def _read(self, deadline: float) -> bool:
        """Whether there may be more to read."""
        assert self.process.stdout is not None
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self.process.stdout], [], [], left)[0]:
            return False
        piece = os.read(self.process.stdout.fileno(), 1 << 16)
        self.said += piece.decode()
        return bool(piece)

    def processes(self) -> dict[int, str]:
        """Those that run and bear the mark: pid -> command line."""
        wanted = f"{MARK}={self.mark}".encode()
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found[int(folder.name)] = b" ".join(words).decode(errors="replace")
        return found

    def left_behind(self) -> dict[int, str]:
        """What still runs a while after the end; empty as soon as nothing does."""
        deadline = time.monotonic() + END_WITHIN_S
        while (running := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return running

    def close(self) -> None:
        """End it, whatever happened."""
        self.process.terminate()
        self.end()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def demos() -> Iterator[contextlib.ExitStack]:
    """What is pushed here is closed at the end."""
    with contextlib.ExitStack() as stack:
        yield stack


def started(demos: contextlib.ExitStack, *arguments: str, **environment: str) -> Demo:
    """A run that is ended with the test."""
    demo = Demo(*arguments, **environment)
    demos.callback(demo.close)
    return demo


def test_the_demo_repairs_five_of_forty_and_proves_what_it_promises(
    demos: contextlib.ExitStack,
) -> None:
    demo = started(demos)
    assert demo.end() == 0, demo.said
    for claim in CLAIMS:
        assert f"held    {claim}" in demo.said, demo.said
    assert "BROKEN" not in demo.said
    for seen in ("InGracePeriod", "BatchLimitReached", "ProbeInconclusive", "What to try next"):
        assert seen in demo.said, demo.said
    assert demo.left_behind() == {}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(signal.SIGINT, "Create a ScaleSet", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, "crds/ is applied", id="SIGTERM"),
        pytest.param(signal.SIGKILL, "all 40 are Ready", id="SIGKILL"),
    ],
)
def test_a_demo_that_is_stopped_leaves_no_process_behind(
    demos: contextlib.ExitStack, number: signal.Signals, words: str
) -> None:
    demo = started(demos)
    demo.read_until(words, STEP_WITHIN_S)
    before = " ".join(demo.processes().values())
    assert "etcd" in before, before
    demo.process.send_signal(number)
    status = demo.end()
    assert status == (-number if number is signal.SIGKILL else 128 + number), demo.said
    assert "Traceback" not in demo.said
    assert demo.left_behind() == {}


def test_a_demo_that_is_kept_stays_until_ctrl_c_and_breaks_what_it_is_asked_to(
    demos: contextlib.ExitStack,
) -> None:
    demo = started(demos, "--keep")
    demo.read_until("What to try next, in another terminal", RUN_WITHIN_S)
    demo.read_until("operator.log", STEP_WITHIN_S)
    examples = [line.split("$ ", 1)[1] for line in demo.said.splitlines() if " $ " in line]
    exports = [line for line in examples if line.startswith("export ")]
    annotate = next(line for line in examples if "annotate pod" in line)
    done = subprocess.run(
        ["bash", "-c", "; ".join([*exports, annotate])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    demo.read_until(f"{annotate.split()[3]} is Unhealthy, WrongStatus", STEP_WITHIN_S)
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.said
    assert demo.left_behind() == {}


def test_a_cluster_that_is_not_there_is_refused_in_words(demos: contextlib.ExitStack) -> None:
    demo = started(demos, CLUSTER="moon")
    assert demo.end() == 2
    assert "There is no CLUSTER=moon: only local and kind." in demo.said
    assert "Traceback" not in demo.said
