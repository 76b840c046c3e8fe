"""What an operator's prober knows: one attempt on each instance whenever time passes.

All attempts of one prober end at the same moment, but for those that a trouble makes late. It must
not know what follows from evidence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.core.observed import (
    Evidence,
    Instance,
    Neighbour,
    Outcome,
    ProberView,
)
from tests.model.pool import same
from tests.model.states import BEGAN, Sight, State, moment
from tests.support import builders

if TYPE_CHECKING:
    from datetime import datetime

OUTCOMES: Final = {"": Outcome.OK, "wrong": Outcome.WRONG_STATUS, "silent": Outcome.TIMED_OUT}
PROBE: Final = builders.probe_view()


def at_first(pods: tuple[Instance, ...], ails: frozenset[tuple[str, str]]) -> Sight:
    """Everybody has answered so for long."""
    words = dict(ails)
    found = []
    for pod in pods:
        long_ago = _attempted(None, pod, words.get(pod.uid, ""), BEGAN)
        found.append((pod.uid, _attempted(long_ago, pod, words.get(pod.uid, ""), moment(0))))
    return same(Sight(found=tuple(found)))


def reborn(sight: Sight, now: int, *, probed: bool) -> Sight:
    """A new process in the same place has heard nobody yet (rule 21)."""
    return same(replace(sight, since=now, found=())) if probed else sight


def probed(state: State, sight: Sight) -> Sight:
    """The same after one more attempt on everybody."""
    if not state.terms.probed:
        return sight
    known = dict(sight.found)
    found = []
    for pod in state.pods:
        if not pod.live or pod.started is None:
            continue
        before = known.get(pod.uid)
        if pod.name in state.late and before is not None:
            found.append((pod.uid, before))
        else:
            found.append((pod.uid, _attempted(before, pod, _word(state, sight, pod), state.at())))
    return same(replace(sight, down=state.down, found=tuple(found)))


def _word(state: State, sight: Sight, pod: Instance) -> str:
    if sight.dark:
        return "silent"
    return next((word for uid, word in state.ails if uid == pod.uid), "")


def _attempted(before: Evidence | None, pod: Instance, word: str, now: datetime) -> Evidence:
    first = Evidence(watched_since=pod.started or now)
    known = first if before is None else before
    outcome = OUTCOMES[word]
    ended: dict[str, Any] = {"last_ended": now, "last_begun": now, "outcome": outcome}
    if outcome is Outcome.OK:
        since = known.answering_since if known.answers_ok else now
        return replace(
            known,
            **ended,
            http_status=200,
            last_success=now,
            answering_since=since,
            failing_since=None,
            silent_since=None,
        )
    silent = (known.silent_since or now) if outcome.silent else None
    return replace(
        known,
        **ended,
        http_status=0 if outcome.silent else 503,
        failing_since=known.failing_since or now,
        silent_since=silent,
    )


def prober_of(sight: Sight) -> ProberView:
    """The prober's own state, as the operator is told."""
    return ProberView(beating_since=moment(sight.since), sees=sight.dark != "all")


def neighbours(pods: tuple[Instance, ...], sight: Sight) -> dict[str, tuple[Neighbour, ...]]:
    """Node -> what rules 16 and 17 need of the watched pods on it."""
    return builders.neighbours((p for p in pods if p.live), dict(sight.found))
