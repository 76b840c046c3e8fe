"""The command line where no cluster is up, or where one is only pretended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from localcluster import binaries, build, cli, slots
from localcluster.processes import identify, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pretended() -> Iterator[subprocess.Popen[bytes]]:
    """Pretend that a cluster `mine` is up: one process is both its owner and its supervisor."""
    with (
        contextlib.closing(slots.take()) as slot,
        subprocess.Popen(["sleep", "60"]) as process,
    ):
        slot.write_state(
            {
                "name": "mine",
                "owner": identify(process.pid),
                "supervisor": identify(process.pid),
                "processes": {"etcd": {"pid": process.pid, "started": 1, "code": None}},
                "server": "https://127.0.0.1:6443",
                "kubeconfig": "/somewhere/admin.kubeconfig",
                "responder": 8080,
                "podCIDR": slot.pod_cidr,
            }
        )
        yield process
        process.kill()


@pytest.mark.usefixtures("temp_root")
def test_status_says_when_nothing_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == "no cluster is up\n"
    assert cli.main(["status", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.usefixtures("temp_root")
def test_down_says_when_there_is_nothing_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["down", "--name", "mine"]) == 0
    assert capsys.readouterr().out == "no cluster 'mine' is up\n"


@pytest.mark.usefixtures("temp_root", "pretended")
def test_status_shows_how_to_reach_a_cluster_and_which_parts_live(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "export KUBECONFIG=/somewhere/admin.kubeconfig" in shown
    assert "127.16.0.0/16" in shown
    # Its pid was given to another process: the start time says so.
    assert shown.split()[-1] == "ended"


@pytest.mark.usefixtures("temp_root")
def test_down_ends_exactly_the_recorded_process(
    pretended: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    identity = identify(pretended.pid)
    assert identity is not None
    assert cli.main(["down", "--name", "other"]) == 0
    assert is_running(identity)
    assert cli.main(["down", "--name", "mine"]) == 0
    assert not is_running(identity)
    assert "mine: stopped" in capsys.readouterr().out


@pytest.mark.usefixtures("temp_root", "pretended")
def test_a_name_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--name", "mine"]) == 1
    assert "'mine' is already up" in capsys.readouterr().err


@pytest.mark.usefixtures("temp_root")
def test_up_without_go_and_binaries_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> None:
        message = "install Go"
        raise binaries.MissingToolsError(message)

    monkeypatch.setattr(build, "find_or_build", nothing)
    assert cli.main(["up"]) == 1
    assert capsys.readouterr().err == "error: install Go\n"


VERBS = (
    *("up", "down", "build", "possible", "packages", "status"),
    *("load", "instance", "metrics", "dns", "python-base"),
)
KIND = (["kind", verb] for verb in VERBS)


@pytest.mark.parametrize(
    "command", [[], ["up"], ["down"], ["status"], ["build"], ["kind"], *KIND], ids=" ".join
)
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage: localcluster" in capsys.readouterr().out


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_left_out_when_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], *, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert (cli._red("error") != "error") is coloured  # noqa: SLF001
    assert os.environ.get("NO_COLOR") == setting.get("NO_COLOR")
