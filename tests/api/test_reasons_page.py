"""docs/reasons.md: current, whole, and of use to whoever waits for a repair."""

import re
from pathlib import Path

import pytest

from scaleset_operator.api.outboundreasons import (
    OUTBOUND_ADVICE,
    OUTBOUND_REASON_TEXT,
    OutboundReason,
)
from scaleset_operator.api.reasons import REASON_TEXT, Reason
from scaleset_operator.api.reasons_page import ADVICE, REASONS_FILE, groups, reasons_page

PAGE = Path(__file__).parents[2] / "docs" / REASONS_FILE
ROWS = [line.strip("| ").split(" | ") for line in reasons_page().splitlines() if line[:3] == "| `"]
TEXTS = sorted(
    {
        *REASON_TEXT.values(),
        *ADVICE.values(),
        *OUTBOUND_REASON_TEXT.values(),
        *OUTBOUND_ADVICE.values(),
    }
)


def test_the_page_is_what_the_codes_say_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == reasons_page(), "run `make crds`"


def test_the_page_names_every_code_once_with_its_meaning() -> None:
    """X-11: the set of codes is finite and documented."""
    assert [row[0] for row in ROWS] == [f"`{code}`" for code in (*Reason, *OutboundReason)]
    assert [row[1] for row in ROWS] == [
        *(REASON_TEXT[code] for code in Reason),
        *(OUTBOUND_REASON_TEXT[code] for code in OutboundReason),
    ]


def test_a_code_means_one_thing_on_every_kind() -> None:
    """X-11: what an OutboundRule says by a code of the others' is not told twice."""
    assert {code.value for code in OutboundReason} & {code.value for code in Reason} == set()


def test_the_groups_are_those_of_the_list_and_together_all_of_it() -> None:
    source = Path(__file__).parents[2] / "operator/scaleset_operator/api/reasons.py"
    headings = re.findall(r"^    # (.*)\.$", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert [title for title, _ in groups()] == headings
    assert [code for _, codes in groups() for code in codes] == list(Reason)


def test_every_code_says_what_to_do() -> None:
    """X-11."""
    assert ADVICE.keys() == set(Reason)
    assert OUTBOUND_ADVICE.keys() == set(OutboundReason)
    told = {c.value: ADVICE[c] for c in Reason}
    told |= {c.value: OUTBOUND_ADVICE[c] for c in OutboundReason}
    assert {row[0].strip("`"): row[2] for row in ROWS} == told


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_breaks_the_table(text: str) -> None:
    assert "|" not in text
    assert "\n" not in text
    assert text.endswith(".")
