"""The scripted API server, started anew for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.cluster.fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    await api.start()
    yield api
    await api.close()
