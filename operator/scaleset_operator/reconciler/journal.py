"""One line of JSON in the log for every decision that changes: the record for those who look later.

Says what was decided, never again while it stands, and not more lines at once than a person reads.
Must not know: how the log is written or where it goes. Decides nothing.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from scaleset_operator.api.base import format_time
from scaleset_operator.core.plan import Decision, Plan
from scaleset_operator.reconciler.ports import Key

MOST_LINES: Final = 50
"""Lines of one set's turn; what is beyond is told as numbers by reason."""

log = logging.getLogger("scaleset_operator.decisions")


class Line(dict[str, Any]):
    """The fields of one line; as text it is JSON, and a formatter for JSON takes the fields."""

    def __str__(self) -> str:
        """The line."""
        return json.dumps(self, ensure_ascii=False)


class Journal:
    """What was last said of each set's instances."""

    def __init__(self) -> None:
        self._said: dict[Key, dict[str, tuple[str, str]]] = {}

    def note(self, key: Key, plan: Plan | None) -> None:
        """Take in a set's latest plan; None when the set is gone.

        Args:
            key: the set.
            plan: its decisions are compared with those of the plan before.
        """
        if plan is None:
            self._said.pop(key, None)
            return
        before = self._said.get(key, {})
        if not before and not plan.decisions:
            return
        now = {d.instance: (d.decision.value, d.reason.value) for d in plan.decisions}
        changed = [d for d in plan.decisions if before.get(d.instance) != now[d.instance]]
        ended = sorted(before.keys() - now.keys())
        self._said[key] = now
        lines = [*(_of(key, d) for d in changed), *(_end(key, name) for name in ended)]
        for line in lines[:MOST_LINES]:
            log.info(line)
        if len(lines) > MOST_LINES:
            log.info(_rest(key, changed[MOST_LINES:], len(lines) - MOST_LINES))


def _place(key: Key) -> Line:
    return Line(namespace=key.namespace, scaleset=key.name)


def _of(key: Key, decision: Decision) -> Line:
    line = _place(key)
    line |= {
        "instance": decision.instance,
        "health": decision.health.value,
        "since": format_time(decision.since),
        "decision": decision.decision.value,
        "reason": decision.reason.value,
        "detail": decision.message,
        "until": format_time(decision.until) if decision.until else None,
    }
    return line


def _end(key: Key, name: str) -> Line:
    """Nothing is to be decided about it any more: it is healthy, repaired or gone."""
    line = _place(key)
    line |= {"instance": name, "decision": None}
    return line


def _rest(key: Key, decisions: Iterable[Decision], count: int) -> Line:
    line = _place(key)
    line |= {"more": count, "reasons": dict(Counter(d.reason.value for d in decisions))}
    return line
