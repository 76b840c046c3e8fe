"""Why one instance is or is not repaired: every question with its answer, and what follows.

Takes the very turn that `decide` takes and the very gates it asks, so that an explanation cannot
say anything else than what is then done (X-11). Decides nothing itself; `wording` puts it in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scalesetstatus import RemovalPurpose
from scaleset_operator.core.decide import Turn
from scaleset_operator.core.gates import ask
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Decision, Gate
from scaleset_operator.core.repair import slot
from scaleset_operator.core.scene import Scene


class Fate(StrEnum):
    """What becomes of an instance next."""

    NOTHING = "Nothing"
    """It is healthy, or its health is not known: there is nothing to repair."""
    REPAIR = "Repair"
    """The next turn records its repair and carries it out."""
    WAIT = "Wait"
    """A gate is closed; the decision says which."""
    IN_REPAIR = "InRepair"
    """It is in the ledger: its repair goes on."""
    REPLACES = "Replaces"
    """It takes another's place, and that repair is closed once it is healthy."""
    RENEWED = "Renewed"
    """A rollout gives it the latest model's images; it stays."""
    LEAVES = "Leaves"
    """It is removed, and not by a repair."""
    TERMINATING = "Terminating"
    """Its deletion has been accepted."""
    OVER = "Over"
    """It has ended by itself and is made up for without a slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decision about one instance at one moment.

    Attributes:
        health: the verdict, since when, its reason code and its words.
        gates: every question in the order they are asked; all open: a repair may pass.
        decision: as status, log and metrics have it; None where there is nothing to decide.
        entry: of the ledger, where the instance is the victim or the replacement of a repair.
        ahead: how many others wait for a slot before it.
        purpose: why it leaves.
    """

    instance: str
    at: datetime
    fate: Fate
    health: VMHealth
    since: datetime
    reason: str
    message: str
    gates: tuple[Gate, ...] = ()
    decision: Decision | None = None
    entry: RepairEntry | None = None
    ahead: int = 0
    purpose: RemovalPurpose | None = None

    @property
    def closed(self) -> Gate | None:
        """The first closed gate: the one reason."""
        return next((gate for gate in self.gates if not gate.open), None)

    @property
    def until(self) -> datetime | None:
        """When this changes by time alone, where that is known."""
        if self.decision is not None:
            return self.decision.until
        closed = self.closed
        return closed.until if closed is not None else None


def explain(scene: Scene, name: str) -> Explanation | None:
    """Explain one instance.

    Args:
        scene: what a decision would look at, the instances read live.
        name: of the instance.

    Returns:
        None where the set has no pod of that name and no repair of one.
    """
    turn = Turn(scene)
    pod = scene.by_name.get(name)
    entry = _entry(turn, name)
    decision = next((d for d in turn.opened.decisions if d.instance == name), None)
    if pod is None:
        return None if entry is None or decision is None else _gone(scene, entry, decision)
    verdict = scene.verdicts.get(pod.uid)
    shown = pod.published
    fate, purpose = _fate(turn, pod, entry, decision)
    return Explanation(
        instance=name,
        at=scene.now,
        fate=fate,
        health=verdict.health if verdict else VMHealth.UNKNOWN,
        since=verdict.since if verdict else (shown.since if shown else pod.created),
        reason=verdict.reason if verdict else "",
        message=verdict.message if verdict else "",
        gates=tuple(_chain(turn, pod, decision)) if pod.live else (),
        decision=decision,
        entry=entry,
        ahead=_ahead(turn, name),
        purpose=purpose,
    )


def _gone(scene: Scene, entry: RepairEntry, decision: Decision) -> Explanation:
    """The pod is gone and its repair is not closed."""
    return Explanation(
        instance=entry.instance,
        at=scene.now,
        fate=Fate.IN_REPAIR,
        health=decision.health,
        since=decision.since,
        reason=decision.reason,
        message=entry.cause,
        decision=decision,
        entry=entry,
    )


def _entry(turn: Turn, name: str) -> RepairEntry | None:
    """The repair that this instance is the victim of, else the one that it closes."""
    victims = (e for e in turn.in_flight if e.instance == name)
    replacements = (e for e in turn.in_flight if e.replacement == name)
    return next(victims, None) or next(replacements, None)


def _fate(
    turn: Turn, pod: Instance, entry: RepairEntry | None, decision: Decision | None
) -> tuple[Fate, RemovalPurpose | None]:
    """What comes first, in the order in which the operator sees to it."""
    removed = {v.uid: v.purpose for v in (*turn.scaling.removing, *turn.rollout.taken)}
    if pod.over:
        return Fate.OVER, None
    if pod.terminating:
        return Fate.TERMINATING, removed.get(pod.uid)
    if entry is not None and entry.uid == pod.uid:
        recorded = any(e.uid == pod.uid for e in turn.scene.entries)
        return (Fate.IN_REPAIR if recorded else Fate.REPAIR), None
    if pod.uid in removed:
        return Fate.LEAVES, removed[pod.uid]
    if any(r.uid == pod.uid for r in turn.rollout.renewals):
        return Fate.RENEWED, None
    if decision is not None:
        return Fate.WAIT, None
    return (Fate.NOTHING if entry is None else Fate.REPLACES), None


def _chain(turn: Turn, pod: Instance, decision: Decision | None) -> Iterator[Gate]:
    """Is it ill, may it be repaired, is there room: the first No is the decision's reason."""
    verdict = turn.scene.verdicts[pod.uid]
    yield Gate(
        reason=verdict.reason,
        open=decision is not None,
        detail=verdict.message,
        until=verdict.changes_at if decision is None else None,
        asks="it is not healthy",
    )
    asked = tuple(ask(turn.asked, pod))
    held = sum(e.uid == pod.uid for e in turn.in_flight)
    room = slot(turn.scene, len(turn.in_flight) - held)
    passed = not held and all(gate.open for gate in asked)
    if decision is not None and passed and decision.reason is not room.reason:
        # What this very decision closed behind the gates: it leaves anyway, replaces another, or
        # those before it have spent a budget.
        last = Gate(
            reason=decision.reason, open=False, detail=decision.message, until=decision.until
        )
        asked = (*(gate for gate in asked if gate.reason is not last.reason), last)
    yield from asked
    yield room


def _ahead(turn: Turn, name: str) -> int:
    """How many others wait for a slot before this one, if it waits for one itself."""
    for_room = (Reason.BATCH_LIMIT_REACHED, Reason.HEALTH_STORM)
    queue = [d.instance for d in turn.opened.decisions if d.reason in for_room]
    return queue.index(name) if name in queue else 0
