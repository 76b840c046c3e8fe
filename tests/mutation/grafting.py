"""Puts a mutant into the living module, so that whoever imported from it meets it too.

A function keeps its identity and gets other code and other defaults. A constant is bound anew in
every module that took it in, tests included, as if the source had said so from the start; of a
class its defaults are changed. What was computed from a constant elsewhere stays: none is so far.
Meant for a process that ends afterwards: nothing is put back.
"""

from __future__ import annotations
import __future__

import importlib
import sys
import textwrap
from functools import cached_property
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from tests.mutation.mutants import NOWHERE

if TYPE_CHECKING:
    from tests.mutation.mutants import Mutant

PACKAGE = "scaleset_operator.core"


def graft(mutant: Mutant) -> None:
    """Make the change; raises whatever the changed source raises when it is run."""
    module = importlib.import_module(f"{PACKAGE}.{mutant.module}")
    if mutant.in_function:
        _graft_function(module, mutant)
    else:
        _graft_definition(module, mutant.where.removeprefix(NOWHERE).strip(), mutant)


def _executed(mutant: Mutant, names: dict[str, Any]) -> dict[str, Any]:
    code = compile(
        textwrap.dedent(mutant.source),
        f"<{mutant.module}>",
        "exec",
        flags=__future__.annotations.compiler_flag if mutant.in_function else 0,
        dont_inherit=True,
    )
    exec(code, names)  # noqa: S102  # Running changed source is the point.
    return names


def _graft_function(module: ModuleType, mutant: Mutant) -> None:
    *classes, name = mutant.where.split(".")
    home: Any = module
    for part in classes:
        home = vars(home)[part]
    names = _executed(mutant, dict(vars(module)))
    old, new = _bare(vars(home)[name]), _bare(names[name])
    old.__code__ = new.__code__
    old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def _bare(found: Any) -> FunctionType:
    """The plain function under property, cached_property, classmethod or a cache."""
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    found = _plain(found)
    bare = getattr(found, "__wrapped__", found)
    if not isinstance(bare, FunctionType):
        message = f"{found!r} is no function"
        raise TypeError(message)
    return bare


def _plain(found: Any) -> Any:
    """What stands under classmethod or staticmethod, as the maker of a named tuple does."""
    return getattr(found, "__func__", found)


def _graft_definition(module: ModuleType, name: str, mutant: Mutant) -> None:
    fresh = ModuleType(module.__name__)
    names = _executed(mutant, vars(fresh))
    old, new = vars(module)[name], names[name]
    if isinstance(new, type):
        _take_defaults(old, new)
        return
    for other in list(sys.modules.values()):
        bound = getattr(other, "__dict__", {})
        if bound.get(name) is old:
            bound[name] = new


def _take_defaults(old: type, new: type) -> None:
    """Of a dataclass the defaults of its constructor, of a named tuple those of its maker."""
    for maker in ("__init__", "__new__"):
        to, of = (_plain(vars(one).get(maker)) for one in (old, new))
        if not (isinstance(to, FunctionType) and isinstance(of, FunctionType)):
            continue
        to.__defaults__, to.__kwdefaults__ = of.__defaults__, of.__kwdefaults__
        for name, cell, other in zip(
            to.__code__.co_freevars, to.__closure__ or (), of.__closure__ or (), strict=True
        ):
            if "dflt_" in name:
                cell.cell_contents = other.cell_contents
