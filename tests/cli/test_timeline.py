"""The timeline is one page that needs nothing else, is well-formed, and shows what happened."""

import re
from pathlib import Path

import pytest
from defusedxml import ElementTree

from scaleset_operator.cli.timeline import MOST_ROWS, page
from scaleset_operator.rehearsal.film import Frame, State
from scaleset_operator.rehearsal.summary import summary_of
from tests.cli.test_simulate import simulated, written
from tests.rehearsal.runs import rehearsed

SVG = "{http://www.w3.org/2000/svg}"


async def test_every_instance_is_a_row_and_every_state_a_coloured_span() -> None:
    run = await rehearsed("at=1m fail=web-3; at=4m recover")
    said = page(run, summary_of(run))
    drawing = ElementTree.fromstring(re.search(r"<svg.*</svg>", said, re.DOTALL)[0])  # type: ignore[index]
    titles = [title.text or "" for title in drawing.iter(f"{SVG}title")]
    assert {text.split()[0] for text in titles if text.startswith("web-")} == set(
        run.film.instances
    )
    assert any(text.startswith("web-3 Unhealthy from 0:01:") for text in titles)
    assert [t.text for t in drawing.iter(f"{SVG}text") if (t.text or "").startswith("at=")] == [
        "at=1m fail=web-3",
        "at=4m recover",
    ]
    assert "never more than 1 of 1 allowed" in said


async def test_nothing_is_fetched_and_no_script_runs() -> None:
    run = await rehearsed("", minutes=2)
    said = page(run, summary_of(run))
    addresses = set(re.findall(r"https?://[^\"]*", said))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a language, not a place"
    assert not re.search(r"<script|<link|@import|url\(|src=|href=| on[a-z]+=", said)
    assert "prefers-color-scheme: dark" in said


async def test_text_of_others_is_escaped() -> None:
    run = await rehearsed("at=1m image=<b>&x as=500", minutes=3)
    said = page(run, summary_of(run))
    assert "<b>" not in said
    assert "image=&lt;b&gt;&amp;x" in said


async def test_of_very_many_instances_those_in_which_something_happened_are_drawn() -> None:
    run = await rehearsed("at=1m fail=web-3", minutes=4)
    for number in range(1_000, 1_000 + MOST_ROWS):
        run.film.instances[f"web-{number}"] = [Frame(run.begin, State.HEALTHY)]
    said = page(run, summary_of(run))
    assert said.count('text-anchor="end">web-') == MOST_ROWS
    assert 'text-anchor="end">web-3<' in said


def test_the_file_is_written_and_standard_output_stays_what_it_was(tmp_path: Path) -> None:
    file = written(tmp_path)
    report = tmp_path / "report.html"
    said = simulated(file, "at=1m fail=1", "--html", str(report))
    assert said == simulated(file, "at=1m fail=1")
    assert report.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("place", ["no-such-folder/report.html", "."])
def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, place: str) -> None:
    simulated(written(tmp_path), "", "--html", str(tmp_path / place), code=1)
