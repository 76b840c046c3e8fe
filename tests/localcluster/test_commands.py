"""Running programs: what is given, what a failure says, and that nothing outlives the wait."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from localcluster import progress
from localcluster.commands import CommandError, Commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run() -> Commands:
    return Commands(out=io.StringIO())


def test_what_a_program_prints_is_given(run: Commands) -> None:
    assert run("cat", stdin=b"told") == "told"
    assert run.within(ANSWER="yes")("sh", "-c", "echo $ANSWER") == "yes\n"


def test_a_failure_names_the_program_and_the_end_of_what_it_said(run: Commands) -> None:
    with pytest.raises(CommandError, match=r"^sh -c .* failed:\nno space left$"):
        run("sh", "-c", "echo no space left >&2; exit 1")
    with pytest.raises(CommandError, match="no-such-program"):
        run("no-such-program")
    with pytest.raises(CommandError, match="timed out"):
        run("sleep", "60", timeout=0.01)


def test_success_is_told_from_failure(run: Commands) -> None:
    assert run.succeeds("true")
    assert not run.succeeds("false")
    assert not run.succeeds("no-such-program")


def test_a_long_program_is_shown_and_its_failure_told() -> None:
    out = io.StringIO()
    Commands(out=out).watched("resting", 3, "true")
    assert out.getvalue().splitlines() == ["resting: 0 s of about 3 s", "resting: done in 0 s"]
    with pytest.raises(CommandError, match="broken"):
        Commands(out=out).watched("failing", 3, "sh", "-c", "echo broken; exit 1")
    assert out.getvalue().endswith("failing: failed in 0 s\n")
    with pytest.raises(CommandError, match="no-such-program"):
        Commands(out=out).watched("absent", 3, "no-such-program")


def test_a_program_does_not_outlive_the_wait_for_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    ended = tmp_path / "ended"

    def interrupt(_shown: progress.Progress, _process: object) -> int:
        eventually((tmp_path / "begun").exists)
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "wait", interrupt)
    script = (
        f"trap 'touch {ended}; exit' TERM; touch {tmp_path}/begun; while :; do sleep 0.01; done"
    )
    with pytest.raises(KeyboardInterrupt):
        Commands(out=io.StringIO()).watched("endless", 3, "sh", "-c", script)
    assert ended.exists()
