"""docs/requirements.md against the tests: the map is whole, true and up to date.

The generator has tests of its own here, on small sources, so that a map that looks right is right.
"""

from __future__ import annotations

import textwrap

import pytest

from tests.support import requirements_map

# Put together here, so that this file's own texts name no requirement.
FIRST, SECOND, THIRD = (f"R-{number:02}" for number in (1, 2, 3))
NO_SUCH = f"R-{99}"


pytestmark = pytest.mark.timeout(180)  # It reads every test there is.


def a_map(**cells: str) -> str:
    """A whole map in which every requirement has `not yet`, but for those given as R_01=..."""
    rows = [
        f"| {id_} | A statement | {cells.get(id_.replace('-', '_'), 'not yet')} |"
        for id_ in requirements_map.IDS
    ]
    proved = len(cells)
    return "\n".join([f"Proved so far: {proved} of {len(rows)}.", *rows, ""])


def test_the_map_is_whole_true_and_up_to_date() -> None:
    text = requirements_map.MAP.read_text(encoding="utf-8")
    assert requirements_map.faults(text, requirements_map.proofs_by_id()) == []


def test_every_statement_says_something() -> None:
    rows = requirements_map.rows_of(requirements_map.MAP.read_text(encoding="utf-8"))
    assert [row.id for row in rows if len(row.statement.split()) < 3] == []
    assert len({row.statement for row in rows}) == len(requirements_map.IDS) == 196


def test_a_map_without_tests_has_no_fault() -> None:
    assert requirements_map.faults(a_map(), {}) == []


def test_filling_twice_changes_nothing_more() -> None:
    tests = {FIRST: ("tests/test_a.py::test_one", "tests/test_a.py::test_two")}
    once = requirements_map.filled(a_map(), tests)
    assert requirements_map.faults(once, tests) == []
    assert requirements_map.filled(once, tests) == once
    assert requirements_map.rows_of(once)[0].tests == tests[FIRST]


@pytest.mark.parametrize(
    ("text", "tests", "fault"),
    [
        pytest.param(
            a_map().replace(f"| {SECOND} |", f"| {FIRST} |"),
            {},
            f"{SECOND} is missing from the map",
            id="a requirement is missing",
        ),
        pytest.param(
            a_map().replace(f"| {SECOND} |", f"| {FIRST} |"),
            {},
            f"{FIRST} stands in the map more than once",
            id="a requirement stands twice",
        ),
        pytest.param(
            a_map() + f"| {NO_SUCH} | Invented | not yet |\n",
            {},
            f"{NO_SUCH} stands in the map and is no requirement",
            id="the map invents a requirement",
        ),
        pytest.param(
            a_map(),
            {NO_SUCH: ("tests/test_a.py::test_one",)},
            f"tests/test_a.py::test_one names {NO_SUCH}, which is no requirement",
            id="a test invents a requirement",
        ),
        pytest.param(
            a_map(R_01="`tests/test_a.py::test_gone`"),
            {},
            f"{FIRST} claims tests/test_a.py::test_gone, which is not there or does not name it",
            id="the map claims a test that is gone",
        ),
        pytest.param(
            a_map(),
            {FIRST: ("tests/test_a.py::test_one",)},
            f"{FIRST} does not list tests/test_a.py::test_one, which names it",
            id="the map leaves a test out",
        ),
        pytest.param(
            a_map(R_01="not yet, but soon"),
            {},
            "the map is out of date: `make requirements`",
            id="not yet comes with an excuse",
        ),
        pytest.param(
            a_map().replace("Proved so far: 0", "Proved so far: 196"),
            {},
            "the map is out of date: `make requirements`",
            id="the count is wrong",
        ),
    ],
)
def test_a_fault_in_the_map_is_told(text: str, tests: dict[str, tuple[str]], fault: str) -> None:
    assert fault in requirements_map.faults(text, tests)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"One never waits for the other ({FIRST}).", [FIRST]),
        (f"{FIRST}, {THIRD}", [FIRST, THIRD]),
        (f"{FIRST}..{THIRD}", [FIRST, SECOND, THIRD]),
        ("Nothing named, and no X-ray and no R-1", []),
        (None, []),
    ],
)
def test_ids_are_read_from_text(text: str | None, ids: list[str]) -> None:
    assert list(requirements_map.ids_named_in(text)) == ids


def test_tests_are_found_as_functions_as_methods_and_as_state_machines() -> None:
    source = textwrap.dedent('''
        def test_plain():
            """One."""

        async def test_async():
            """Two."""

        def a_builder():
            """Not a test."""

        class TestGroup:
            def test_method(self):
                """Three."""

            def a_builder(self):
                """Not a test."""

        class Machine(RuleBasedStateMachine):
            """Four."""

            @invariant()
            def holds(self):
                """Five."""

        TestMachine = Machine.TestCase
    ''')
    assert list(requirements_map.proofs_in_source(source)) == [
        ("test_plain", "One."),
        ("test_async", "Two."),
        ("TestGroup::test_method", "Three."),
        ("TestMachine", "Four.\nFive."),
    ]
