"""How an object becomes a template: parts of it are opened, and what Helm puts in is written there.

An opening is made in the object itself, as a mark, and filled in once the object is text: what is
not opened is written as YAML writes it. Must not know: which parts are opened, and with what.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Json = dict[str, Any]
Step = str | int
_MARK: Final = re.compile(r"^( *(?:- )?)(?:([\w./-]+): )?OPENING(\d+)(?:: null)?$", re.MULTILINE)


class Openings:
    """The openings of one object.

    A form makes, from the indentation and the key, the lines that stand there in the template.
    """

    def __init__(self) -> None:
        self._forms: list[Callable[[str, str], str]] = []

    def mark(self, form: Callable[[str, str], str]) -> str:
        """What stands in the object, as a value or as a key, until it is filled."""
        self._forms.append(form)
        return f"OPENING{len(self._forms) - 1}"

    def filled(self, text: str) -> str:
        """The object as text, with the braces of others kept from Helm and ours put in."""
        text = text.replace("{{", '{{ "{{" }}')
        return _MARK.sub(lambda m: self._forms[int(m[3])](m[1], m[2] or ""), text)


def inline(expression: str) -> Callable[[str, str], str]:
    """One value behind its key."""
    return lambda indent, key: f"{indent}{key}: {expression}"


def block(expression: str) -> Callable[[str, str], str]:
    """A value of several lines below its key."""

    def lines(indent: str, key: str) -> str:
        deeper = len(indent) + 2
        return f"{indent}{key}:\n{' ' * deeper}{{{{- toYaml {expression} | nindent {deeper} }}}}"

    return lines


def optional(expression: str, *, short: bool = False) -> Callable[[str, str], str]:
    """A key that is there only when there is something to say; short: behind it, not below."""

    def lines(indent: str, key: str) -> str:
        deeper = len(indent) + 2
        said = " {{ . }}" if short else f"\n{' ' * deeper}{{{{- toYaml . | nindent {deeper} }}}}"
        return f"{indent}{{{{- with {expression} }}}}\n{indent}{key}:{said}\n{indent}{{{{- end }}}}"

    return lines


def entries(expression: str) -> Callable[[str, str], str]:
    """More entries beside those that stand there, if any."""
    return lambda indent, _: (
        f"{indent}{{{{- with {expression} }}}}\n"
        f"{indent}{{{{- toYaml . | nindent {len(indent)} }}}}\n{indent}{{{{- end }}}}"
    )


def included(name: str) -> Callable[[str, str], str]:
    """The lines of a named template."""
    return lambda indent, _: f'{indent}{{{{- include "{name}" $ | nindent {len(indent)} }}}}'


def holder(thing: Any, path: Sequence[Step]) -> Any:
    """What holds the last step of a path; a list is entered by index, or by an element's name."""
    for step in path[:-1]:
        thing = thing[_index(thing, step)]
    return thing


def at(thing: Any, path: Sequence[Step]) -> Any:
    """What stands at a path; None where nothing does."""
    found = holder(thing, path)
    return found.get(path[-1]) if isinstance(found, dict) else found[path[-1]]


def walked(thing: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    """Every dict entry below: its path, the dict and the value; outer ones first."""
    if isinstance(thing, list):
        for index, one in enumerate(thing):
            yield from walked(one, (*path, index))
    if isinstance(thing, dict):
        for key, value in [*thing.items()]:
            yield (*path, key), thing, value
            yield from walked(value, (*path, key))


def _index(thing: Any, step: Step) -> Step:
    if isinstance(thing, list) and isinstance(step, str):
        return next(i for i, one in enumerate(thing) if one["name"] == step)
    return step
