"""The program: its commands, its exit status, and the one clock."""

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from scaleset_operator import __main__ as program
from scaleset_operator import __version__, operation
from scaleset_operator.__main__ import SteadyClock, main
from scaleset_operator.adapters.cluster.credentials import UnusableKubeconfigError
from scaleset_operator.adapters.listening import CannotListenError
from scaleset_operator.api import crd, reference
from scaleset_operator.settings import Settings

SECOND = 1_000_000_000


class Times:
    """The machine's two clocks, set by the test."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 21, 8, tzinfo=UTC)
        self.boottime = 5_000 * SECOND

    def clock_gettime_ns(self, which: int) -> int:
        assert which == self.CLOCK_BOOTTIME
        return self.boottime

    def now(self, zone: Any) -> datetime:
        assert zone is UTC
        return self.wall

    def passes(self, seconds: float, *, wall: float | None = None) -> None:
        self.boottime += round(seconds * SECOND)
        self.wall += timedelta(seconds=seconds if wall is None else wall)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    monkeypatch.setattr(program, "time", times)
    monkeypatch.setattr(program, "datetime", times)
    return times


def test_time_goes_on_with_the_machine(times: Times) -> None:
    clock = SteadyClock()
    began = clock.now()
    assert began == times.wall
    times.passes(12.25)
    assert clock.now() - began == timedelta(seconds=12.25)
    assert clock.boottime_ns() == times.boottime


@pytest.mark.parametrize("step", [-3_600.0, 86_400.0])
def test_steps_of_the_wall_clock_do_not_show(times: Times, step: float) -> None:
    """X-10."""
    clock = SteadyClock()
    began = clock.now()
    times.passes(10, wall=step)
    assert clock.now() - began == timedelta(seconds=10)


def test_a_moment_of_boottime_is_dated(times: Times) -> None:
    """X-10."""
    clock = SteadyClock()
    moment = clock.boottime_ns()
    times.passes(30)
    assert clock.at(moment) == clock.now() - timedelta(seconds=30)
    assert clock.at(moment).tzinfo is UTC


def test_the_real_clock_is_the_machines() -> None:
    clock = SteadyClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now() <= clock.now()


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; the definitions are made once for all tests, as it takes long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crd, "custom_resource_definitions", definitions_made_once)
    monkeypatch.setattr(reference, "reference_page", reference_made_once)
    return tmp_path


definitions_made_once: Final = cache(crd.custom_resource_definitions)
reference_made_once: Final = cache(reference.reference_page)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_crds_writes_the_definitions_the_reasons_and_the_metrics(folders: Path) -> None:
    assert main(["crds"]) == 0
    names = written(folders)
    assert {"crds/scaleset.dev_scalesets.yaml", "crds/scaleset.dev_healthprobes.yaml"} <= names
    assert {"docs/api.md", "docs/reasons.md", "docs/metrics.md"} <= names
    assert {name.partition("/")[0] for name in names} == {"crds", "docs"}


def test_crds_writes_where_it_is_told(folders: Path) -> None:
    assert main(["crds", "--output", "a/b", "--docs", "c"]) == 0
    assert {"a/b/scaleset.dev_scalesets.yaml", "c/api.md", "c/reasons.md"} <= written(folders)
    assert not (folders / "crds").exists()


def test_a_check_of_what_was_just_written_is_content_and_writes_nothing(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["crds"])
    before = {name: (folders / name).stat().st_mtime_ns for name in written(folders)}
    assert main(["crds", "--check"]) == 0
    assert {name: (folders / name).stat().st_mtime_ns for name in written(folders)} == before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "stale",
    ["crds/scaleset.dev_healthprobes.yaml", "docs/api.md", "docs/reasons.md", "docs/metrics.md"],
)
@pytest.mark.parametrize("missing", [False, True], ids=["changed", "missing"])
def test_a_check_names_each_file_that_is_not_what_it_should_be(
    folders: Path, capsys: pytest.CaptureFixture[str], stale: str, *, missing: bool
) -> None:
    main(["crds"])
    path = folders / stale
    if missing:
        path.unlink()
    else:
        path.write_text(path.read_text() + "\n")
    assert main(["crds", "--check"]) == 1
    assert capsys.readouterr().err == f"{stale} is not what `make crds` writes\n"
    assert path.exists() is not missing


def test_a_check_where_nothing_was_written_names_all_and_makes_nothing(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crds", "--check"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 7
    assert list(folders.iterdir()) == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"scaleset-operator {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run", "--nonsense"]])
def test_what_is_not_understood_is_told_with_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: scaleset-operator")


class FakeOperation:
    """An operator that has nothing to do, and is told to stop as soon as it runs."""

    stopped_by = signal.SIGTERM
    runs: list[tuple[Settings, object]]
    ended = 0

    def __init__(
        self, settings: Settings, clock: object, record: Callable[[str], object] | None = None
    ) -> None:
        self.runs.append((settings, clock))
        if record is not None:
            record("a line\n")

    async def __aenter__(self) -> Self:
        os.kill(os.getpid(), self.stopped_by)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        type(self).ended += 1


@pytest.fixture
def fake_operation(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeOperation]]:
    monkeypatch.setattr(FakeOperation, "runs", [], raising=False)
    monkeypatch.setattr(FakeOperation, "ended", 0)
    monkeypatch.setattr(operation, "Operation", FakeOperation)
    kopf, root = logging.getLogger("kopf"), logging.getLogger()
    levels, interval = (kopf.level, root.level), sys.getswitchinterval()
    handlers, root.handlers[:] = list(root.handlers), []
    yield FakeOperation
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    kopf.setLevel(levels[0])
    root.setLevel(levels[1])
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_serves_until_a_signal_and_ends_with_success(
    fake_operation: type[FakeOperation], number: signal.Signals
) -> None:
    fake_operation.stopped_by = number
    assert main(["run", "-n", "shop"]) == 0
    ((settings, clock),) = fake_operation.runs
    assert settings == Settings(namespaces=("shop",))
    assert isinstance(clock, SteadyClock)
    assert fake_operation.ended == 1


@pytest.mark.usefixtures("fake_operation")
def test_what_is_recorded_is_added_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_text("the run before\n")
    assert main(["run", "--record", str(file)]) == 0
    assert file.read_text() == "the run before\na line\n"


def test_a_recording_that_cannot_be_written_ends_the_program_with_its_reason(
    fake_operation: type[FakeOperation], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--record", str(tmp_path)]) == 1
    assert "--record" in capfd.readouterr().err
    assert fake_operation.ended == 0


class Terminal(io.StringIO):
    """Where standard errors go."""

    def __init__(self, *, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


@pytest.mark.parametrize(
    ("arguments", "terminal", "as_json"),
    [
        ([], True, False),
        ([], False, True),
        (["--log-format", "json"], True, True),
        (["--log-format", "text"], False, False),
    ],
)
@pytest.mark.usefixtures("fake_operation")
def test_the_log_is_text_on_a_terminal_and_json_elsewhere_unless_told(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], *, terminal: bool, as_json: bool
) -> None:
    stream = Terminal(is_one=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    main(["run", *arguments])
    logging.getLogger("scaleset_operator.test").warning("said")
    assert stream.getvalue().startswith("{") is as_json
    assert "said" in stream.getvalue()


@pytest.mark.usefixtures("fake_operation")
def test_a_setting_that_cannot_be_used_ends_the_program_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALESET_RUN_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as ended:
        main(["run"])
    assert ended.value.code == 2
    assert "SCALESET_RUN_LOG_LEVEL: 'loud' is not allowed" in capsys.readouterr().err


@pytest.mark.parametrize("fault", [CannotListenError, UnusableKubeconfigError])
def test_what_keeps_it_from_starting_ends_the_program_with_its_reason(
    fault: type[Exception],
    fake_operation: type[FakeOperation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(_: FakeOperation) -> None:
        message = "metrics and health cannot be served on 192.0.2.1, port 8081"
        raise fault(message)

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(fake_operation, "__aenter__", refuse)
    assert main(["run"]) == 1
    assert "cannot be served on 192.0.2.1" in stream.getvalue()
    assert "Traceback" not in stream.getvalue()
