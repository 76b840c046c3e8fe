"""docs/simulate.md names every option and every clause that there is, and no other."""

import re
from pathlib import Path

import typer

from scaleset_operator.cli import app
from scaleset_operator.cli.call import OPTIONS
from scaleset_operator.cli.scenario import ACTS

PAGE = Path(__file__).parents[2] / "docs" / "simulate.md"


def rows(heading: str) -> set[str]:
    """The words in code at the begin of the rows below a heading: options, or clauses."""
    part = PAGE.read_text().partition(heading)[2].partition("\n#")[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    found = (re.match(r"[-a-z]+", word) for cell in cells for word in re.findall(r"`(.*?)`", cell))
    return {match[0] for match in found if match}


def test_the_page_lists_the_options_there_are_and_no_other() -> None:
    command = typer.main.get_command(app.build()).commands["simulate"]  # type: ignore[attr-defined]
    shared = {name for name, _, _ in OPTIONS} | {"help"}
    own = {
        option
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name not in shared
        for option in parameter.opts
        if option != "--filename"  # Its short form is the one that people use.
    }
    assert rows("# Rehearsing") == own


def test_the_page_lists_the_clauses_there_are_and_no_other() -> None:
    words = {"pods", "start", "restart", "all"}
    assert rows("## The scenario") - words == set(ACTS) - words
