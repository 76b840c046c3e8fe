"""Which mutants `core` has: mutmut's operators on its source, less what no test should pin.

Left out, and not counted anywhere:

- wording: string literals that hold a space. A test that repeats a sentence proves nothing.
- `assert_never(...)`, which the type checker proves to be unreachable.
- what mutmut leaves out as well: annotations, docstrings, decorators, calls of `len` and
  `isinstance`; and what only types read: aliases and the members of enums.

Unlike mutmut this takes decorated functions (properties above all), the constants of a module and
the defaults of its classes: `grafting` puts each into the living module, and needs no trampoline.
Must not know: how a mutant is run, or by which tests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from libcst.metadata import CodeRange

Key = tuple[str, str, str, str, int]

CORE: Final = Path(__file__).parents[2] / "operator" / "scaleset_operator" / "core"
NOWHERE: Final = "(module)"
"""What stands for the function where a constant or a class is changed."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: name of the file in `core`, without its end.
        where: qualified name of the function, or of the constant or class behind NOWHERE.
        before: the lines that the change takes away, without their indent.
        after: the lines that stand there instead.
        lines: first and last line of the part that is changed, to find the tests that run it.
        source: the changed function, or the whole changed module.
        nth: which of those that read the same, from 1 on.
    """

    module: str
    where: str
    before: str
    after: str
    lines: range
    source: str
    nth: int = 1

    @property
    def in_function(self) -> bool:
        """Whether `source` is a function alone."""
        return not self.where.startswith(NOWHERE)

    @property
    def key(self) -> Key:
        """What is the same from run to run, wherever in the file the lines stand."""
        return self.module, self.where, self.before, self.after, self.nth


class _Visitor(MutationVisitor):
    """mutmut's, with decorated functions, without wording and what cannot be reached."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        if isinstance(node, cst.SimpleString):
            return " " in node.value
        if m.matches(node, m.Call(func=m.Name("assert_never"))):
            return True
        return super()._skip_node_and_children(node)


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of one module, in the order of its lines."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    places = wrapper.resolve(PositionProvider)
    module = wrapper.module
    homes = dict(_homes(module.body))
    found = []
    for mutation in visitor.mutations:
        made = _made(module, homes, mutation)
        if made is not None:
            where, old, new = made
            before, after = _difference(old, new)
            found.append(
                Mutant(
                    module=path.stem,
                    where=where,
                    before=before,
                    after=after,
                    lines=_lines(places, mutation),
                    source=new,
                )
            )
    return _told_apart(found)


def _lines(places: Mapping[cst.CSTNode, CodeRange], mutation: Mutation) -> range:
    """Of a default the whole function's: its own line runs with the import, in no test."""
    home, place = mutation.contained_by_top_level_function, places[mutation.original_node]
    if isinstance(home, cst.FunctionDef) and place.end.line < places[home.body].start.line:
        place = places[home]
    return range(place.start.line, place.end.line + 1)


def _told_apart(found: list[Mutant]) -> list[Mutant]:
    seen: Counter[object] = Counter()
    apart = []
    for mutant in found:
        seen[mutant.key] += 1
        apart.append(replace(mutant, nth=seen[mutant.key]))
    return apart


def _homes(body: Sequence[cst.CSTNode], prefix: str = "") -> Iterator[tuple[cst.FunctionDef, str]]:
    """Each function and method with its qualified name."""
    for node in body:
        if isinstance(node, cst.FunctionDef):
            yield node, prefix + node.name.value
        elif isinstance(node, cst.ClassDef):
            yield from _homes(node.body.body, f"{prefix}{node.name.value}.")


def _made(
    module: cst.Module, homes: dict[cst.FunctionDef, str], mutation: Mutation
) -> tuple[str, str, str] | None:
    """Where a mutation is, and the source there before and after; None for what types read."""
    home = mutation.contained_by_top_level_function
    if home in homes:
        changed = home.deep_replace(mutation.original_node, mutation.mutated_node)
        return homes[home], module.code_for_node(home), module.code_for_node(changed)
    for statement in module.body:
        name = _defined(statement)
        if name is None:
            continue
        changed = statement.deep_replace(mutation.original_node, mutation.mutated_node)
        if changed is not statement and not changed.deep_equals(statement):
            whole = module.with_deep_changes(module, body=_swapped(module.body, statement, changed))
            return f"{NOWHERE} {name}", module.code, whole.code
    return None


def _swapped(body: Sequence[cst.CSTNode], old: cst.CSTNode, new: cst.CSTNode) -> list[cst.CSTNode]:
    return [new if node is old else node for node in body]


def _defined(statement: cst.CSTNode) -> str | None:
    """The constant or class that a statement defines; None for enums, aliases and imports."""
    match statement:
        case cst.ClassDef():
            bases = {b.value.value for b in statement.bases if isinstance(b.value, cst.Name)}
            return None if any("Enum" in base for base in bases) else statement.name.value
        case cst.SimpleStatementLine(body=[cst.AnnAssign(target=cst.Name(value=name)) as bound]):
            return None if m.matches(bound.annotation.annotation, m.Name("TypeAlias")) else name
        case _:
            return None


def _difference(old: str, new: str) -> tuple[str, str]:
    """The lines between the first and the last that differ, without indents."""
    gone, come = old.splitlines(), new.splitlines()
    while gone and come and gone[0] == come[0]:
        del gone[0], come[0]
    while gone and come and gone[-1] == come[-1]:
        del gone[-1], come[-1]
    return "\n".join(map(str.strip, gone)), "\n".join(map(str.strip, come))
