"""What must hold while instances are silent: rules 15 to 21, from the sender's own evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scaleset_operator.core.plan import PublishHealth, Purpose
from tests.model.asking import Invariant, Touched, creates, deletes, takes
from tests.model.states import State, moment
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scaleset_operator.core.observed import Evidence
    from tests.model.steps import Move

TIMEOUT: Final = builders.TIMEOUT
HOLD: Final = timedelta(seconds=60)
WHOLE_NODE: Final = 3


def _of_silent(move: Move) -> Iterator[tuple[Touched, Evidence, list[Evidence]]]:
    """Each with its evidence, and with that of all others that are watched."""
    for found in takes(move):
        own = found.evidence
        if own is None or own.silent_since is None or found.pod.node in found.by.sight.down:
            continue
        yield found, own, [e for uid, e in found.by.sight.found if uid != found.pod.uid]


def _not_of_silence_alone(_: State, move: Move) -> str | None:
    for found, own, others in _of_silent(move):
        fell = own.silent_since
        assert fell is not None
        if not any(e.last_success and e.last_success > fell for e in others):
            return f"{found.pod.name} is deleted for its silence, and nobody has answered since"
    return None


def _all_heard(_: State, move: Move) -> str | None:
    for found, own, others in _of_silent(move):
        fell = own.silent_since
        assert fell is not None
        unheard = [e for e in others if e.watched_since <= fell]
        if any(e.last_ended is None or e.last_ended < fell for e in unheard):
            return f"{found.pod.name} is deleted for its silence, and not all were heard since"
    return None


def _sight_is_back(before: State, move: Move) -> str | None:
    for found, own, others in _of_silent(move):
        fell = own.silent_since
        assert fell is not None
        since = [
            e.answering_since
            for e in others
            if e.answering_since and e.last_success and e.last_success > fell
        ]
        if since and min(since) > fell and before.at() < min(since) + TIMEOUT:
            return f"{found.pod.name} is deleted right after sight came back"
    return None


def _node_is_held(before: State, move: Move) -> str | None:
    for found, own, _ in _of_silent(move):
        fell = own.silent_since
        assert fell is not None
        live = {p.uid for p in before.pods if p.live and p.node == found.pod.node}
        near = [e for uid, e in found.by.sight.found if uid in live]
        fallen = len(near) >= WHOLE_NODE and all(e.silent_since for e in near)
        if fallen and before.at() < fell + HOLD:
            return f"{found.pod.name} is deleted with its whole node silent for a moment only"
    return None


def _watched(before: State, move: Move) -> str | None:
    for found in takes(move):
        since = moment(found.by.sight.since)
        if before.at() < since + TIMEOUT or found.evidence is None:
            return f"{found.pod.name} is repaired by one that has not watched a full timeout"
    return None


def _rotation_is_kept(before: State, move: Move) -> str | None:
    sent = move.sent
    assert sent is not None
    pod = before.pod(sent.act.name)
    if pod is None or not pod.live:
        return None
    found = sent.operator.sight.found
    silent = any(uid == pod.uid and e.silent for uid, e in found)
    if silent and not any(e.answers_ok for _, e in found):
        return f"{pod.name} leaves rotation while the whole set is silent"
    return None


def _one_witness(before: State, move: Move) -> str | None:
    for made, by in creates(move):
        live = sum(p.live for p in before.pods)
        doubts = by.known.status.repairs.doubts
        if any(d.witness == made.name for d in doubts) and live > by.known.wanted.replicas:
            return f"{made.name} is a second witness"
    return None


def _witness_stays(before: State, move: Move) -> str | None:
    for found in deletes(move, Purpose.SCALE_IN):
        if any(d.witness == found.pod.name for d in before.view.status.repairs.doubts):
            return f"{found.pod.name} is trimmed while it is a witness"
    return None


def _is_silent(_: State, move: Move) -> bool:
    return any(True for _ in _of_silent(move))


def _is_probed(before: State, move: Move) -> bool:
    return before.terms.probed and any(takes(move))


def _leaves_rotation(before: State, move: Move) -> bool:
    """A patch of this very moment's decision that takes an instance out."""
    sent = move.sent
    if not before.terms.probed or sent is None or not sent.accepted:
        return False
    act = sent.act
    fresh = before.now in (sent.operator.decided_at, sent.operator.recorded_at)
    return fresh and isinstance(act, PublishHealth) and act.in_rotation is False


def _makes_witness(before: State, move: Move) -> bool:
    return before.terms.probed and any(
        d.witness == made.name for made, by in creates(move) for d in by.known.status.repairs.doubts
    )


def _doubts(before: State, _: Move) -> bool:
    return bool(before.view.status.repairs.doubts)


SILENCE: Final = (
    Invariant("nobody goes for silence alone", (15, 16, 18), _is_silent, _not_of_silence_alone),
    Invariant("all others are heard first", (16,), _is_silent, _all_heard),
    Invariant("sight has been back for a timeout", (19,), _is_silent, _sight_is_back),
    Invariant("a fallen node is waited for", (17,), _is_silent, _node_is_held),
    Invariant("a full timeout was watched", (21,), _is_probed, _watched),
    Invariant("a silent set keeps its rotation", (20,), _leaves_rotation, _rotation_is_kept),
    Invariant("at most one witness", (18,), _makes_witness, _one_witness),
    Invariant("a witness is not trimmed", (18,), _doubts, _witness_stays),
)
