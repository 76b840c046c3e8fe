"""The life of an instance's pause in place: out of rotation, asked for, over, healthy (M-02, M-03).

The agent of its node carries the pause out and answers in its report. The request is recorded
before it is written onto the pod, and the entry closes once it is off again. What counts on the
node are seconds from when it stands still; here it is how long nobody has answered. Opens no
pause: that is `upkeep`.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final

from scaleset_operator.api.agentreport import LEASE_LASTS_S, RENEWED_EVERY_S, PauseState
from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import Impact, OperationResultCode
from scaleset_operator.core.agentview import AgentView, PauseAnswer
from scaleset_operator.core.ledger import stands_healthy
from scaleset_operator.core.maintenance_acts import AskPause, ClearPause
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.pause import PAUSE
from scaleset_operator.core.pause import objection as killed_by
from scaleset_operator.core.returning import (
    ABORTED,
    COMPLETED,
    RETRY,
    Moves,
    Returner,
    following,
    resolved,
)
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.upkeep_floor import has_room
from scaleset_operator.core.upkeep_objections import objection

LOOK_AGAIN: Final = timedelta(seconds=3)
"""A report is read anew at most so often, and one that goes on is looked at."""
HEARD_WITHIN: Final = timedelta(seconds=2 * RENEWED_EVERY_S)
"""How long an agent is waited for that was not seen to report: twice as long as it may be quiet."""
OLD_AFTER: Final = timedelta(seconds=LEASE_LASTS_S)
DRAIN: Final = timedelta(seconds=5)
"""From leaving rotation to the pause: time for Services to follow, and for what is under way."""
BEGIN_WITHIN: Final = timedelta(minutes=1)
"""How long an agent has to begin, and to say so."""
MARGIN: Final = timedelta(seconds=15)
"""What reports may be behind."""
_ID_HEX: Final = 16

_RESULTS: Final = {
    PauseState.THAWED: COMPLETED,
    PauseState.REFUSED: RETRY,
    PauseState.FAILED: ABORTED,
}


def request_of(entry: MaintenanceEntry) -> str:
    """The id of the request that an entry in phase Paused stands for: the same to everybody."""
    text = f"{entry.uid}/{entry.mark}/{format_time(entry.phase_time)}"
    return sha256(text.encode()).hexdigest()[:_ID_HEX]


class Pauser:
    """Brings recorded pauses forward, each by a step."""

    def __init__(self, scene: Scene, moves: Moves, back: Returner, gone: set[str]) -> None:
        """Prepares it.

        Args:
            scene: what this decision looks at.
            moves: takes what becomes of each.
            back: what is the same for every impact.
            gone: UIDs of those that go by this very decision; those that leave here join them.
        """
        self.scene, self.moves, self.back, self.gone = scene, moves, back, gone

    def step(self, entry: MaintenanceEntry) -> None:
        """Bring one forward."""
        pod = self.scene.by_uid.get(entry.uid)
        if pod is None or not pod.live:
            # Whoever sent it away: nothing is left to wait for, and a request goes with its pod.
            self.moves.dropped.append(entry)
        elif entry.phase is MaintenancePhase.ENDING:
            self.back.end(entry)
        elif entry.uid in self.back.leaving:
            self.back.drop(entry)
        elif entry.phase is MaintenancePhase.RECORDED:
            self._take_out(entry, pod)
        elif entry.phase is MaintenancePhase.LEAVING:
            self._leave(entry, pod)
        elif entry.phase is MaintenancePhase.RETURNING:
            self._await_health(entry, pod)
        elif entry.result is None:
            self._await_answer(entry, pod)
        else:
            self._withdraw(entry, pod)

    def clear_strays(self) -> None:
        """Take off every request that no entry stands for: none is left behind."""
        mine = {e.uid for e in self.moves.open if _may_bear_request(e)}
        for pod in self.scene.observed.instances:
            if pod.pause_request and pod.uid not in mine:
                self._clear(pod)

    # Before it is asked for.

    def _take_out(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """Nothing is touched before all that speaks against the pause was asked."""
        if not self._may_go_on(entry):
            return
        why = self._refusal(entry, pod)
        if why:
            self._end(entry, RETRY, why)
        elif why is None and has_room(self.scene, entry.uid, self.gone):
            self.gone.add(entry.uid)
            self.moves.open.append(following(self.scene, entry, MaintenancePhase.LEAVING))
        else:
            self._waits(entry)

    def _leave(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """Asked for once it is out of rotation, and its Services have had time to follow."""
        if not self._may_go_on(entry):
            return
        until = entry.phase_time + DRAIN
        why = self._refusal(entry, pod)
        if why:
            self._end(entry, RETRY, why)
        elif why is None and not pod.in_rotation and self.scene.now >= until:
            if has_room(self.scene, entry.uid, self.gone):
                self.gone.add(entry.uid)
                self.moves.open.append(following(self.scene, entry, MaintenancePhase.PAUSED))
            else:
                self._waits(entry)
        else:
            self.moves.again += [until] if until > self.scene.now else []
            self._waits(entry)

    def _may_go_on(self, entry: MaintenanceEntry) -> bool:
        """Whether the window lets it; sees to the entry where it does not."""
        view = self.back.views.get(entry.mark)
        if view is None and self.scene.observed.windows_unheard:
            self.moves.open.append(entry)
            return False
        no = objection(self.scene, view, entry)
        if no:
            self._end(entry, RETRY, no)
        elif view is None or not view.turn or not view.live:
            self.moves.windows.add(entry.window)
            self._waits(entry)
        else:
            return True
        return False

    def _refusal(self, entry: MaintenanceEntry, pod: Instance) -> str | None:
        """Why it is not paused; empty while that is not known, None where nothing is against it."""
        if pod.in_rotation and not self._is_well(pod):
            return "it is not healthy"
        killed = killed_by(pod.containers.watches, PAUSE)
        if killed is not None:
            return f"{Reason.LIVENESS_PROBE_TOO_SHORT}: {killed}"
        agent = self._agent_of(pod)
        if agent is None:
            return ""
        if agent.renewed is not None and self.scene.now < agent.renewed + OLD_AFTER:
            return None
        if self.scene.now < entry.start_time + HEARD_WITHIN:
            return ""
        seen = "reports" if agent.version is None else "has reported lately"
        return f"{Reason.AGENT_SILENT}: no agent {seen} on {pod.node}"

    # While it is asked for.

    def _await_answer(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """Until its agent says that it is over, or for as long as that can take."""
        now, asked = self.scene.now, pod.pause_request == request_of(entry)
        agent, answer = self._agent_of(pod), self._answer_to(entry, pod)
        began = answer is not None and answer.state is PauseState.PAUSED
        until = entry.phase_time + BEGIN_WITHIN + (PAUSE + MARGIN if began else timedelta(0))
        if answer is not None and answer.state in _RESULTS:
            said = answer.message or f"paused for {PAUSE.total_seconds():g} s on {pod.node}"
            self._return(entry, _RESULTS[answer.state], said)
        elif asked and (now < until or agent is None):
            self._waits(entry)
        elif asked:
            which = "end the pause" if began else "answer"
            self._give_up(entry, ABORTED, f"{Reason.PAUSE_UNANSWERED}: its agent did not {which}")
        elif entry.instance not in self.scene.observed.live_reads:
            self.moves.reads.add(entry.instance)
            self._waits(entry)
        elif now < entry.phase_time + CANCEL_AFTER:
            self._ask(entry, pod)
            self._waits(entry)
        else:
            self._give_up(entry, RETRY, "the request is not on its pod")

    def _ask(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """Write the request, on a live read and a fresh record."""
        until = entry.phase_time + RECORD_LIFETIME
        self.moves.again.append(entry.phase_time + CANCEL_AFTER)
        if self.scene.now < until:
            act = AskPause(
                name=pod.name,
                uid=pod.uid,
                resource_version=pod.resource_version,
                id=request_of(entry),
                deadline=entry.phase_time + BEGIN_WITHIN,
                seconds=int(PAUSE.total_seconds()),
                not_after=until,
            )
            self.moves.acts.append(act)

    def _give_up(self, entry: MaintenanceEntry, code: OperationResultCode, why: str) -> None:
        """Its result is known; the request is taken off, and what it may have begun is over."""
        again = following(self.scene, entry, MaintenancePhase.PAUSED)
        self.moves.open.append(again.model_copy(update={"result": code, "message": why}))

    def _withdraw(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """Off the pod first; then wait until it goes on for certain."""
        now, since = self.scene.now, entry.phase_time
        agent, answer = self._agent_of(pod), self._answer_to(entry, pod)
        stands = answer is not None and answer.state is PauseState.PAUSED
        renewed = None if agent is None else agent.renewed
        told = renewed is not None and renewed >= since + CANCEL_AFTER
        if pod.pause_request and now >= since + RECORD_LIFETIME:
            # What it may have begun is counted from when it is taken off.
            self.moves.open.append(entry.model_copy(update={"phase_time": now}))
        elif pod.pause_request:
            self._waits(entry)
            self._clear(pod)
        elif entry.instance not in self.scene.observed.live_reads:
            self.moves.reads.add(entry.instance)
            self._waits(entry)
        elif now >= since + PAUSE + MARGIN or (told and not stands):
            self._return(entry, entry.result or ABORTED, entry.message)
        else:
            self.moves.again.append(since + PAUSE + MARGIN)
            self._waits(entry)

    # After it.

    def _return(self, entry: MaintenanceEntry, code: OperationResultCode, why: str) -> None:
        back = following(self.scene, entry, MaintenancePhase.RETURNING)
        self.moves.open.append(back.model_copy(update={"result": code, "message": why}))

    def _await_health(self, entry: MaintenanceEntry, pod: Instance) -> None:
        """In rotation and healthy on a live read, or not within the grace of a slot (M-16)."""
        well = bool(pod.in_rotation) and pod.ready and self._is_well(pod)
        ends = entry.phase_time + self.scene.slot_grace
        if pod.pause_request:
            self._waits(entry)
            return
        if not well:
            # That it answers is no news to anybody where it did before its return was recorded.
            self.moves.again.append(self.scene.now + LOOK_AGAIN)
        done = resolved(self.scene, entry, entry.result or ABORTED, entry.message)
        self.back.conclude(entry, done if well else None, ends, what="paused")

    # What all of them need.

    def _is_well(self, pod: Instance) -> bool:
        if not self.scene.has_source:
            return pod.ready
        return stands_healthy(self.scene, pod)

    def _waits(self, entry: MaintenanceEntry) -> None:
        self.moves.again.append(self.scene.now + LOOK_AGAIN)
        self.moves.open.append(entry)

    def _end(self, entry: MaintenanceEntry, code: OperationResultCode, why: str) -> None:
        self.moves.open.append(resolved(self.scene, entry, code, why))

    def _clear(self, pod: Instance) -> None:
        act = ClearPause(name=pod.name, uid=pod.uid, resource_version=pod.resource_version)
        self.moves.acts.append(act)

    def _agent_of(self, pod: Instance) -> AgentView | None:
        """The agent of its node, as last read; asks for it. None before it was read."""
        node = pod.node or ""
        self.moves.agents.add(node)
        return self.scene.observed.agents.get(node)

    def _answer_to(self, entry: MaintenanceEntry, pod: Instance) -> PauseAnswer | None:
        agent = self._agent_of(pod)
        answer = None if agent is None else agent.answers.get(pod.uid)
        if answer is None or entry.result is not None:
            return answer
        return answer if answer.id == request_of(entry) else None


def _may_bear_request(entry: MaintenanceEntry) -> bool:
    return entry.impact is Impact.PAUSE and entry.phase is MaintenancePhase.PAUSED
