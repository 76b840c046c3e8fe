"""Whose turn it is in a pair (M-17): taken when the other side is at rest, given up in two steps.

A holder that has nothing more to do says so first; only when its sets, read live after that, have
nobody under maintenance, is the turn free. Whoever takes it has read the same of the other side,
for a turn may be lost without a word: with its window, or by an edit. A set acts only on a live
read that is later than its own record. So of two that begin, one always sees the other.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.pairing import name_of, objection

_HASH_SHOWN: Final = 16


def wants(rows: Sequence[SetIteration], phase: ActiveWindow, *, held: bool) -> bool:
    """Whether a window has work that its turn is needed for.

    Args:
        rows: of its sets, for the present iteration or for one that is not finished.
        phase: which of its windows is open.
        held: whether nothing new may start: it is suspended, or being deleted.
    """
    if any(r.in_progress for r in rows):
        return True
    if held:
        return False
    if phase is ActiveWindow.SELF_SERVICE:
        return any(r.asked for r in rows)
    open_rows = [r for r in rows if r.stopped is None]
    return phase is ActiveWindow.SCHEDULED and any(r.pending for r in open_rows)


def pair_of(one: MaintenanceWindow, other: MaintenanceWindow) -> str:
    """The pair as it is now; another one after any edit, for what was one may not be any more."""
    sides = sorted(
        (*name_of(side), side.metadata.uid, side.metadata.generation) for side in (one, other)
    )
    return sha256(repr(sides).encode()).hexdigest()[:_HASH_SHOWN]


def turn_for(turn: PairTurn | None, pair: str) -> PairTurn | None:
    """The turn that stands recorded, as far as it is this pair's."""
    return turn if turn is not None and turn.pair == pair else None


def turn_of_another(turn: PairTurn | None, window: str) -> str:
    """Why it is not a window's turn; empty where it is.

    Args:
        turn: as it stands for its present pair.
        window: as namespace/name.
    """
    if turn is None:
        return "nobody of the pair has its turn yet"
    if turn.holder != window:
        return f"{turn.holder} has its turn"
    return "" if turn.state is PairState.HELD else "its turn is being given up"


def not_its_turn(window: MaintenanceWindow, partner: MaintenanceWindow | None) -> str:
    """Why a window that declares a pair may not begin; empty where it may.

    Args:
        window: the one that is asked for.
        partner: the other one, where there is one.
    """
    no_pair = objection(window, partner)
    if partner is None or no_pair is not None:
        return no_pair or ""
    first = min(window, partner, key=name_of)
    turn = turn_for(first.status.pair_turn, pair_of(window, partner))
    return turn_of_another(turn, "/".join(name_of(window)))


def needs_look(turn: PairTurn | None, wanting: Sequence[str]) -> bool:
    """Whether who is at work must be read live: the turn is free to be taken, or to be given up.

    Args:
        turn: as recorded, for this pair.
        wanting: windows of the pair that want it.
    """
    if turn is None:
        return bool(wanting)
    return turn.state is PairState.RELEASING and turn.holder not in wanting


def next_turn(
    turn: PairTurn | None,
    wanting: Sequence[str],
    *,
    pair: str,
    busy: Collection[str] | None,
    now: datetime,
) -> PairTurn | None:
    """The turn as it should stand next.

    Args:
        turn: as recorded, for this pair.
        wanting: windows of the pair that want it, the first in line first.
        pair: the present one.
        busy: those with somebody under maintenance, by a live read that is later than what is
            recorded; None where nothing was read.
        now: time of the decision.
    """
    if turn is not None and turn.holder in wanting:
        if turn.state is PairState.HELD:
            return turn
        return turn.model_copy(update={"state": PairState.HELD, "time": now})
    if turn is not None and turn.state is PairState.HELD:
        return turn.model_copy(update={"state": PairState.RELEASING, "time": now})
    if busy is None or (turn is not None and turn.holder in busy):
        return turn
    free = (one for one in wanting if not set(busy) - {one})
    taker = next(free, None)
    if taker is None:
        return None
    return PairTurn(holder=taker, state=PairState.HELD, pair=pair, time=now)
