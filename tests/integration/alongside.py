"""Tests that mostly wait, side by side: a namespace for each, and one operator for all.

    @alongside
    def test_something(world: World) -> None: ...

All such tests of a module that were asked for begin with the first of them, each in a thread; each
then gives its own outcome. They may not touch what is shared, such as the responder's default.
It must not know what any of them proves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from tests.integration.world import World, new_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localcluster.cluster import LocalCluster
    from tests.integration.operator_fixture import OperatorProcess

Story: TypeAlias = Callable[[World], None]
MOST: Final = 12
"""Threads; more stories than these wait for their turn."""


class Stories:
    """The stories of one module, under way."""

    def __init__(self, cluster: LocalCluster, stories: Iterable[Story]) -> None:
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="story")
        self._told: dict[Story, Future[None]] = {
            story: self._pool.submit(self._tell, story) for story in stories
        }

    def outcome_of(self, story: Story) -> None:
        """Wait for the end of one; raises what it raised."""
        self._told[story].result()

    def end(self) -> None:
        """Wait for those under way; the others are let go."""
        self._pool.shutdown(cancel_futures=True)

    def _tell(self, story: Story) -> None:
        with new_world(self._cluster, "story") as world:
            story(world)


def alongside(story: Story) -> Callable[[Stories], None]:
    """Make a test of a story: it runs with the others of its module."""

    @functools.wraps(story)
    def test(stories: Stories) -> None:
        stories.outcome_of(story)

    # As pytest reads it, the test asks for `stories`, and not for what the story takes.
    del test.__wrapped__
    assert list(inspect.signature(test).parameters) == ["stories"]
    STORIES[test] = story
    return test


STORIES: Final[dict[Callable[[Stories], None], Story]] = {}
"""The test that pytest sees -> the story behind it."""


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest, operator: OperatorProcess) -> Iterator[Stories]:
    """Every story of the module that was asked for, begun."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [item.obj for item in tests if item.path == request.path]
    under_way = Stories(operator.cluster, [STORIES[test] for test in asked if test in STORIES])
    yield under_way
    under_way.end()
