"""A gateway with the agent's rules, sixty clients before it and a server behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.agent.namespaces.gateway import Gateway
from tests.support.namespaces import net

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS: Final = 60


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """The rooms and the plane in them; everything goes with the test."""
    with net(CLIENTS) as rooms:
        yield Gateway(rooms)
