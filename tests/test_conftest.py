"""What the settings of the whole run promise of its properties."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import DEV_EXAMPLES, shorten


def test_a_property_that_is_shortened_runs_with_fewer_examples() -> None:
    seen = []

    @given(st.integers())
    def holds(number: int) -> None:
        seen.append(number)

    assert shorten(holds)
    holds()
    assert len(seen) == DEV_EXAMPLES
    assert not shorten(holds), "it is so already"


def test_a_property_that_names_its_own_number_keeps_it() -> None:
    seen = []

    @settings(max_examples=70, database=None)
    @given(st.integers())
    def holds(number: int) -> None:
        seen.append(number)

    assert not shorten(holds)
    holds()
    assert len(seen) == 70
