"""Whatever a plan says to a person is a text: no value that is missing shines through.

`settle` asks this of every plan of every story. It must not know what any text means.
"""

import re
from collections.abc import Iterator

from scaleset_operator.core.plan import Plan, PublishHealth

BROKEN = re.compile(r"\bNone\b|  |^\s|\s$|[:;,]$|[:;,] [:;,]|\(\)")


def texts_of(plan: Plan) -> Iterator[str | None]:
    """Everything in a plan that is written for people."""
    repairs, rollout = plan.status.repairs, plan.status.rollout
    yield from (note.message for note in plan.notes)
    yield from (decision.message for decision in plan.decisions)
    yield from (act.message for act in plan.actions if isinstance(act, PublishHealth))
    yield from (entry.cause for entry in repairs.in_flight)
    yield from (row.cause for row in (*repairs.history, *plan.ended))
    yield from (one.message for one in plan.status.conditions)
    yield from (request.message for request in plan.status.requests)
    yield from (service.message for service in plan.status.orchestration_services)
    if repairs.suspended_since is not None:
        yield repairs.suspended_cause
    if rollout is not None:
        yield rollout.message


def broken_texts(plan: Plan) -> list[str | None]:
    """Those that nobody would have written so."""
    return [text for text in texts_of(plan) if text is None or BROKEN.search(text)]
