"""The counter, set up anew for each test."""

from __future__ import annotations

import pytest

from tests.adapters.scheduled_events.counter import Counter


@pytest.fixture
def counter() -> Counter:
    return Counter()
