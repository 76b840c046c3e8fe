"""What the operator is not for is written down where people ask."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

FAQ: Final = Path(__file__).parents[1] / "docs" / "faq.md"


@pytest.mark.parametrize("what", ["moved between owners", "clustered runtime", "Service Fabric"])
def test_what_is_out_of_scope_is_recorded(what: str) -> None:
    """R-59."""
    _, section = FAQ.read_text(encoding="utf-8").split("## What is out of its scope?")
    assert what in section.split("\n## ")[0]
