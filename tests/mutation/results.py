"""What became of each mutant, kept from run to run, and the score that follows.

Must not know: how mutants are made or run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from pathlib import Path

    from tests.mutation.mutants import Key, Mutant

LEAST_SCORE: Final = 90
"""Per cent of the mutants that must be killed, in all and in each of WATCHED."""
WATCHED: Final = (
    "arming",
    "budgets",
    "doubt",
    "gates",
    "health",
    "inplace",
    "ledger",
    "notice",
    "repair",
    "rollout",
    "rollout_limits",
    "scaling",
    "surge",
    "suspension",
    "witness",
)
"""Where a wrong rule deletes an instance that should live: each must reach the score by itself."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mutant and its end; `killer` is None for a survivor."""

    module: str
    where: str
    before: str
    after: str
    nth: int
    line: int
    killer: str | None

    @property
    def key(self) -> Key:
        """The mutant's."""
        return self.module, self.where, self.before, self.after, self.nth


@dataclass(frozen=True)
class Score:
    """How many there were and how many of them were killed."""

    mutants: int
    killed: int

    @property
    def percent(self) -> float:
        """100 where there is nothing to kill."""
        return 100 * self.killed / self.mutants if self.mutants else 100.0

    @property
    def short(self) -> bool:
        """Whether it is less than is wanted."""
        return self.percent < LEAST_SCORE

    def __str__(self) -> str:
        """The figures in one line."""
        return f"{self.mutants:>5} mutants, {self.killed:>5} killed, {self.percent:5.1f} %"


def score_of(rows: Sequence[Row]) -> Score:
    """The score of some of the rows."""
    return Score(len(rows), sum(row.killer is not None for row in rows))


class Results:
    """The rows, in one JSON file."""

    def __init__(self, path: Path, rows: Iterable[Row]) -> None:
        self._path = path
        self._rows = {row.key: row for row in rows}

    @classmethod
    def kept_in(cls, folder: Path) -> Results:
        """As the last run left them."""
        path = folder / "results.json"
        rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return cls(path, (Row(**row) for row in rows))

    def keep(self) -> None:
        """Write them down for the next run."""
        rows = [asdict(row) for row in sorted(self._rows.values(), key=_place)]
        self._path.write_text(json.dumps(rows, indent=1), encoding="utf-8")

    def keep_only(self, modules: Container[str], keys: Container[Key]) -> None:
        """Forget of these modules whatever is not among the keys."""
        self._rows = {
            key: row for key, row in self._rows.items() if row.module not in modules or key in keys
        }

    def add(self, mutant: Mutant, killer: str | None) -> None:
        """Note the end of a mutant."""
        module, where, before, after, nth = mutant.key
        self._rows[mutant.key] = Row(
            module=module,
            where=where,
            before=before,
            after=after,
            nth=nth,
            line=mutant.lines.start,
            killer=killer,
        )

    def killer(self, key: Key) -> str | None:
        """What killed it; None for a survivor and for one that was not run yet."""
        row = self._rows.get(key)
        return None if row is None else row.killer

    def killers(self) -> dict[Key, str]:
        """What killed each mutant that was killed."""
        return {key: row.killer for key, row in self._rows.items() if row.killer is not None}

    def of(self, module: str) -> list[Row]:
        """The rows of one module, by line."""
        return sorted((row for row in self._rows.values() if row.module == module), key=_place)

    def modules(self) -> list[str]:
        """Every module that has a row."""
        return sorted({row.module for row in self._rows.values()})


def _place(row: Row) -> tuple[str, int, str, int]:
    return row.module, row.line, row.after, row.nth
