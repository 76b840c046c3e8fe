"""What must hold of terminate notices and of repairs that keep the pod (rules 8 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scaleset_operator.core.plan import Purpose, RenewInstance
from tests.model.asking import Invariant, deletes, entry_of, recorded, repairs
from tests.model.states import NEW_MODEL, OLD_MODEL, State

if TYPE_CHECKING:
    from tests.model.steps import Move

AGE: Final = (OLD_MODEL, NEW_MODEL)


def _in_time(before: State, move: Move) -> str | None:
    """A victim that is to be told goes when it agrees, or when its time has come."""
    for found in deletes(move, Purpose.REPAIR):
        told = found.pod.terminate_at
        if found.pod.uid in {v.uid for v in before.view.status.scale_in}:
            continue
        if told is None:
            return f"{found.pod.name} is deleted and was not told"
        if not found.pod.termination_approved and before.at() < told:
            return f"{found.pod.name} is deleted before its time, and has not agreed"
    return None


def _carried_out(before: State, move: Move) -> str | None:
    """Who was told stays in the ledger until it is on its way out."""
    pair = recorded(before, move)
    if pair is None:
        return None
    for pod in before.pods:
        entry = entry_of(pair[0], pod.uid)
        told = pod.live and entry is not None and pod.terminate_at == entry.terminate_at
        if told and pod.terminate_at is not None and entry_of(pair[1], pod.uid) is None:
            return f"{pod.name} was told to go, and its repair is closed"
    return None


def _no_older_images(before: State, move: Move) -> str | None:
    for found in repairs(move):
        act = found.act
        if not isinstance(act, RenewInstance):
            continue
        if AGE.index(act.model) < AGE.index(found.pod.model):
            return f"{act.name} of {found.pod.model} is given the images of {act.model}"
        reimaged = before.terms.action == "Reimage"
        if act.model != (found.by.known.wanted.model if reimaged else found.pod.model):
            return f"{act.name} is given the images of {act.model}, which nobody meant for it"
    return None


def _has_notices(before: State, move: Move) -> bool:
    return before.terms.notice is not None and any(deletes(move, Purpose.REPAIR))


def _is_recorded(before: State, move: Move) -> bool:
    told = before.terms.notice is not None and any(p.terminate_at for p in before.pods)
    return told and recorded(before, move) is not None


def _renews(_: State, move: Move) -> bool:
    return any(isinstance(found.act, RenewInstance) for found in repairs(move))


NOTICES: Final = (
    Invariant("who is to be told goes in its time", (8,), _has_notices, _in_time),
    Invariant("a notice given is carried out", (8,), _is_recorded, _carried_out),
    Invariant("no older image over a newer model", (10,), _renews, _no_older_images),
)
