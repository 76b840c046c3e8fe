"""What an address may be told to do, and which script holds for which address. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DEFAULT_REDIRECT = 302
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Script:
    """What an address does with each connection, in words as they are typed.

    `ok`, `status:CODE`, `redirect` or `redirect:CODE` (to a page that is 200), `loop` (redirects
    to itself), `slow:SECONDS` (200, late), `body:BYTES` (200 and so many bytes), `drip:SECONDS`
    (200, a byte at a time with this pause), `binary` (no HTTP at all), `hang` (never a byte),
    `close` (a clean end without a byte), `refuse` (reset at once), `flap:SECONDS` (200 and 500 in
    turns of this length). `any-path` behind it makes every path answer, not /healthz and /lb alone.
    `lb:CODE` behind it makes /lb answer with that status, whatever the rest does.

    What takes a packet filter is not among them: a black hole (`hang` comes nearest), and a
    connection refused outright (`refuse` resets one that was accepted).
    """

    verb: str
    value: float = 0.0
    any_path: bool = False
    lb_status: int = 0

    @classmethod
    def parse(cls, text: str) -> Script:
        """Read a script.

        Raises:
            ValueError: an unknown word, or a number that is missing or out of bounds.
        """
        first, *more = text.split() or [""]
        marks = dict(word.partition(":")[::2] for word in more)
        if not first or len(marks) < len(more) or not marks.keys() <= {"any-path", "lb"}:
            message = f"{text!r} is not a script"
            raise ValueError(message)
        verb, _, number = first.partition(":")
        if verb not in _NUMBERS:
            message = f"{verb!r} is none of {', '.join(sorted(_NUMBERS))}"
            raise ValueError(message)
        lb_status = int(_NUMBERS["status"]("lb", marks["lb"])) if "lb" in marks else 0
        return cls(verb, _NUMBERS[verb](verb, number), "any-path" in marks, lb_status)


def _no_number(verb: str, number: str) -> float:
    if number:
        message = f"{verb} takes no number"
        raise ValueError(message)
    return 0.0


def _within(low: float, high: float, default: float | None = None) -> Callable[[str, str], float]:
    def check(verb: str, number: str) -> float:
        if not number and default is not None:
            return default
        value = float(number)
        if not low <= value <= high:
            message = f"{verb} takes a number from {low} to {high}"
            raise ValueError(message)
        return value

    return check


_NUMBERS: dict[str, Callable[[str, str], float]] = {
    **dict.fromkeys(("ok", "loop", "binary", "hang", "close", "refuse"), _no_number),
    "status": _within(100, 999),
    "redirect": _within(300, 399, _DEFAULT_REDIRECT),
    "body": _within(0, 1 << 30),
    "slow": _within(0, 3600),
    "drip": _within(0.001, 3600),
    "flap": _within(0.001, 3600),
}

OK = Script("ok")


class ScriptTable:
    """Which script holds for which address: its own, its longest prefix's, else the default."""

    def __init__(self) -> None:
        self._own: dict[str, Script] = {}
        self._prefixes: dict[ipaddress.IPv4Network, Script] = {}
        self._default = OK
        self._known: dict[str, Script] = {}

    def of(self, address: str) -> Script:
        """Give the script that holds for an address."""
        script = self._known.get(address)
        if script is None:
            script = self._known[address] = self._look_up(address)
        return script

    def set(self, target: str, script: Script | None) -> Script | None:
        """Set the script of an address, a prefix (`127.16.4.0/24`) or `default`; None clears it.

        Returns:
            what held for the target before, if it had a script of its own.

        Raises:
            ValueError: the target is none of these.
        """
        if target == "default":
            before, self._default = self._default, script or OK
            self._known.clear()
            return before
        if "/" in target:
            prefix = ipaddress.IPv4Network(target)
            self._known.clear()
            return _put(self._prefixes, prefix, script)
        address = str(ipaddress.IPv4Address(target))
        self._known.pop(address, None)
        return _put(self._own, address, script)

    def targets(self) -> Iterable[str]:
        """Give every address and prefix with a script of its own."""
        return [*self._own, *map(str, self._prefixes)]

    def _look_up(self, address: str) -> Script:
        if address in self._own:
            return self._own[address]
        parsed = ipaddress.IPv4Address(address)
        fitting = [prefix for prefix in self._prefixes if parsed in prefix]
        if not fitting:
            return self._default
        return self._prefixes[max(fitting, key=lambda prefix: prefix.prefixlen)]


def _put(table: dict[_Key, Script], key: _Key, script: Script | None) -> Script | None:
    before = table.get(key)
    if script is None:
        table.pop(key, None)
    else:
        table[key] = script
    return before
