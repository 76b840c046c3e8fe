"""The small file of starts: three within ten minutes are many, and nothing about it can hurt."""

from datetime import timedelta
from pathlib import Path

import pytest

from scaleset_operator.adapters.starts import Starts
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)


@pytest.fixture
def starts(tmp_path: Path) -> Starts:
    return Starts(tmp_path / "starts")


def noted(starts: Starts, *minutes: float) -> list[bool]:
    return [Starts(starts.path).note(T0 + minute * MINUTE) for minute in minutes]


def test_the_third_start_within_ten_minutes_is_one_too_many(starts: Starts) -> None:
    """X-08, protocol rule 21."""
    assert noted(starts, 0, 4, 9) == [False, False, True]


def test_starts_that_lie_ten_minutes_back_do_not_count(starts: Starts) -> None:
    assert noted(starts, 0, 4, 10, 14.1, 30) == [False, False, False, False, False]


def test_it_goes_on_being_too_many_while_the_restarts_do(starts: Starts) -> None:
    assert noted(starts, *range(20))[2:] == [True] * 18
    assert starts.path.stat().st_size < 500


def test_starts_of_a_clock_that_was_ahead_do_not_count(starts: Starts) -> None:
    """X-10."""
    assert noted(starts, 60, 61, 0, 1) == [False, False, False, False]
    assert noted(starts, 2) == [True]


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", "null", "[7]", '["soon"]', '{"a": 1}', '["2026-11-21T08:00:00"]', "\udcff"],
)
def test_a_file_that_says_nothing_sensible_counts_as_none(starts: Starts, text: str) -> None:
    starts.path.write_bytes(text.encode(errors="surrogateescape"))
    assert noted(starts, 0, 1, 2) == [False, False, True]


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "not yet" / "there" / "starts")
    assert noted(starts, 0, 1, 2) == [False, False, True]


def test_a_file_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    starts = Starts(tmp_path / "a file" / "starts")
    assert noted(starts, 0, 1, 2, 3) == [False] * 4


SERVER = "https://127.0.0.1:6443"


def test_the_file_stands_where_the_service_manager_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert Starts.on(SERVER).path.parent == tmp_path


def test_without_a_service_manager_it_stands_below_the_users_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    starts = Starts.on(SERVER)
    assert starts.path.is_relative_to(tmp_path)
    assert noted(starts, 0, 1, 2) == [False, False, True]


def test_a_user_without_a_home_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def homeless() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Starts.on(SERVER).path.is_relative_to(tmp_path)


def test_operators_of_different_clusters_do_not_count_each_others_starts() -> None:
    assert Starts.on(SERVER).path == Starts.on(SERVER).path
    assert Starts.on(SERVER).path != Starts.on("https://127.0.0.1:6444").path
