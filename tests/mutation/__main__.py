"""`python -m tests.mutation [MODULE ...]`: whether the tests notice when `core` is wrong.

Each mutant gets some seconds of the tests that reach it, the likeliest to kill it first. Without
modules the whole of `core` is run and docs/mutation.md is written. `--survivors` runs again what
survived last time, and what is new, and keeps the other results: it is for whoever writes the
missing tests. The exit status is 1 below the score that is wanted.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutation.mutants import CORE, mutants_of
from tests.mutation.page import PAGE, page, unexplained
from tests.mutation.results import LEAST_SCORE, WATCHED, Results, score_of
from tests.mutation.session import run

if TYPE_CHECKING:
    from tests.mutation.mutants import Key, Mutant

KEPT = Path(__file__).parents[2] / ".mutation"
KEEP_EACH = 100


def main() -> int:
    """Run the mutants and tell what came out."""
    asked = _asked()
    names: list[str] = asked.modules or sorted(path.stem for path in CORE.glob("[a-z]*.py"))
    KEPT.mkdir(exist_ok=True)
    results = Results.kept_in(KEPT)
    wanted = {mutant.key: mutant for name in names for mutant in mutants_of(CORE / f"{name}.py")}
    last = results.killers()
    results.keep_only(names, wanted if asked.survivors else ())
    left = [mutant for key, mutant in wanted.items() if results.killer(key) is None]
    _run(left, asked, results, last)
    if not asked.modules:
        PAGE.write_text(
            page(results, datetime.fromtimestamp(time.time(), UTC).date()), encoding="utf-8"
        )
    return _told(results, names)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="names in core; default: all")
    parser.add_argument("--survivors", action="store_true", help="only what survived, and is new")
    parser.add_argument("--workers", type=int, default=2, help="mutants at once (default 2)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for one mutant (default 4)")
    return parser.parse_args()


def _run(
    mutants: list[Mutant], asked: argparse.Namespace, results: Results, last: dict[Key, str]
) -> None:
    """Run them; what has ended is kept, even if the rest is broken off."""
    done = 0

    def told(mutant: Mutant, killer: str | None) -> None:
        nonlocal done
        done += 1
        results.add(mutant, killer)
        if done % KEEP_EACH == 0:
            results.keep()
        sys.stderr.write(f"\r{done} of {len(mutants)} mutants  {mutant.module:<20}")

    kept = KEPT / "reach.json"
    run(mutants, seconds=asked.seconds, workers=asked.workers, told=told, kept=kept, last=last)
    results.keep()
    sys.stderr.write("\n")


def _told(results: Results, names: list[str]) -> int:
    """Print the scores, and what survived without a reason; give the exit status."""
    for name in names:
        sys.stdout.write(f"{name:<20} {score_of(results.of(name))}\n")
    total = score_of([row for name in names for row in results.of(name)])
    sys.stdout.write(f"{'in all':<20} {total}\n")
    for row in unexplained([row for name in names for row in results.of(name)]):
        sys.stdout.write(
            f"\n{row.module}.py:{row.line} {row.where}\n- {row.before}\n+ {row.after}\n"
        )
    short = [name for name in names if name in WATCHED and score_of(results.of(name)).short]
    if total.short or short:
        sys.stdout.write(f"below {LEAST_SCORE} %: {', '.join(short) or 'in all'}\n")
    return int(bool(total.short or short))


if __name__ == "__main__":
    sys.exit(main())
