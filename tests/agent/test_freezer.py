"""Pauses that are refused, and groups that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaleset_operator.agent import cgroups
from scaleset_operator.agent.cgroups import CgroupError
from scaleset_operator.agent.freezer import Freezer

if TYPE_CHECKING:
    from pathlib import Path


def switch(group: Path, state: str) -> None:
    """Makes it look like a group of version 1 in this state."""
    (group / "freezer.state").write_text(f"{state}\n", encoding="ascii")


@pytest.mark.parametrize("seconds", [0, -1, 301, float("nan")])
def test_a_pause_of_no_sensible_length_is_refused(tmp_path: Path, seconds: float) -> None:
    why = Freezer(tmp_path).freeze("web-7", tmp_path, seconds)
    assert why is not None
    assert "allowed: above 0 to 300 s" in why


@pytest.mark.parametrize("name", ["", "../web-7", ".", "web 7", "a" * 252])
def test_a_name_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    why = Freezer(tmp_path / "pauses").freeze(name, tmp_path, 1)
    assert why == f"{name!r} is no name for a pause"


def test_what_is_no_control_group_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    freezer = Freezer(tmp_path / "pauses")
    why = freezer.freeze("web-7", tmp_path, 1)
    assert why == f"{tmp_path} is no control group that can be frozen"
    assert freezer.paused() == []


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    why = Freezer(tmp_path / "file").freeze("web-7", tmp_path, 1)
    assert why is not None
    assert why.startswith("no guard could be started")


def test_a_group_that_does_not_stand_still_is_thawed_again(tmp_path: Path) -> None:
    """It is FREEZING for ever: one of its processes sleeps and cannot be woken."""

    class Sleeper(type(tmp_path)):  # type: ignore[misc]
        def write_text(self, data: str, *args: object, **kwargs: object) -> int:
            told = "FREEZING" if data == "FROZEN" else data
            return int(super().write_text(told, *args, **kwargs))

    group = Sleeper(tmp_path)
    switch(tmp_path, "THAWED")
    with pytest.raises(CgroupError, match=r"does not stand still after 0\.02 s"):
        cgroups.freeze(group, within=0.02)
    assert (tmp_path / "freezer.state").read_text(encoding="ascii") == "THAWED"


def test_a_group_that_is_gone_is_thawed_by_that(tmp_path: Path) -> None:
    assert not cgroups.thaw(tmp_path / "gone")
    assert not cgroups.is_frozen(tmp_path / "gone")


def test_a_group_that_cannot_be_thawed_is_told(tmp_path: Path) -> None:
    (tmp_path / "freezer.state").mkdir()
    with pytest.raises(CgroupError, match="cannot be thawed: "):
        cgroups.thaw(tmp_path)


def test_a_group_that_cannot_be_frozen_is_told(tmp_path: Path) -> None:
    (tmp_path / "freezer.state").mkdir()
    with pytest.raises(CgroupError, match="cannot be frozen: "):
        cgroups.freeze(tmp_path)
