"""Which test proves which requirement: the generator and the checker of docs/requirements.md.

A test belongs to a requirement when its docstring names the ID. Tests are found by reading the
source, so that nothing has to be imported and parametrised tests count once. Run as a script it
fills the table's last column; with `--check` it only tells what is wrong with it.
Must not know: what any requirement means, or the operator's code.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
MAP: Final = ROOT / "docs" / "requirements.md"
TESTS: Final = ROOT / "tests"

HOW_MANY: Final = {"R": 60, "S": 34, "M": 26, "V": 32, "P": 32, "X": 12}
IDS: Final = tuple(
    f"{letter}-{number:02}" for letter, last in HOW_MANY.items() for number in range(1, last + 1)
)
NOT_YET: Final = "not yet"

_ID: Final = re.compile(r"\b([RSMVPX])-(\d\d)\b(?:\.\.\1-(\d\d)\b)?")
_ROW: Final = re.compile(r"^\| ([RSMVPX]-\d\d) \| (.*?) \| (.*?) \|$", re.MULTILINE)
_COVERAGE: Final = re.compile(r"^Proved so far: .*$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One line of the table: the ID, the statement, and the node paths of the tests."""

    id: str
    statement: str
    tests: tuple[str, ...]


def ids_named_in(text: str | None) -> Iterator[str]:
    """Gives each ID that stands in `text`; `R-01..R-03` names three."""
    for letter, first, last in _ID.findall(text or ""):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letter}-{number:02}"


def proofs_in_source(source: str) -> Iterator[tuple[str, str]]:
    """Gives (name path, docstring) of each test in one module, as `test_x` or `TestX::test_y`.

    A test class that is given a hypothesis state machine, as in `TestX = Machine.TestCase`, speaks
    with the docstrings of the machine and of its steps.
    """
    body = ast.parse(source).body
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                yield node.name, ast.get_docstring(node) or ""
            case ast.ClassDef() if node.name.startswith("Test"):
                for test in _functions(node):
                    if test.name.startswith("test_"):
                        yield f"{node.name}::{test.name}", ast.get_docstring(test) or ""
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Attribute(value=ast.Name(id=machine), attr="TestCase"),
            ) if machine in classes:
                yield name, _whole_docstring(classes[machine])


def _functions(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [step for step in node.body if isinstance(step, ast.FunctionDef | ast.AsyncFunctionDef)]


def _whole_docstring(machine: ast.ClassDef) -> str:
    parts = [machine, *_functions(machine)]
    return "\n".join(ast.get_docstring(part) or "" for part in parts)


def proofs_by_id(tests: Path = TESTS) -> dict[str, tuple[str, ...]]:
    """Reads every `test_*.py` under `tests`: ID to the sorted node paths of its tests."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(tests.rglob("test_*.py")):
        node_path = path.relative_to(tests.parent).as_posix()
        for name, docstring in proofs_in_source(path.read_text(encoding="utf-8")):
            for requirement in ids_named_in(docstring):
                found[requirement].add(f"{node_path}::{name}")
    return {requirement: tuple(sorted(names)) for requirement, names in found.items()}


def rows_of(text: str) -> list[Row]:
    """Reads the rows of the map; a cell of `not yet` gives no tests."""
    return [
        Row(id_, statement, () if cell == NOT_YET else tuple(re.findall(r"`([^`]*)`", cell)))
        for id_, statement, cell in _ROW.findall(text)
    ]


def filled(text: str, tests: Mapping[str, Sequence[str]]) -> str:
    """Gives the map with the tests written into its last column, and counted."""

    def fill(row: re.Match[str]) -> str:
        cell = "<br>".join(f"`{test}`" for test in tests.get(row[1], ())) or NOT_YET
        return f"| {row[1]} | {row[2]} | {cell} |"

    proved = sum(1 for id_ in IDS if tests.get(id_))
    return _COVERAGE.sub(f"Proved so far: {proved} of {len(IDS)}.", _ROW.sub(fill, text))


def faults(text: str, tests: Mapping[str, Sequence[str]]) -> list[str]:
    """Says in one line each what is wrong with the map; an empty list when nothing is."""
    standing = [row.id for row in rows_of(text)]
    return [
        *(f"{id_} is missing from the map" for id_ in IDS if id_ not in standing),
        *(f"{id_} stands in the map more than once" for id_ in _repeated(standing)),
        *(f"{id_} stands in the map and is no requirement" for id_ in _unknown(standing)),
        *(f"{tests[id_][0]} names {id_}, which is no requirement" for id_ in _unknown(tests)),
        *_differences(rows_of(text), tests),
        *([] if filled(text, tests) == text else ["the map is out of date: `make requirements`"]),
    ]


def _repeated(ids: Sequence[str]) -> list[str]:
    return sorted({id_ for id_ in ids if ids.count(id_) > 1})


def _unknown(ids: Iterable[str]) -> list[str]:
    return sorted(set(ids) - set(IDS))


def _differences(rows: Iterable[Row], tests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for row in rows:
        there = set(tests.get(row.id, ()))
        for test in sorted(set(row.tests) - there):
            yield f"{row.id} claims {test}, which is not there or does not name it"
        for test in sorted(there - set(row.tests)):
            yield f"{row.id} does not list {test}, which names it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills the map, or checks it; gives the exit status."""
    parser = argparse.ArgumentParser(description="Fill the tests into docs/requirements.md.")
    parser.add_argument("--check", action="store_true", help="change nothing, tell what is wrong")
    check: bool = parser.parse_args(arguments).check
    tests = proofs_by_id()
    text = MAP.read_text(encoding="utf-8")
    if not check:
        text = filled(text, tests)
        MAP.write_text(text, encoding="utf-8")
    for fault in (wrong := faults(text, tests)):
        sys.stderr.write(f"requirements: {fault}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
