"""What an invariant is, and what the invariants look at: the acts and the records of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scaleset_operator.core.plan import (
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    Purpose,
    RenewInstance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scaleset_operator.api.ledger import RepairEntry
    from scaleset_operator.api.scalesetstatus import ScaleSetStatus
    from scaleset_operator.core.observed import Evidence, Instance
    from tests.model.states import Operator, State
    from tests.model.steps import Move


class Invariant(NamedTuple):
    """A statement, and what to look at.

    Attributes:
        rules: of protocol.md that it stands for.
        concerns: (the state before, the move) -> whether such a step could break it.
        broken: (the state before, the move) -> what is wrong, if anything.
    """

    name: str
    rules: tuple[int, ...]
    concerns: Callable[[State, Move], bool]
    broken: Callable[[State, Move], str | None]


Touch = DeleteInstance | RenewInstance | GiveNotice


class Touched(NamedTuple):
    """An act that the API server accepted on an instance that lived.

    Attributes:
        pod: as it was just before.
        by: who sent it, as it stood.
    """

    act: Touch
    pod: Instance
    by: Operator

    @property
    def told(self) -> bool:
        """Whether it goes because of a notice given before: that is carried out, come what may."""
        return isinstance(self.act, DeleteInstance) and self.pod.terminate_at is not None

    @property
    def evidence(self) -> Evidence | None:
        """What its sender's prober knows of it."""
        return next((e for uid, e in self.by.sight.found if uid == self.pod.uid), None)


def deletes(move: Move, *purposes: Purpose) -> Iterator[Touched]:
    """The DELETE of this step, if it was one of these."""
    for found in _touched(move):
        if isinstance(found.act, DeleteInstance) and found.act.purpose in purposes:
            yield found


def repairs(move: Move) -> Iterator[Touched]:
    """What this step does to an instance as its repair: a DELETE, a notice or new images."""
    for found in _touched(move):
        if isinstance(found.act, GiveNotice) or found.act.purpose is Purpose.REPAIR:
            yield found


def takes(move: Move) -> Iterator[Touched]:
    """The same without notices, after which the instance is there as it was."""
    return (found for found in repairs(move) if not isinstance(found.act, GiveNotice))


def _touched(move: Move) -> Iterator[Touched]:
    sent = move.sent
    if sent is None or not sent.accepted or not isinstance(sent.act, Touch):
        return
    pod = sent.before.pod(sent.act.name)
    if pod is not None and pod.uid == sent.act.uid and pod.live:
        yield Touched(sent.act, pod, sent.operator)


def creates(move: Move) -> Iterator[tuple[CreateInstance, Operator]]:
    """The create of this step and who sent it, if a pod was made."""
    sent = move.sent
    if sent is None or not sent.accepted or not isinstance(sent.act, CreateInstance):
        return
    if sent.before.pod(sent.act.name) is None:
        yield sent.act, sent.operator


def recorded(before: State, move: Move) -> tuple[ScaleSetStatus, ScaleSetStatus] | None:
    """The status before and after, if this step wrote one."""
    if move.who is None or before.view.status is move.after.view.status:
        return None
    return before.view.status, move.after.view.status


def repaired(_: State, move: Move) -> bool:
    """An instance was touched by a repair."""
    return any(repairs(move))


def deleted(_: State, move: Move) -> bool:
    """An instance was deleted, for whatever reason."""
    return any(isinstance(found.act, DeleteInstance) for found in _touched(move))


def created(_: State, move: Move) -> bool:
    """An instance was made."""
    return any(creates(move))


def written(before: State, move: Move) -> bool:
    """A status was written."""
    return recorded(before, move) is not None


def entry_of(status: ScaleSetStatus, uid: str) -> RepairEntry | None:
    """The repair in flight of this instance."""
    return next((e for e in status.repairs.in_flight if e.uid == uid), None)
