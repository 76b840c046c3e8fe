"""`python -m tests.model [STATES]`: the exploration as a table, the large scenarios included."""

from __future__ import annotations

import sys
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING

from tests.model.invariants import INVARIANTS
from tests.model.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from tests.model.explore import Explored

MOST = 400_000
"""States of one scenario: more than any has that is to be whole."""
MOST_OF_OPEN = 60_000


def main() -> int:
    """Explore every scenario, and print what was looked at; returns 1 when something is wrong."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else MOST
    checks: Counter[str] = Counter()
    wrong = 0
    tell(f"{'scenario':<34}{'states':>9}{'edges':>9}  {'whole':<6}{'settled':>9}{'seconds':>9}")
    for scenario in SCENARIOS:
        begun = perf_counter()
        found = scenario.explored(min(most, MOST_OF_OPEN) if scenario.open else most)
        tell(row(scenario, found, perf_counter() - begun))
        checks += found.checks
        if found.violation is not None:
            wrong += 1
            tell(found.story())
    tell(f"\n{'invariant':<44}{'checked':>10}  rules")
    for invariant in INVARIANTS:
        rules = ", ".join(str(rule) for rule in invariant.rules)
        tell(f"{invariant.name:<44}{checks[invariant.name]:>10}  {rules}")
    return int(wrong > 0)


def row(scenario: Scenario, found: Explored, seconds: float) -> str:
    """One scenario's line; settled: states from which all comes into order without trouble."""
    whole = "yes" if found.whole else "open" if scenario.open else "no"
    counts = f"{found.states:>9}{found.steps:>9}  {whole:<6}{found.settled:>9}"
    return f"{scenario.name:<34}{counts}{seconds:>9.1f}"


def tell(line: str) -> None:
    """One line at once, for it takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
