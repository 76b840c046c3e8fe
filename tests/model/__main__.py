"""`python -m tests.model [STATES]`: the exploration as a table, as large as is wanted."""

from __future__ import annotations

import sys
from collections import Counter
from time import perf_counter

from tests.model.invariants import INVARIANTS
from tests.model.scenarios import SCENARIOS

MOST = 20_000


def main() -> int:
    """Explore every scenario, and print what was looked at; returns 1 when something is wrong."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else MOST
    checks: Counter[str] = Counter()
    wrong = 0
    tell(f"{'scenario':<34}{'states':>9}{'edges':>9}  {'whole':<6}{'seconds':>8}")
    for scenario in SCENARIOS:
        begun = perf_counter()
        found = scenario.explored(most)
        took = perf_counter() - begun
        whole = "yes" if found.complete else "no"
        tell(f"{scenario.name:<34}{found.states:>9}{found.steps:>9}  {whole:<6}{took:>8.1f}")
        checks += found.checks
        if found.violation is not None:
            wrong += 1
            tell(found.story())
    tell(f"\n{'invariant':<44}{'checked':>10}  rules")
    for invariant in INVARIANTS:
        rules = ", ".join(str(rule) for rule in invariant.rules)
        tell(f"{invariant.name:<44}{checks[invariant.name]:>10}  {rules}")
    return int(wrong > 0)


def tell(line: str) -> None:
    """One line at once, for it takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
