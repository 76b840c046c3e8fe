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


def test_a_file_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    starts = Starts(tmp_path / "a file" / "starts")
    assert noted(starts, 0, 1, 2, 3) == [False] * 4


def test_the_file_stands_where_the_service_manager_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    one, other = Starts.on("https://one:6443").path, Starts.on("https://other:6443").path
    assert one.parent == other.parent == tmp_path
    assert one != other, "operators on two clusters do not count each other's starts"


def test_without_a_service_manager_it_is_a_file_of_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in Starts.on("https://one:6443").path.parents
