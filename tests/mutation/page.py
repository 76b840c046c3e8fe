"""docs/mutation.md: the score of each module, and why each survivor is harmless.

The reasons stand in harmless.toml, one for each survivor or for several of one kind. A survivor
without a reason is told as such, here and at the end of a run.
Must not know: how mutants are made or run.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mutation.results import LEAST_SCORE, WATCHED, score_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tests.mutation.results import Results, Row

PAGE: Final = Path(__file__).parents[2] / "docs" / "mutation.md"
REASONS: Final = Path(__file__).with_name("harmless.toml")
NO_REASON: Final = "**not explained**"

HEAD: Final = f"""# Mutation testing

Coverage says that a line ran; mutation says that a test would notice if it were wrong. `make
mutation` changes `core` in one place at a time and runs the tests that reach that place until one
fails. It writes this page and fails below {LEAST_SCORE} % of mutants killed, in all or in one of
the modules printed in bold, where a wrong rule could delete an instance that should live. It takes
most of an hour on two idle cores and is not part of CI.

- The mutants are those of mutmut's operators, properties and constants included. Left out are
  string literals that hold a space (wording), `assert_never`, annotations, decorators, and what
  only types read. Short strings (reasons, names, keys) count.
- The tests are those of `tests/core`, `tests/reconciler` and `tests/cli`, and the quick ones of
  `tests/simulation`. Properties run with 20 examples, the same each time.
- A mutant has survived when it outlives the tests that reach it for 4 s of processor time; one
  that runs without end counts as killed. So the score is a lower bound: the long simulations, the
  model check and the other examples of the properties are not asked.

`make mutation ARGS='health doubt'` runs some modules, `ARGS='--survivors'` what survived last time.
"""


@dataclass(frozen=True)
class Reason:
    """Why some survivors are harmless: those of whose fields every pattern given matches.

    Attributes:
        module: its name.
        reason: in one sentence.
        where: pattern for the function or constant.
        before: text within what was taken away.
        after: text within what stands there instead.
    """

    module: str
    reason: str
    where: str = "*"
    before: str = ""
    after: str = ""

    def explains(self, row: Row) -> bool:
        """Whether it is about this survivor."""
        return (
            fnmatchcase(row.module, self.module)
            and fnmatchcase(row.where, self.where)
            and self.before in row.before
            and self.after in row.after
        )


@cache
def reasons() -> tuple[Reason, ...]:
    """Those of harmless.toml, in its order."""
    return tuple(Reason(**entry) for entry in tomllib.loads(REASONS.read_text("utf-8"))["harmless"])


def reason_of(row: Row) -> str | None:
    """The first reason that explains a survivor."""
    return next((reason.reason for reason in reasons() if reason.explains(row)), None)


def unexplained(rows: Sequence[Row]) -> list[Row]:
    """The survivors that nobody has given a reason for."""
    return [row for row in rows if row.killer is None and reason_of(row) is None]


def page(results: Results, on: date) -> str:
    """The whole page, for a run that ended on this day."""
    every = [row for module in results.modules() for row in results.of(module)]
    alive = [row for row in every if row.killer is None]
    return "\n".join(
        [
            HEAD,
            "## The score",
            "",
            f"Of {on.isoformat()}, every mutant of every module.",
            "",
            "| module | mutants | killed | survived | score |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                _scored(f"**{module}**" if module in WATCHED else module, results.of(module))
                for module in results.modules()
            ),
            _scored("**in all**", every),
            "",
            "## The survivors, and why each is harmless",
            "",
            *_survivors(alive),
        ]
    )


def _scored(name: str, rows: Sequence[Row]) -> str:
    score = score_of(rows)
    alive = score.mutants - score.killed
    return f"| {name} | {score.mutants} | {score.killed} | {alive} | {score.percent:.1f} % |"


def _survivors(alive: Sequence[Row]) -> Iterator[str]:
    for module in sorted({row.module for row in alive}):
        yield f"### {module}"
        yield ""
        yield "| where | instead of | stands | harmless because |"
        yield "| --- | --- | --- | --- |"
        for row in (row for row in alive if row.module == module):
            where = row.where + (f" ({row.nth})" if row.nth > 1 else "")
            cells = (_code(where), _code(row.before), _code(row.after), reason_of(row) or NO_REASON)
            yield f"| {' | '.join(cells)} |"
        yield ""


def _code(text: str) -> str:
    """As code in a table; of many lines the first ones say enough."""
    line = " ⏎ ".join(text.splitlines()[:3])
    return f"`` {line.replace('|', chr(92) + '|')} ``" if line else "(nothing)"
