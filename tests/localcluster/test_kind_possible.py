"""Whether a kind cluster can be had, told in one line. Nothing is run or built here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from localcluster import build
from localcluster.cli import main
from localcluster.kind import cli, machine, possible
from localcluster.kind.cluster import KindCluster
from localcluster.kind.machine import Machine, Restrictions
from localcluster.restricted.engine import EngineError
from tests.localcluster.pretended import Pretended

if TYPE_CHECKING:
    from pathlib import Path

LACKING = Restrictions(no_sys_resource=True, cgroup_v1=True)
ORDINARY = Machine(engine=None, image=None, root=False, missing=(), restrictions=LACKING)
ALONE = dataclasses.replace(ORDINARY, engine="no daemon", image="no daemon", root=True)
BARE = dataclasses.replace(ALONE, missing=("debootstrap", "docker.io"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """A machine with Docker and Go, on which nothing was built yet."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.26.1 linux/amd64\n")
    go.chmod(0o755)
    monkeypatch.setattr(machine, "look", lambda _run: ORDINARY)
    pretended = Pretended(path=str(tmp_path))
    pretended.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    return pretended


def test_containers_run_where_docker_does(run: Pretended) -> None:
    assert possible.why_not(run) is None
    assert possible.packages(run) == ()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            dataclasses.replace(ALONE, root=False),
            "Docker does not answer: no daemon; without it a cluster takes root",
        ),
        (
            dataclasses.replace(ORDINARY, image="no such host"),
            (
                "Docker answers, but kind's node image cannot be had: no such host;"
                " without it a cluster takes root"
            ),
        ),
        (
            BARE,
            (
                "Docker does not answer: no daemon;"
                " without it these packages are missing: debootstrap docker.io"
            ),
        ),
    ],
)
def test_why_they_do_not_is_one_line(
    run: Pretended, monkeypatch: pytest.MonkeyPatch, found: Machine, why: str
) -> None:
    monkeypatch.setattr(machine, "look", lambda _run: found)
    assert possible.why_not(run) == why


@pytest.mark.parametrize("found", [ORDINARY, ALONE])
def test_without_go_it_can_only_be_where_all_was_built(
    run: Pretended, monkeypatch: pytest.MonkeyPatch, found: Machine
) -> None:
    monkeypatch.setattr(machine, "look", lambda _run: found)
    assert possible.why_not(run) is None
    run.environment["PATH"] = ""
    why = possible.why_not(run)
    assert why is not None
    assert why.startswith("Not found: kind; nor is Go, to build them.")
    assert "\n" not in why
    monkeypatch.setattr(build, "_absent", lambda *_: ())
    assert possible.why_not(run) is None


def test_only_root_is_told_which_packages_to_install(
    run: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    for found, told in (
        (BARE, BARE.missing),
        (dataclasses.replace(BARE, root=False), ()),
        (dataclasses.replace(BARE, engine=None), BARE.missing),
        (dataclasses.replace(BARE, engine=None, image=None), ()),
    ):
        monkeypatch.setattr(machine, "look", lambda _run, found=found: found)
        assert possible.packages(run) == told


def test_a_log_is_told_by_its_last_line() -> None:
    error = EngineError("dockerd did not start; its log says:\nhello\n  no right to mount ")
    assert possible.one_line(error) == "dockerd did not start; its log says: no right to mount"


def test_a_script_asks_by_exit_code_and_is_told_the_line(
    run: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "KindCluster", lambda: KindCluster(run))
    assert main(["kind", "possible"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(machine, "look", lambda _run: BARE)
    assert main(["kind", "possible"]) == 1
    assert capsys.readouterr().out.count("\n") == 1
    assert main(["kind", "packages"]) == 0
    assert capsys.readouterr().out == "debootstrap\ndocker.io\n"
