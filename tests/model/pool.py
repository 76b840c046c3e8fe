"""Equal values as one object, so that whether two states are the same is asked by identity.

Nothing is ever thrown out: an identity must not come to mean another value.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

T = TypeVar("T")

_POOL: Final[dict[Any, Any]] = {}
_NUMBERS: Final[dict[Any, int]] = {}


def same(value: T) -> T:
    """The one object that stands for all values equal to this one."""
    found: T = _POOL.setdefault((type(value), value), value)
    return found


def same_by(key: tuple[Any, ...], value: T) -> T:
    """The same, told apart by a key that is quicker to compare than the value."""
    found: T = _POOL.setdefault((type(value), key), value)
    return found


def number_of(value: object) -> int:
    """A number that every equal value has, and no other."""
    return _NUMBERS.setdefault((type(value), value), len(_NUMBERS))
