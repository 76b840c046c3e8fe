"""A receiver of its own for each test, and a folder as a Secret is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaleset_operator.adapters.notifications.notifier import FileNotifier
from tests.adapters.notifications.receiver import Receiver, listening
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as there:
        yield there


@pytest.fixture
def notifier(tmp_path: Path) -> FileNotifier:
    return FileNotifier(tmp_path, lambda: T0)
