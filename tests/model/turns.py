"""An operator's turn, request by request: look, decide, read live, record, act.

It is the reconciler's. What is decided is decided at once when an answer arrives, and again later
as long as nothing was sent since: so an operator that is stopped between an answer and its next
request is every operator that decides on old answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scaleset_operator.core.plan import Record
from tests.model.acts import sends
from tests.model.pool import same
from tests.model.sight import reborn
from tests.model.states import Operator, SetView, State, pooled
from tests.model.steps import Move
from tests.model.thought import Thought, thought

if TYPE_CHECKING:
    from collections.abc import Iterator


def operator_moves(state: State, number: int) -> Iterator[Move]:
    """What this operator may do next, and what may happen to it."""
    operator = state.operators[number]
    if operator.awake:
        yield from _answers(state, number, operator)
        decided_at = operator.decided_at
        if decided_at is not None and decided_at < state.now:
            later = onward(forgetful(operator), state.now)
            yield Move("goes on at last", state.with_operator(number, later), who=number)
        if state.left("news") and decided_at is not None:
            heard = onward(operator.but(pods=state.pods, view=state.view), state.now)
            after = state.less("news").with_operator(number, heard)
            yield Move("hears of all that is new", after, who=number, kind="news")
    else:
        yield from _begins(state, number, operator)
    if state.left("crash"):
        born = _newborn(state, operator)
        if born is not operator:
            after = state.less("crash").with_operator(number, born)
            yield Move("crashes", after, who=number, kind="crash")


def _newborn(state: State, operator: Operator) -> Operator:
    sight = reborn(operator.sight, state.now, probed=state.terms.probed)
    return pooled(Operator(sight=sight))


# --- From one answer to the next request -----------------------------------------------------


def _begins(state: State, number: int, operator: Operator) -> Iterator[Move]:
    """A turn begins with what its watches have brought."""
    looking = operator.but(awake=True, pods=state.pods, view=state.view)
    awake = onward(looking, state.now)
    if awake.awake:
        yield Move("looks", state.with_operator(number, awake), who=number)
    elif awake is not operator:
        # It rests, and has followed the names.
        yield Move("rests", state.with_operator(number, awake), who=number)
    if operator.view is not None and state.left("stale"):
        behind = onward(operator.but(awake=True), state.now)
        if behind.awake:
            after = state.less("stale").with_operator(number, behind)
            yield Move("does not look", after, who=number, kind="stale")


def onward(operator: Operator, now: int) -> Operator:
    """An answer has arrived: what it decides to ask for next, or it rests."""
    operator = _remembering(operator)
    found = thought(operator, now)
    if found.list_live and not operator.listed:
        return operator.but(decided_at=now, hand=())
    if found.reads - operator.live_reads or _is_to_be_recorded(operator, found):
        return operator.but(decided_at=now, hand=())
    if found.hand:
        return operator.but(decided_at=now, hand=found.hand)
    return operator.resting()


def plain(state: State) -> State:
    """The state without what cannot matter any more (`explore` says why)."""
    for number, operator in enumerate(state.operators):
        plainer = _woken(state, operator) if operator.awake else _asleep(state, operator)
        if plainer is not operator:
            state = state.with_operator(number, plainer)
    return state


def _woken(state: State, operator: Operator) -> Operator:
    """One whose record is bound to be refused is as one that has not begun its turn."""
    if operator.view is state.view or operator.hand or operator.decided_at is None:
        return operator
    if state.left("news"):
        return operator
    found = thought(operator, operator.decided_at)
    asks = (found.list_live and not operator.listed) or found.reads - operator.live_reads
    if asks or _may_be_put_off(operator, found):
        return operator
    return _asleep(state, operator.resting())


def _asleep(state: State, operator: Operator) -> Operator:
    """The view of one that rests is dead, unless it may begin without looking."""
    owed = names_owed(state.view)
    seen, unusable = operator.seen & owed, operator.unusable & owed
    if state.left("stale") or operator.view is None:
        if (seen, unusable) == (operator.seen, operator.unusable):
            return operator
        return operator.but(seen=seen, unusable=unusable)
    return operator.but(pods=(), view=None, seen=seen, unusable=unusable)


def _is_to_be_recorded(operator: Operator, found: Thought) -> bool:
    return found.record is not Record.NONE or (found.fenced and operator.recorded_at is None)


def _remembering(operator: Operator) -> Operator:
    """As `Memory.note_names`: a name that was there and is gone is never made again."""
    owed = names_owed(operator.known)
    present = owed & {p.name for p in operator.pods}
    unusable = (operator.unusable | (operator.seen - present)) & owed
    seen = (operator.seen & owed) | present
    if (seen, unusable) == (operator.seen, operator.unusable):
        return operator
    return operator.but(seen=seen, unusable=unusable)


_OWED: Final[dict[int, frozenset[str]]] = {}


def forgetful(operator: Operator) -> Operator:
    """What it read live before it was stopped is too old to decide on."""
    return operator.but(live_reads=frozenset(), listed=False)


def names_owed(view: SetView) -> frozenset[str]:
    """Names that the ledger has given to instances which may not exist yet."""
    found = _OWED.get(id(view))
    if found is None:
        status = view.status
        owed = {c.name for c in status.creating}
        owed |= {e.replacement for e in status.repairs.in_flight if e.replacement}
        owed |= {d.witness for d in status.repairs.doubts if d.witness}
        found = _OWED[id(view)] = frozenset(owed)
    return found


# --- The requests ----------------------------------------------------------------------------


def _answers(state: State, number: int, operator: Operator) -> Iterator[Move]:
    """Its present request reaches the API server, and the answer comes back."""
    if operator.hand:
        yield from sends(state, number, operator)
        return
    assert operator.decided_at is not None
    found = thought(operator, operator.decided_at)
    missing = found.reads - operator.live_reads
    if found.list_live and not operator.listed:
        listed = operator.but(pods=state.pods, listed=True)
        yield _told(state, number, "lists", onward(listed, state.now))
    elif missing:
        names = tuple(sorted(missing))
        read = onward(_read(state, operator, missing), state.now)
        yield _told(state, number, "reads", read, names)
    else:
        yield from _records(state, number, operator, found)


def _told(
    state: State, number: int, word: str, operator: Operator, what: tuple[str, ...] = ()
) -> Move:
    return Move(word, state.with_operator(number, operator), what=what, who=number)


def _read(state: State, operator: Operator, names: frozenset[str]) -> Operator:
    """Live reads: each pod as it is, or its absence."""
    others = [p for p in operator.pods if p.name not in names]
    live = [p for p in state.pods if p.name in names]
    pods = same(tuple(sorted([*others, *live], key=lambda p: p.instance_id)))
    return operator.but(pods=pods, live_reads=operator.live_reads | names)


def _records(state: State, number: int, operator: Operator, found: Thought) -> Iterator[Move]:
    """Compare and swap: what was read is written over, or nothing is."""
    if operator.view is not state.view:
        yield _told(state, number, "has a conflict", operator.resting())
        if _may_be_put_off(operator, found):
            yield _told(state, number, "puts off its report", operator.but(hand=found.hand))
        return
    written = state._replace(view=found.view, debts=_settled(state, found.view))
    recorded = operator.but(
        view=found.view, live_reads=frozenset(), listed=False, recorded_at=state.now
    )
    if found.record is Record.NOW:
        further = onward(recorded, state.now)
    else:
        acting = recorded.but(decided_at=None, hand=found.hand)
        further = acting if found.hand else acting.resting()
    yield _told(written, number, "records", further)
    if _may_be_put_off(operator, found):
        yield _told(state, number, "puts off its report", operator.but(hand=found.hand))
    if state.left("conflict"):
        after = state.less("conflict").with_operator(number, operator.resting())
        yield Move("is refused its record", after, who=number, kind="conflict")
    if state.left("lost answer"):
        unaware = operator.resting()
        after = written.less("lost answer").with_operator(number, unaware)
        yield Move("records unawares", after, who=number, kind="lost answer")


def _may_be_put_off(operator: Operator, found: Thought) -> bool:
    """A report waits for company, where nothing needs its record; what is to be sent does not."""
    unfenced = not found.fenced or operator.recorded_at is not None
    return found.record is Record.SOON and bool(found.hand) and unfenced


def _settled(state: State, view: SetView) -> frozenset[tuple[str, str]]:
    """Debts whose entry is still open; invariants judge whether it might be closed."""
    open_ = {e.uid: e.replacement or e.instance for e in view.status.repairs.in_flight}
    return frozenset((uid, open_[uid]) for uid, _ in state.debts if uid in open_)
