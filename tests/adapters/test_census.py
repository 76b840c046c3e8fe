"""What is there no more is dropped; what cannot be counted is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.adapters import census as adapter
from scaleset_operator.adapters.census import Census
from scaleset_operator.reconciler.ports import Key, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

A, B, C = (Key("shop", name) for name in "abc")
KINDS: Final = ("scalesets", "healthprobes")


class Town:
    """What is there, and what is known of it."""

    def __init__(self, there: Mapping[str, Any], known: Mapping[str, tuple[Key, ...]]) -> None:
        self.there = there
        self.gone: list[tuple[str, Key]] = []
        self.unreadable: tuple[Key, ...] = ()
        self.census = Census(
            connection=object(),  # type: ignore[arg-type] # nothing is sent on it
            kinds=KINDS,
            namespaces=(),
            known=lambda kind: known.get(kind, ()),
            unreadable=lambda: self.unreadable,
            gone=lambda kind, key: self.gone.append((kind, key)),
            whole=lambda: None,
        )

    async def present(self, _connection: object, kind: str, _namespaces: object) -> frozenset[Key]:
        found = self.there.get(kind, ())
        if found is None:
            message = "away"
            raise Unavailable(message)
        return frozenset(found)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def count(town: Town) -> bool:
        monkeypatch.setattr(adapter, "present", town.present)
        return await town.census.count()

    return count


async def test_what_is_known_and_not_there_is_dropped(counted: Any) -> None:
    town = Town({"scalesets": [A]}, {"scalesets": (A, B), "healthprobes": (C,)})
    assert await counted(town)
    assert town.gone == [("scalesets", B), ("healthprobes", C)]


async def test_what_was_not_heard_of_yet_keeps_it_from_being_whole(counted: Any) -> None:
    town = Town({"scalesets": [A, B]}, {"scalesets": (A,)})
    assert not await counted(town)
    assert town.gone == []
    town.unreadable = (B,)
    assert await counted(town), "one that cannot be read was heard of"


async def test_a_kind_that_cannot_be_counted_loses_nothing(counted: Any) -> None:
    town = Town({"scalesets": None}, {"scalesets": (A,), "healthprobes": (C,)})
    assert not await counted(town)
    assert town.gone == [("healthprobes", C)]
