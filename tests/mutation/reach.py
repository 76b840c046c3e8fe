"""What each test reaches: which lines of `core` it runs, and how long it takes.

Measured once, and kept: anew for a test whose file has changed, for all of them when `core` has.
Must not know: what the mutants are about.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import coverage

from tests.mutation.mutants import CORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from tests.mutation.mutants import Mutant

Measured = dict[str, tuple[float, dict[str, list[int]]]]


class Reach(NamedTuple):
    """One test.

    Attributes:
        mark: of its file, as it was when this was measured.
        seconds: of processor time that it takes; less than nothing where it fails.
        lines: name of the module -> the lines of it that it runs.
    """

    mark: str
    seconds: float
    lines: dict[str, frozenset[int]]


class Reaches:
    """What is known of every test, in one file."""

    def __init__(self, path: Path, core: str, tests: dict[str, Reach]) -> None:
        self._path = path
        self._core = core
        self._tests = tests

    @classmethod
    def kept_in(cls, path: Path) -> Reaches:
        """As it was kept; empty when `core` has changed since."""
        core = _mark(*sorted(CORE.glob("*.py")))
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        tests = known.get("tests", {}) if known.get("core") == core else {}
        return cls(path, core, {name: _read(*values) for name, values in tests.items()})

    def unknown(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Those that were never measured, or not as they are now."""
        marks = _Marks()
        known = {name: reach.mark for name, reach in self._tests.items()}
        return [item for item in items if known.get(item.nodeid) != marks[item.path]]

    def learn(self, items: Iterable[pytest.Item], found: Measured) -> None:
        """Take in what was measured, and keep it."""
        marks = _Marks()
        for item in items:
            seconds, lines = found.get(item.nodeid, (-1.0, {}))
            self._tests[item.nodeid] = _read(marks[item.path], seconds, lines)
        tests = {
            name: (mark, seconds, {module: sorted(run) for module, run in lines.items()})
            for name, (mark, seconds, lines) in self._tests.items()
        }
        self._path.write_text(json.dumps({"core": self._core, "tests": tests}), "utf-8")

    def seconds(self, item: pytest.Item) -> float:
        """Processor time that a test takes."""
        return self._tests[item.nodeid].seconds

    def reaching(self, mutant: Mutant, items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
        """Those that run the changed lines.

        For a constant those that run a module which names it, and those in a file that names it.
        """
        name = mutant.where.split()[-1]
        for item in items:
            lines = self._tests[item.nodeid].lines
            if mutant.in_function:
                reaches = not lines.get(mutant.module, frozenset()).isdisjoint(mutant.lines)
            else:
                named = not _naming(name).isdisjoint(lines)
                reaches = named or _names(item.path, name)
            if reaches:
                yield item


def is_own(item: pytest.Item, mutant: Mutant) -> bool:
    """Whether the test stands in the file about the changed module, or about what is changed."""
    named = not mutant.in_function and _names(item.path, mutant.where.split()[-1])
    return named or item.path.name == f"test_{mutant.module}.py"


@cache
def _naming(name: str) -> frozenset[str]:
    """The modules of `core` whose source names a constant or a class."""
    return frozenset(path.stem for path in CORE.glob("*.py") if _names(path, name))


@cache
def _names(path: Path, name: str) -> bool:
    return re.search(rf"\b{name}\b", path.read_text("utf-8")) is not None


class _Marks(dict["Path", str]):
    """The mark of each file, made once."""

    def __missing__(self, path: Path) -> str:
        self[path] = _mark(path)
        return self[path]


def _mark(*paths: Path) -> str:
    told = hashlib.sha256()
    for path in paths:
        told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _read(mark: str, seconds: float, lines: dict[str, list[int]]) -> Reach:
    return Reach(mark, seconds, {module: frozenset(run) for module, run in lines.items()})


def with_next(items: Sequence[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the one that follows it."""
    return zip(items, [*items[1:], None], strict=True)


def measured(
    items: Sequence[pytest.Item], fails: Callable[[pytest.Item, pytest.Item | None], bool]
) -> Measured:
    """Run every test once; one that fails without any mutant is told, and asked for nothing."""
    cover = coverage.Coverage(data_file=None, config_file=False, include=[f"{CORE}/*"])
    took: dict[str, float] = {}
    cover.start()
    for item, after in with_next(items):
        cover.switch_context(item.nodeid)
        begun = time.process_time()
        if fails(item, after):
            sys.stderr.write(f"fails without a mutant: {item.nodeid}\n")
        else:
            took[item.nodeid] = time.process_time() - begun
    cover.stop()
    data = cover.get_data()
    lines: defaultdict[str, defaultdict[str, list[int]]]
    lines = defaultdict(lambda: defaultdict(list))
    for path in data.measured_files():
        for line, tests in data.contexts_by_lineno(path).items():
            for test in tests:
                lines[test][path.rpartition("/")[2].removesuffix(".py")].append(line)
    return {test: (seconds, lines[test]) for test, seconds in took.items()}
