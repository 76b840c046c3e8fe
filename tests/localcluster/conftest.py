"""What the tests of the local cluster share: a temp folder of their own, and waiting with an end.

Must not know: the operator, or a running control plane.
"""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def temp_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this test a temp folder nobody else's clusters are in."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Give a wait for a condition, with an end."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 4
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.01)

    return wait
