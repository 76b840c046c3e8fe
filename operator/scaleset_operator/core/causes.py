"""Why an instance that does not answer is Unhealthy: the code, the words, and its node's own word.

Must not know how a verdict is formed, or what follows from one.
"""

from collections.abc import Iterable
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.core.attempts import how_it_ended
from scaleset_operator.core.observed import Evidence, Instance, Observed, Outcome, ProbeView

NODE_DOWN_SHARE: Final = 0.55
"""From this share of NotReady nodes on, a NotReady node is silence too (protocol rule 15)."""

CAUSE: Final = {
    Outcome.WRONG_STATUS: Reason.WRONG_STATUS,
    Outcome.MALFORMED: Reason.MALFORMED_ANSWER,
    Outcome.REFUSED: Reason.CONNECTION_REFUSED,
    Outcome.TIMED_OUT: Reason.PROBE_TIMED_OUT,
    Outcome.UNREACHABLE: Reason.UNREACHABLE,
}


def say(evidence: Evidence, probe: ProbeView) -> str:
    """The cause in words; without figures that move, for it is written once per change."""
    ended = how_it_ended(evidence.outcome or Outcome.TIMED_OUT, evidence.http_status)
    return f"{ended}; no success for {probe.timeout.total_seconds():.0f}s"


def down_nodes(observed: Observed, live: Iterable[Instance]) -> frozenset[str]:
    """NotReady nodes that are evidence: fewer than 55 % of them, and another one is Ready."""
    carrying = {i.node for i in live if i.node is not None}
    down = {n for n in carrying if not observed.nodes.get(n, True)}
    if not down or len(down) == len(carrying) or len(down) >= NODE_DOWN_SHARE * len(carrying):
        return frozenset()
    return frozenset(down)
