"""Whose turn it is in a pair (M-17): taken when it is free, given up in two steps.

A holder that has nothing more to do says so first; only when its sets, read live after that, have
nobody under maintenance, is the turn free. A set acts only on a live read that is later than its
own record. So of a set that begins and a holder that gives up, one always sees the other.
"""

from collections.abc import Sequence
from datetime import datetime

from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.windowledger import PairState, PairTurn


def wants(rows: Sequence[SetIteration], phase: ActiveWindow, *, suspended: bool) -> bool:
    """Whether a window has work that its turn is needed for.

    Args:
        rows: of its sets, for the present iteration or for one that is not finished.
        phase: which of its windows is open.
        suspended: whether nothing new may start.
    """
    if any(r.in_progress for r in rows):
        return True
    if suspended:
        return False
    if phase is ActiveWindow.SELF_SERVICE:
        return any(r.asked for r in rows)
    open_rows = [r for r in rows if r.stopped is None]
    return phase is ActiveWindow.SCHEDULED and any(r.pending for r in open_rows)


def next_turn(
    turn: PairTurn | None, wanting: Sequence[str], *, at_rest: bool | None, now: datetime
) -> PairTurn | None:
    """The turn as it should stand next.

    Args:
        turn: as recorded.
        wanting: windows of the pair that want it, the first in line first.
        at_rest: whether nobody of the holder is under maintenance, by a live read that is later
            than the record of Releasing; None where there was none.
        now: time of the decision.
    """
    if turn is not None and turn.holder in wanting:
        if turn.state is PairState.HELD:
            return turn
        return PairTurn(holder=turn.holder, state=PairState.HELD, time=now)
    if turn is not None and turn.state is PairState.HELD:
        return PairTurn(holder=turn.holder, state=PairState.RELEASING, time=now)
    if turn is not None and not at_rest:
        return turn
    if not wanting:
        return None
    return PairTurn(holder=wanting[0], state=PairState.HELD, time=now)
