"""What must hold of every step, whoever takes it and whatever came before.

Each names the rules of protocol.md that it stands for. It reads the cluster as it is and never asks
the operator's code what would be right.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.plan import PublishHealth, Purpose
from tests.model.asking import (
    Invariant,
    created,
    creates,
    deleted,
    deletes,
    entry_of,
    recorded,
    repaired,
    repairs,
    takes,
    written,
)
from tests.model.notice_invariants import NOTICES
from tests.model.silence_invariants import SILENCE
from tests.model.states import GRACE, State, moment
from tests.model.thought import shown
from tests.model.turns import names_owed

if TYPE_CHECKING:
    from scaleset_operator.api.ledger import RepairEntry
    from tests.model.steps import Move

FLOOR_GAP: Final = 1
"""The floor of so few lies so far below what is wanted (rule 22)."""
SLOT_GRACE: Final = {False: GRACE, True: timedelta(seconds=16)}
"""Own report: the grace; probe of 5/11: timeout and interval are longer (rule 9)."""
MAX_AGE: Final = 5


def allowed(state: State, replicas: int) -> int:
    """How many may be under repair at once: the owner's share, rounded down, at least one."""
    return max(1, state.terms.share * replicas // 100)


def _cap(before: State, move: Move) -> str | None:
    for found in takes(move):
        owed = len([uid for uid, _ in before.debts if uid != found.pod.uid]) + 1
        most = allowed(before, max(before.view.wanted.replicas, found.by.known.wanted.replicas))
        if owed > most:
            return f"{found.pod.name} is the {owed}th under repair at once, {most} is allowed"
    return None


def _room(before: State, move: Move) -> str | None:
    pair = recorded(before, move)
    if pair is None:
        return None
    was, now = (status.repairs.in_flight for status in pair)
    new = {e.uid for e in now} - {e.uid for e in was}
    most = allowed(before, before.view.wanted.replicas)
    if new and len(now) > most:
        return f"a repair begins as the {len(now)}th in flight, {most} is allowed"
    return None


def _recorded_first(before: State, move: Move) -> str | None:
    status = before.view.status
    leaving = {v.uid for v in status.scale_in}
    for found in repairs(move):
        # A scale-in may have taken the victim over since.
        if found.pod.uid not in {e.uid for e in status.repairs.in_flight} | leaving:
            return f"{found.pod.name} is touched by a repair that is not recorded"
    for found in deletes(move, Purpose.SCALE_IN, Purpose.ROLLOUT, Purpose.WITNESS):
        if found.pod.uid not in leaving:
            return f"{found.pod.name} is deleted and stands nowhere"
    for made, by in creates(move):
        # As its sender recorded it: another operator may have struck it off since, for a scale-in.
        known = by.known.status
        names = {c.name for c in known.creating} | {d.witness for d in known.repairs.doubts}
        names |= {e.replacement for e in known.repairs.in_flight}
        if made.name not in names:
            return f"{made.name} is created and not recorded"
    return None


def _nothing_old(before: State, move: Move) -> str | None:
    sent = move.sent
    if sent is None or not sent.accepted or isinstance(sent.act, PublishHealth):
        return None
    since = sent.operator.recorded_at
    if since is None or before.now - since > MAX_AGE:
        return f"{sent.act.name}: an act that was recorded at {since} is done at {before.now}"
    return None


def _sick_only(before: State, move: Move) -> str | None:
    for found in repairs(move):
        if found.told:
            continue
        if before.terms.probed:
            answers = found.evidence is not None and found.evidence.answers_ok
        else:
            answers = before.health(found.pod) is not VMHealth.UNHEALTHY
        if answers:
            return f"{found.pod.name} is well and repaired"
        if shown(found.pod) is not VMHealth.UNHEALTHY:
            return f"{found.pod.name} is repaired before anybody was told that it is Unhealthy"
    return None


def _in_grace(before: State, move: Move) -> str | None:
    for found in repairs(move):
        started = found.pod.started
        if started is None or before.at() < max(started, moment(before.enabled_at)) + GRACE:
            return f"{found.pod.name} is repaired inside its grace"
    return None


def _protected(_: State, move: Move) -> str | None:
    for found in (*repairs(move), *deletes(move, Purpose.SCALE_IN, Purpose.WITNESS)):
        if found.pod.protected and not found.told:
            return f"{found.pod.name} is protected and touched"
    return None


def _no_name_twice(before: State, move: Move) -> str | None:
    for made, by in creates(move):
        # One that was on its way when the ledger moved on may come late: see ARCHITECTURE.md.
        if made.name in before.made and by.known.status is before.view.status:
            return f"{made.name} is created a second time"
    return None


def _no_surplus(before: State, move: Move) -> str | None:
    for made, by in creates(move):
        wanted = max(before.view.wanted.replicas, by.known.wanted.replicas)
        told = sum(
            p.live and p.terminate_at is not None and entry_of(by.known.status, p.uid) is not None
            for p in before.pods
        )
        witness = any(d.witness for d in by.known.status.repairs.doubts)
        most = wanted + told + witness
        leaving = {v.uid for v in by.known.status.scale_in}
        live = [p for p in move.after.pods if p.live and p.uid not in leaving]
        # Of a create that is on its way nobody else knows; what it makes is trimmed again.
        known = {p.name for p in by.pods} | names_owed(by.known)
        if sum(p.name in known for p in live) > most or len(live) >= most + len(before.operators):
            return f"{made.name} makes {len(live)} of {wanted}, {told} of whom are told to go"
    return None


def _latest_model(_: State, move: Move) -> str | None:
    for made, by in creates(move):
        if made.model != by.known.wanted.model:
            return f"{made.name} is made from {made.model}, not from {by.known.wanted.model}"
    return None


def _floor(before: State, move: Move) -> str | None:
    for found in deletes(move, Purpose.ROLLOUT):
        well = [p for p in before.pods if p.live and before.health(p) is VMHealth.HEALTHY]
        left = len([p for p in well if p.uid != found.pod.uid])
        least = before.view.wanted.replicas - FLOOR_GAP
        if found.pod in well and left < least:
            return f"{found.pod.name} is taken by the rollout, and {left} of {least} are left"
    return None


def _closed_rightly(before: State, move: Move) -> str | None:
    """A debt leaves the ledger when it is paid, or its grace for the slot has ended."""
    pair = recorded(before, move)
    if pair is None or move.who is None:
        return None
    open_ = {e.uid for e in pair[1].repairs.in_flight}
    # As it is, and as whoever records this has read it: it may have gone or failed since.
    seen = (*before.operators[move.who].pods, *before.pods)
    for uid, heir in before.debts:
        entry = entry_of(pair[0], uid)
        if entry is None or uid in open_ or _is_over(before, entry):
            continue
        heirs = [p for p in seen if p.name == heir]
        paid = any(VMHealth.HEALTHY in (before.health(p), shown(p)) for p in heirs)
        given_up = before.view.wanted.replicas < sum(p.live for p in before.pods) + len(
            before.debts
        )
        if not (paid or given_up):
            return f"the repair of {entry.instance} is closed, and {heir} is not well"
    return None


def _is_over(before: State, entry: RepairEntry) -> bool:
    """Whether the grace for the slot has ended: it counts from the containers' start, if any."""
    heir = before.pod(entry.replacement or entry.instance)
    since = entry.deleted_time or entry.restarted_time or entry.start_time
    if heir is not None and heir.started is not None:
        since = min(since, heir.started)
    return before.at() >= since + SLOT_GRACE[before.terms.probed]


def _stays_suspended(before: State, move: Move) -> str | None:
    pair = recorded(before, move)
    since = before.view.status.repairs.suspended_since
    if pair is None or since is None:
        return None
    asked = before.view.wanted.resume_at
    if pair[1].repairs.suspended_since is None and (asked is None or moment(asked) <= since):
        return "repairs go on, and nobody has asked for that since they were suspended"
    return None


def _none_while_suspended(before: State, move: Move) -> str | None:
    pair = recorded(before, move)
    if pair is None or pair[1].repairs.suspended_since is None:
        return None
    new = {e.uid for e in pair[1].repairs.in_flight} - {e.uid for e in pair[0].repairs.in_flight}
    return f"a repair begins although repairs are suspended: {sorted(new)}" if new else None


def _suspended(before: State, move: Move) -> bool:
    now = move.after.view.status.repairs.suspended_since
    was = before.view.status.repairs.suspended_since
    return written(before, move) and not (was is None and now is None)


INVARIANTS: Final = (
    Invariant("the share under repair is kept", (1, 11, 28), repaired, _cap),
    Invariant("a repair begins only where there is room", (1, 2), written, _room),
    Invariant("recorded before it is done", (3, 4, 11, 24), lambda *_: True, _recorded_first),
    Invariant("nothing is done that was decided long ago", (5,), lambda *_: True, _nothing_old),
    Invariant("only the sick are repaired", (3, 4, 5), repaired, _sick_only),
    Invariant("nobody is repaired inside its grace", (14,), repaired, _in_grace),
    Invariant("the protected are left alone", (4, 24), deleted, _protected),
    Invariant("no name is made twice", (6, 7, 11), created, _no_name_twice),
    Invariant("nobody is made who is not wanted", (6, 8, 11, 18), created, _no_surplus),
    Invariant("whoever is made is of the latest model", (7,), created, _latest_model),
    Invariant("a rollout keeps the floor", (22, 23), deleted, _floor),
    Invariant("a slot is freed when it is made up for", (7, 9), written, _closed_rightly),
    Invariant("what was suspended stays so until asked", (12, 13), _suspended, _stays_suspended),
    Invariant("no repair begins while suspended", (12,), _suspended, _none_while_suspended),
    *NOTICES,
    *SILENCE,
)

WITHOUT_PERSONS: Final = frozenset({"no name is made twice"})
"""Does not hold where a person deletes a pod that the ledger has not seen (ARCHITECTURE.md)."""
