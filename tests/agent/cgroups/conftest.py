"""A control group of the test's own, of each version, with a process in it that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaleset_operator.agent import cgroups
from scaleset_operator.agent.freezer import Freezer
from tests.agent.cgroups.guards import settle
from tests.support.frost import Counter, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["v1", "v2"])
def group(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A control group; thawed and removed whatever happens."""
    with made(request.param) as there:
        yield there
        cgroups.thaw(there)


@pytest.fixture
def counter(group: Path, tmp_path: Path) -> Iterator[Counter]:
    """A process in it."""
    counting = Counter(group, tmp_path / "count")
    yield counting
    cgroups.thaw(group)
    counting.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the records of pauses stand."""
    return tmp_path / "pauses"


@pytest.fixture
def freezer(folder: Path) -> Iterator[Freezer]:
    """The agent's; whatever it still holds goes with the test."""
    freezing = Freezer(folder)
    yield freezing
    settle(freezing, folder)
