"""docs/plugin.md names every command and every option, and the completion scripts every shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from scaleset_operator.cli import app
from scaleset_operator.cli.completion_script import VARIABLE, Shell
from tests.support.fake_plugin import FakeEntrance

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "plugin.md"


def commands() -> Iterator[str]:
    """Every command of the app, groups spelled out."""
    yield from _below(typer.main.get_command(app.build()), "")


def _below(command: object, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name
        return
    for key, each in inner.items():
        yield from _below(each, f"{name} {key}".strip())


def test_the_page_lists_the_commands_there_are_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+(?: [a-z-]+)?)", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_a_help_page(name: str) -> None:
    said = FakeEntrance(away="nobody may connect").run(*name.split(), "--help").stdout
    assert said.count("\n") > 3


@pytest.mark.parametrize("shell", Shell)
def test_each_shell_has_its_script(shell: Shell) -> None:
    said = FakeEntrance(away="nobody may connect").run("completion", shell.value).stdout
    assert VARIABLE in said
    assert "kubectl-scaleset" in said


def test_the_script_of_bash_is_one_that_bash_reads() -> None:
    said = FakeEntrance(away="nobody may connect").run("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=said, text=True, check=True)


def test_a_shell_that_is_not_known_is_refused() -> None:
    said = FakeEntrance().run("completion", "tcsh", code=2).stderr
    assert "bash" in said
