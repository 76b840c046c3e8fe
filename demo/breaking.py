"""What is broken in the demo: which instances, how, and what became of each.

Must not know: how repairs are decided, or how anything is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from demo.telling import instance_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.books import Books, Life
    from demo.endpoints import Endpoints


@dataclass(frozen=True, slots=True)
class Victim:
    """One instance that was broken on purpose."""

    life: Life
    fault: str
    """For people."""
    script: str
    """For its endpoint."""


class Breakage:
    """The broken instances, from the moment they break."""

    def __init__(self, books: Books, faults: Sequence[tuple[str, str]]) -> None:
        """Choose one for each fault, spread over the set."""
        living = [life for life in books.lives.values() if life.live]
        living.sort(key=lambda life: instance_id(life.name))
        apart = len(living) // len(faults)
        chosen = living[apart // 2 :: apart]
        self.victims = [Victim(life, *fault) for life, fault in zip(chosen, faults, strict=False)]
        self.books = books
        self.at = 0.0

    def begin(self, endpoints: Endpoints, at: float) -> None:
        """Break them all at one moment, CLOCK_MONOTONIC in seconds."""
        for script in {victim.script: None for victim in self.victims}:
            endpoints.tell([v.life for v in self.victims if v.script == script], script)
        self.at = at

    def is_mended(self) -> bool:
        """Whether each of them is gone and has a successor that was Healthy."""
        after = [self.books.successor(victim.life.name) for victim in self.victims]
        return all(life is not None and life.first_healthy is not None for life in after)

    def rows(self) -> list[tuple[str, ...]]:
        """The table of what became of each; seconds count from the breaking."""
        return [self._row(victim) for victim in self.victims]

    def _row(self, victim: Victim) -> tuple[str, ...]:
        life, after = victim.life, self.books.successor(victim.life.name)
        took = None
        if after is not None and after.first_healthy is not None and life.going is not None:
            took = after.first_healthy - life.going
        return (
            life.name,
            victim.fault,
            self._since(life.unhealthy),
            self._since(life.going),
            "-" if after is None else after.name,
            _seconds(took),
        )

    def _since(self, at: float | None) -> str:
        return _seconds(None if at is None else at - self.at)


HEADS: Final = ("INSTANCE", "FAULT", "UNHEALTHY AFTER", "DELETED AFTER", "REPLACED BY", "TOOK")
"""The heads of `Breakage.rows`."""


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
