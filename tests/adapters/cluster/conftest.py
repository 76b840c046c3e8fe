"""A connection to the scripted API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection
    from tests.adapters.cluster.fake_api import FakeApi


@pytest.fixture
async def connection(api: FakeApi) -> AsyncIterator[Connection]:
    connection = api.connection()
    yield connection
    await connection.close()
