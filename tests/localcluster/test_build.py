"""Building: what it says without Go, how it runs go, what it shows. A script stands in for go."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from localcluster import binaries, build, progress
from localcluster.supervisor import python_environment

if TYPE_CHECKING:
    from pathlib import Path

GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit; fi
echo "$CGO_ENABLED $GOFLAGS $GOWORK $*" >>{folder}/calls
{act}
while [ "$1" != -o ]; do shift; done
echo built >"$2"
"""


def environment(tmp_path: Path, *, version: str | None = "1.26.8", act: str = "") -> dict[str, str]:
    """Give an environment whose PATH holds a pretended go of this version, or none."""
    if version:
        go = tmp_path / "go"
        go.write_text(GO.format(version=version, folder=tmp_path, act=act))
        go.chmod(0o755)
    return {"PATH": f"{tmp_path}:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}


def calls(tmp_path: Path) -> list[str]:
    """Give the go commands that were run."""
    return (tmp_path / "calls").read_text().splitlines()


def test_without_go_and_binaries_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(binaries.MissingToolsError) as caught:
        build.find_or_build({"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    message = str(caught.value)
    for binary in binaries.BINARIES:
        assert binary.name in message
    assert "Go 1.26 or newer" in message
    assert "make demo CLUSTER=kind" in message
    assert "Docker and kind" in message


def test_a_go_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    with pytest.raises(binaries.MissingToolsError, match=r"too old.*go1\.25\.3.*Go 1\.26 or newer"):
        build.find_or_build(environment(tmp_path, version="1.25.3"))


def test_what_is_missing_is_built_once_into_the_cache(tmp_path: Path) -> None:
    where = environment(tmp_path)
    found = build.find_or_build(where, io.StringIO())
    cache = binaries.cache_folder(where)
    assert found == {binary.name: cache / binary.name for binary in binaries.BINARIES}
    assert build.find_or_build(where, io.StringIO()) == found
    assert len(calls(tmp_path)) == len(binaries.BINARIES)


def test_go_is_run_with_pinned_modules_and_without_c(tmp_path: Path) -> None:
    build.find_or_build(environment(tmp_path), io.StringIO())
    for binary, call in zip(binaries.BINARIES, calls(tmp_path), strict=True):
        assert call.startswith("0 -mod=readonly off build -trimpath -ldflags -s -w")
        assert call.endswith(binary.package)
    assert "gitVersion=v1.36.3" in calls(tmp_path)[0]


def test_nothing_half_built_is_left_where_it_would_be_found(tmp_path: Path) -> None:
    where = environment(tmp_path, act="echo no space left >&2; exit 1")
    with pytest.raises(build.BuildError, match="no space left"):
        build.find_or_build(where, io.StringIO())
    assert binaries.find(where) == {}
    assert [path.name for path in binaries.cache_folder(where).iterdir()] == [".lock"]


def test_two_builds_at_once_do_the_work_once(tmp_path: Path) -> None:
    where = environment(tmp_path, act="sleep 0.1")
    code = "from localcluster.build import find_or_build; find_or_build()"
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=python_environment() | where)
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert len(calls(tmp_path)) == len(binaries.BINARIES)


def test_the_display_says_how_many_how_long_and_where(tmp_path: Path) -> None:
    out = io.StringIO()
    where = environment(tmp_path)
    build.find_or_build(where, out)
    first, second, *lines = out.getvalue().splitlines()
    assert "6 binaries, once: about 8 min" in first
    assert str(binaries.cache_folder(where)) in second
    assert lines[0] == "[1/6] kube-apiserver: 0 s of about 270 s"
    assert lines[1] == "[1/6] kube-apiserver: done in 0 s"
    assert lines[-1] == "[6/6] kwok: done in 0 s"


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_is_rewritten_in_place(tmp_path: Path) -> None:
    out = Terminal()
    build.find_or_build(environment(tmp_path), out)
    lines = out.getvalue().splitlines()
    assert lines[2].count("\r\033[K") == 0  # splitlines parts at each carriage return
    assert "\r\033[K[1/6] kube-apiserver: 0 s of about 270 s\r\033[K" in out.getvalue()


def test_away_from_a_terminal_a_long_build_says_so_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.05)
    out = io.StringIO()
    with (
        subprocess.Popen(["sleep", "0.2"]) as process,
        progress.Progress("[1/1] it", 7, out) as shown,
    ):
        assert shown.wait(process) == 0
    first, *between, last = out.getvalue().splitlines()
    assert first == "[1/1] it: 0 s of about 7 s"
    assert 1 <= len(between) <= 4
    assert last == "[1/1] it: done in 0 s"
