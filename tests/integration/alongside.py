"""Tests that mostly wait, side by side: a namespace for each, and one operator for all.

    @alongside
    def test_something(world: World) -> None: ...

Each folder of tests has a fixture `stories` that says of what kind a namespace is.

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
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

W = TypeVar("W")
Story: TypeAlias = Callable[[W], None]
NewWorld: TypeAlias = Callable[[], AbstractContextManager[Any]]


class Stories:
    """The stories that were asked for, under way or told."""

    def __init__(self, new_world: NewWorld, stories: Iterable[Story[Any]], threads: int) -> None:
        self._new_world = new_world
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="story")
        self._told: dict[Story[Any], Future[None]] = {
            story: self._pool.submit(self._tell, story) for story in stories
        }

    def outcome_of(self, story: Story[Any]) -> None:
        """Wait for the end of one; raises what it raised."""
        self._told[story].result()

    def end(self, *, let_go: bool) -> None:
        """Wait until all have ended; those not begun yet may be let go."""
        self._pool.shutdown(cancel_futures=let_go)

    def _tell(self, story: Story[Any]) -> None:
        with self._new_world() as world:
            story(world)


def alongside(story: Story[W]) -> Callable[[Stories], None]:
    """Make a test of a story: it runs with the others of its module."""

    @functools.wraps(story)
    def test(stories: Stories) -> None:
        stories.outcome_of(story)

    # As pytest reads it, the test asks for `stories`, and not for what the story takes.
    del test.__wrapped__
    assert list(inspect.signature(test).parameters) == ["stories"]
    STORIES[test] = story
    return test


STORIES: Final[dict[Callable[[Stories], None], Story[Any]]] = {}
"""The test that pytest sees -> the story behind it."""


TOLD: Final = pytest.StashKey[Stories]()


def told(
    request: pytest.FixtureRequest, begin: Callable[[], NewWorld], threads: int
) -> Iterator[Stories]:
    """What a fixture of a module yields: every story of the session, begun.

    Args:
        request: of the fixture.
        begin: called by the first module, which ends when all stories have; gives what makes the
            namespace of a story.
        threads: more stories than these wait for their turn.
    """
    begun = request.config.stash.get(TOLD, None)
    if begun is not None:
        yield begun
        return
    new_world = begin()
    tests = [item.obj for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [STORIES[test] for test in tests if test in STORIES]
    under_way = Stories(new_world, wanted, threads)
    request.config.stash[TOLD] = under_way
    yield under_way
    under_way.end(let_go=bool(request.session.shouldstop or request.session.shouldfail))
