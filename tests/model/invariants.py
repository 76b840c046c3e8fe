"""What must hold of every step, whoever takes it and whatever came before.

Each names the rules of protocol.md that it stands for. It reads the cluster as it is and never asks
the operator's code what would be right.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.plan import CreateInstance, DeleteInstance, Purpose
from tests.model.states import GRACE, State, health_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scaleset_operator.core.observed import Instance
    from tests.model.moves import Move, Sent

ALLOWED: Final = 1
"""Five per cent of the few that the model has, rounded down, but at least one."""
FLOOR_GAP: Final = 1
"""The floor lies so far below what is wanted (rule 22)."""


class Invariant(NamedTuple):
    """A statement, and what to look at.

    Attributes:
        rules: of protocol.md.
        broken: (the state before, the move) -> what is wrong, if anything.
    """

    name: str
    rules: tuple[int, ...]
    broken: Callable[[State, Move], str | None]


def _deletes(move: Move, *purposes: Purpose) -> Iterator[tuple[DeleteInstance, Instance]]:
    """The DELETE of this step, if it was one of these and took a pod that lived."""
    sent = move.sent
    if sent is None or not sent.accepted or not isinstance(sent.act, DeleteInstance):
        return
    pod = sent.before.pod(sent.act.name)
    taken = pod is not None and pod.uid == sent.act.uid and pod.live
    if pod is not None and taken and sent.act.purpose in purposes:
        yield sent.act, pod


def _creates(move: Move) -> Iterator[tuple[Sent, CreateInstance]]:
    """The create of this step, if a pod was made."""
    sent = move.sent
    if sent is None or not sent.accepted or not isinstance(sent.act, CreateInstance):
        return
    if sent.before.pod(sent.act.name) is None:
        yield sent, sent.act


def _cap(before: State, move: Move) -> str | None:
    for act, _pod in _deletes(move, Purpose.REPAIR):
        owed = len(before.debts) + 1
        if owed > ALLOWED:
            return f"{act.name} is the {owed}th under repair at once, {ALLOWED} is allowed"
    return None


def _recorded_first(before: State, move: Move) -> str | None:
    status = before.set_view.status
    leaving = {v.uid for v in status.scale_in}
    for act, _pod in _deletes(move, Purpose.REPAIR):
        # A scale-in may have taken the victim over since.
        if act.uid not in {e.uid for e in status.repairs.in_flight} | leaving:
            return f"{act.name} is deleted by a repair that is not recorded"
    for act, _pod in _deletes(move, Purpose.SCALE_IN, Purpose.ROLLOUT):
        if act.uid not in leaving:
            return f"{act.name} is deleted as {act.purpose} and is not recorded"
    for sent, made in _creates(move):
        # As its sender recorded it: another operator may have struck it off since, for a scale-in.
        recorded = sent.operator.set_view.status
        names = {c.name for c in recorded.creating}
        names |= {e.replacement for e in recorded.repairs.in_flight if e.replacement}
        if made.name not in names:
            return f"{made.name} is created and not recorded"
    return None


def _sick_only(_: State, move: Move) -> str | None:
    for act, pod in _deletes(move, Purpose.REPAIR):
        if health_of(pod) is not VMHealth.UNHEALTHY:
            return f"{act.name} is {health_of(pod)} and repaired"
        if pod.published is None or pod.published.health is not VMHealth.UNHEALTHY:
            return f"{act.name} is repaired before anybody was told that it is Unhealthy"
    return None


def _in_grace(before: State, move: Move) -> str | None:
    for act, pod in _deletes(move, Purpose.REPAIR):
        if pod.started is None or before.at() < pod.started + GRACE:
            return f"{act.name} is repaired inside its grace"
    return None


def _protected(_: State, move: Move) -> str | None:
    for act, pod in _deletes(move, Purpose.REPAIR, Purpose.SCALE_IN):
        if pod.protected:
            return f"{act.name} is protected and deleted as {act.purpose}"
    return None


def _no_name_twice(before: State, move: Move) -> str | None:
    for _sent, made in _creates(move):
        if made.name in before.made:
            return f"{made.name} is created a second time"
    return None


def _no_surplus(before: State, move: Move) -> str | None:
    for sent, made in _creates(move):
        wanted = max(before.set_view.wanted.replicas, sent.operator.set_view.wanted.replicas)
        live = sum(p.live for p in move.after.pods)
        if live > wanted:
            return f"{made.name} makes {live} of {wanted}"
    return None


def _latest_model(_: State, move: Move) -> str | None:
    for sent, made in _creates(move):
        latest = sent.operator.set_view.wanted.model
        if made.model != latest:
            return f"{made.name} is made from {made.model}, the latest known is {latest}"
    return None


def _floor(before: State, move: Move) -> str | None:
    for act, pod in _deletes(move, Purpose.ROLLOUT):
        well = [p for p in before.pods if p.live and health_of(p) is VMHealth.HEALTHY]
        left = len([p for p in well if p.uid != pod.uid])
        least = before.set_view.wanted.replicas - FLOOR_GAP
        if pod in well and left < least:
            return f"{act.name} is taken by the rollout, and {left} of at least {least} are left"
    return None


def _closed_rightly(before: State, move: Move) -> str | None:
    """A debt leaves the ledger when it is paid, or its grace for the slot has ended."""
    after = move.after
    open_ = {e.uid for e in after.set_view.status.repairs.in_flight}
    for uid, _ in before.debts:
        entry = next((e for e in before.set_view.status.repairs.in_flight if e.uid == uid), None)
        if entry is None or uid in open_:
            continue
        pod = after.pod(entry.replacement or "")
        paid = pod is not None and health_of(pod) is VMHealth.HEALTHY
        start = entry.deleted_time or entry.start_time
        started = pod.started if pod is not None else None
        over = after.at() >= min(start, started or start) + GRACE
        given_up = before.set_view.wanted.replicas < sum(p.live for p in before.pods) + 1
        if not (paid or over or given_up):
            return f"the repair of {entry.instance} is closed, and {entry.replacement} is not well"
    return None


INVARIANTS: Final = (
    Invariant("at most one under repair", (1, 2, 11, 14, 28), _cap),
    Invariant("recorded before it is done", (3, 4, 11, 24), _recorded_first),
    Invariant("only the sick are repaired", (3, 4, 5), _sick_only),
    Invariant("nobody is repaired inside its grace", (14,), _in_grace),
    Invariant("the protected are left alone", (4, 24), _protected),
    Invariant("no name is made twice", (6, 7, 11), _no_name_twice),
    Invariant("nobody is made who is not wanted", (6, 11), _no_surplus),
    Invariant("whoever is made is of the latest model", (7,), _latest_model),
    Invariant("a rollout keeps the floor", (22, 23), _floor),
    Invariant("a slot is freed when it is made up for", (9,), _closed_rightly),
)

WITHOUT_PERSONS: Final = frozenset({"no name is made twice"})
"""Does not hold where a person deletes a pod that the ledger has not seen (ARCHITECTURE.md)."""

PATIENCE: Final = timedelta(minutes=5)
"""In which everything is in order again once nothing disturbs it any more."""
