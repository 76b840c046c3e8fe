"""Tests that mostly wait, side by side: a namespace for each, and one operator for all.

    @alongside
    def test_something(world: World) -> None: ...

All such tests that were asked for, of every module, begin with the first of them, each in a thread
while there are threads; its module ends when all have ended, and each gives its own outcome. They
may not touch what is shared, such as the responder's default.
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
MOST: Final = 8
"""Threads; more stories than these wait for their turn."""


class Stories:
    """The stories that were asked for, under way or told."""

    def __init__(self, cluster: LocalCluster, stories: Iterable[Story]) -> None:
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="story")
        self._told: dict[Story, Future[None]] = {
            story: self._pool.submit(self._tell, story) for story in stories
        }

    def outcome_of(self, story: Story) -> None:
        """Wait for the end of one; raises what it raised."""
        self._told[story].result()

    def end(self, *, let_go: bool) -> None:
        """Wait until all have ended; those not begun yet may be let go."""
        self._pool.shutdown(cancel_futures=let_go)

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


TOLD: Final = pytest.StashKey[Stories]()


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> Iterator[Stories]:
    """Every story of the session, begun; served by the operator of the module that is first."""
    told = request.config.stash.get(TOLD, None)
    if told is not None:
        yield told
        return
    operator: OperatorProcess = request.getfixturevalue("operator")
    tests = [item.obj for item in request.session.items if isinstance(item, pytest.Function)]
    under_way = Stories(operator.cluster, [STORIES[test] for test in tests if test in STORIES])
    request.config.stash[TOLD] = under_way
    yield under_way
    under_way.end(let_go=bool(request.session.shouldstop or request.session.shouldfail))
