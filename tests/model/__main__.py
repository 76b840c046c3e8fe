"""`python -m tests.model [STATES]`: the exploration as a table, as large as is wanted."""

from __future__ import annotations

import sys
from collections import Counter

from tests.model.invariants import INVARIANTS
from tests.model.scenarios import SCENARIOS

MOST = 20_000


def main() -> int:
    """Explore every scenario; returns 1 when something is wrong."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else MOST
    checks: Counter[str] = Counter()
    wrong = 0
    for scenario in SCENARIOS:
        found = scenario.explored(most)
        checks += found.checks
        if found.violation is not None:
            wrong += 1
    for invariant in INVARIANTS:
        ", ".join(str(rule) for rule in invariant.rules)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
