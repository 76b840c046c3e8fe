"""How the tests on the control plane are dealt out to workers: by file, what takes longest first.

Stories are one group: they run side by side within one worker, and would be told in each that has
any. It must not know what a test proves.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

ROOT: Final = Path(__file__).parents[2]
STORIES: Final = "stories"
LONGEST: Final = (
    "tests/integration/test_demo.py",
    STORIES,
    "tests/integration/test_silence.py",
    "tests/integration/test_maintenance.py",
    "tests/integration/test_steady_state.py",
    "tests/integration/test_node_maintenance.py",
    "tests/chaos/test_kills.py",
    "tests/chaos/test_leadership.py",
    "tests/integration/test_replay.py",
    "tests/integration/test_plugin_acts.py",
    "tests/integration/test_plugin.py",
    "tests/integration/test_rollout_stopped.py",
    "tests/integration/test_owner_references.py",
    "tests/integration/test_localcluster.py",
    "tests/integration/test_bench_smoke.py",
    "tests/integration/test_rotation_probe.py",
    "tests/integration/test_network_policy.py",
    "tests/integration/test_rights_used.py",
)
"""Groups that take 40 seconds and more, the longest first: begun last, they would be waited for."""
_STORY: Final = re.compile(r"^@alongside$", re.MULTILINE)
"""What marks a story. By its text: whoever deals out has names of tests, and imports none."""


class Dealing:
    """The plugin."""

    @pytest.hookimpl(trylast=True)  # Once they are shuffled.
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sorts tests by their groups."""
        items[:] = longest_first(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> ByGroup:
        """Deals groups out in the order in which they come, and not by how many tests they have."""
        config.option.loadscopereorder = False
        return ByGroup(config, log)


class ByGroup(LoadFileScheduling):
    """A worker has a group to itself."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def longest_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Those that take longest first; groups, and the tests of each, in the order they had."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    dealt: dict[str, list[pytest.Item]] = {}
    for item in items:
        dealt.setdefault(group_of(item.nodeid), []).append(item)
    names = sorted(dealt, key=lambda name: rank.get(name, len(rank)))
    return [item for name in names for item in dealt[name]]


@cache
def group_of(nodeid: str) -> str:
    """What a test is dealt out with: those of its file, or all stories."""
    file = nodeid.partition("::")[0]
    told = _STORY.search((ROOT / file).read_text(encoding="utf-8"))
    return STORIES if told else file
