"""The only door of the room: one observation in, one plan out.

The order in which the rules stand: doubt, then repairs in flight, then the number of instances,
then new repairs, then the rollout. Acts come only from what the status already records; what this
decision adds to the ledger is recorded first and acted upon by the next one.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairsStatus
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core import scheduled_events, summary, upkeep_words
from scaleset_operator.core.answers import Answers, answer
from scaleset_operator.core.arming import arm
from scaleset_operator.core.conditions import conditions
from scaleset_operator.core.inclusion import Inclusion, include, opening
from scaleset_operator.core.inplace import renew
from scaleset_operator.core.ledger import Closed, Progress, advance, stalled
from scaleset_operator.core.naming import Names
from scaleset_operator.core.notes import tell
from scaleset_operator.core.notice import carry_out
from scaleset_operator.core.observed import Observed
from scaleset_operator.core.plan import (
    Action,
    AdoptInstance,
    CreateInstance,
    DeleteInstance,
    Note,
    Plan,
    Purpose,
    Record,
    ReleaseInstance,
)
from scaleset_operator.core.publication import publications
from scaleset_operator.core.relocation import move
from scaleset_operator.core.repair import Opened, open_repairs
from scaleset_operator.core.rollout import Rollout, roll_out
from scaleset_operator.core.rotation import departures
from scaleset_operator.core.scaling import Domains, Scaling, scale
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.suspension import count
from scaleset_operator.core.taking import Busy, Upkeep
from scaleset_operator.core.updates import update
from scaleset_operator.core.upkeep import choose
from scaleset_operator.core.urgency import urgency
from scaleset_operator.core.wishes import suspended_until
from scaleset_operator.core.witness import Doubts, look_into, witnesses


def decide(spec: ScaleSetSpec, observed: Observed, now: datetime) -> Plan:
    """Decide one turn of one ScaleSet.

    Args:
        spec: what the owner wants.
        observed: everything that was seen.
        now: aware datetime of the steady clock that the observation is in.

    Returns:
        The next status, the acts that the recorded status allows, and when to look again.
    """
    scene = Scene.of(spec, observed, now)
    if observed.deleting:
        return Plan(status=observed.status, actions=tuple(departures(observed.instances)))
    return Turn(scene).plan()


class Turn:
    """The steps of one decision, in their order of precedence; `explain` reads them too."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.names = Names.of(scene.observed)
        self.progress: Progress = advance(scene, self.names)
        carry_out(scene, self.names, self.progress)
        renew(scene, self.progress)
        self.moves = move(scene)
        domain = Domains(scene, self.progress.open, self.moves.open).smallest()
        self.doubts: Doubts = look_into(scene, self.names, domain)
        extra = witnesses(scene, self.doubts) - {e.replacement for e in self.progress.open}
        extra |= scene.surplus
        in_flight = self.progress.open
        self.scaling: Scaling = scale(scene, self.names, in_flight, extra, self.moves.open)
        self.moves.open = self.scaling.moves
        leaving = {v.uid for v in self.scaling.removing}
        self.scaling.removing.extend(v for v in self.doubts.removals if v.uid not in leaving)
        self.closed: list[Closed] = [*self.progress.closed, *self.scaling.closed]
        self.repairs, self.notes = count(scene, self.closed)
        # What suspends repairs in this decision stops those of this decision too (rule 12).
        self.asked = scene.with_repairs(self.repairs)
        self.opened: Opened = open_repairs(self.asked, self.names, self.scaling, self.doubts.stand)
        self.in_flight = [*self.scaling.entries, *self.opened.entries]
        self.rollout: Rollout = roll_out(scene, self.names, self.scaling, self.in_flight)
        update(scene, self.scaling, self.rollout, self.in_flight)
        self.included: Inclusion = include(scene, self.moves.open)
        self.upkeep: Upkeep = choose(scene, self.moves, self.included, self._busy())
        met = {e.uid for e in self.in_flight}
        met |= {v.uid for v in (*self.scaling.removing, *self.rollout.taken)}
        met |= {r.uid for r in self.rollout.renewals}
        self.answers: Answers = answer(scene, self.opened.decisions, met, self.upkeep)

    def _busy(self) -> Busy:
        """Who is in other hands than those of maintenance."""
        repaired = {e.uid for e in self.in_flight}
        repaired |= {e.replacement for e in self.in_flight if e.replacement}
        rolled = {v.uid for v in self.rollout.taken} | {r.uid for r in self.rollout.renewals}
        rolled |= {s.uid for s in self.rollout.status.surge} if self.rollout.status else set()
        leaving = {v.uid for v in self.scaling.removing}
        live = {i.uid for i in self.scene.live}
        return Busy(
            repaired=repaired,
            rolled=rolled & live,
            leaving=leaving & live,
            missing=self.scaling.missing,
        )

    def plan(self) -> Plan:
        """The plan that these steps make together."""
        status = self._status()
        waiting = any(d.reason is Reason.BATCH_LIMIT_REACHED for d in self.opened.decisions)
        record = urgency(self.scene.observed.status, status, waiting=waiting)
        acts = () if record is Record.NOW else tuple(self._acts())
        notes: tuple[Note, ...] = ()
        if record is Record.NOW:
            notes = (*self.notes, *self.doubts.notes, *self.answers.notes)
            notes += tuple(tell(self.scene, self.opened.entries, self.closed, status))
            notes += tuple(upkeep_words.tell(self.scene, self.moves, self.upkeep))
        return Plan(
            status=status,
            record=record,
            actions=acts,
            reads=frozenset(self._reads()),
            read_windows=frozenset(self.moves.windows),
            read_places=frozenset(self.moves.places),
            ask_agents=frozenset(self.moves.agents),
            list_live=self.scaling.list_live,
            look_at_policies=self.scene.is_silent,
            look_again_at=self._again(),
            decisions=tuple(self.opened.decisions),
            notes=notes,
            ended=summary.ended(self.scene, self.closed),
        )

    def _reads(self) -> set[str]:
        reads = self.progress.reads | self.opened.reads | self.rollout.reads
        return reads | self.moves.reads | self.upkeep.reads

    def _again(self) -> datetime | None:
        now = self.scene.now
        moments: list[datetime | None] = [
            *self.progress.again,
            *self.doubts.again,
            *self.scaling.again,
            *self.opened.again,
            *self.rollout.again,
            *self.moves.again,
            *self.included.again,
            *self.upkeep.again,
            *([self.scene.watched_from] if self.scene.restarts_too_often else []),
            *(v.changes_at for v in self.scene.verdicts.values()),
            suspended_until(self.scene),
        ]
        return min((m for m in moments if m is not None and m > now), default=None)

    def _acts(self) -> Iterable[Action]:
        """What the recorded status allows; health first, for it waits for nothing."""
        observed = self.scene.observed
        yield from publications(self.scene)
        if not observed.view_is_fresh:
            return
        for pod in observed.adoptable:
            if pod.live:
                yield AdoptInstance(
                    name=pod.name, uid=pod.uid, resource_version=pod.resource_version
                )
        for pod in observed.released:
            yield ReleaseInstance(name=pod.name, uid=pod.uid, resource_version=pod.resource_version)
        yield from self.answers.acts
        answered = {act.uid for act in self.answers.acts}
        yield from (act for act in self.included.acts if act.uid not in answered)
        yield from self.moves.acts
        acts = (*self.progress.acts, *self.doubts.acts, *self.scaling.acts, *self.rollout.acts)
        yield from (self._towards_updated(act) for act in acts)
        for pod in observed.instances:
            if pod.over and not pod.terminating:
                yield DeleteInstance(
                    name=pod.name,
                    uid=pod.uid,
                    resource_version=pod.resource_version,
                    purpose=Purpose.OVER,
                )

    def _towards_updated(self, act: Action) -> Action:
        """What is made while a maintenance is open should go to an updated node (M-21)."""
        now = self.scene.now
        views = (v for v in self.scene.observed.windows if not v.deleted and v.node_labels)
        view = next((v for v in views if opening(v) <= now < v.announced.end_time), None)
        if view is None or not isinstance(act, CreateInstance):
            return act
        return replace(act, node_labels=view.node_labels, may_go_anywhere=True)

    def _status(self) -> ScaleSetStatus:
        scene = self.scene
        before = scene.observed.status
        repairs = self._repairs()
        known = {v.uid for v in self.scaling.removing}
        removing = [*self.scaling.removing, *(v for v in self.rollout.taken if v.uid not in known)]
        status = before.model_copy(
            update={
                **summary.counts(scene, len(self.in_flight)),
                "last_instance_id": self.names.last_id,
                "creating": tuple(self.scaling.creating),
                "scale_in": tuple(removing),
                "renewals": tuple(self.rollout.renewals),
                "rollout": self.rollout.status,
                "orchestration_services": summary.services(scene, repairs),
                "repairs": repairs,
                "requests": self.answers.rows,
                "maintenance": upkeep_words.summary(
                    scene, self.moves, self.upkeep, self.upkeep.entries
                ),
                "unhealthy_instances": summary.explained(self.opened.decisions),
            }
        )
        told = scheduled_events.incarnation(before, status, scene.now)
        maintained = upkeep_words.condition(status.maintenance, scene.spec.replicas)
        more = (*maintained, *summary.outbound(scene))
        words = conditions(scene, status, more)
        reports = {"conditions": words, "scheduled_events_incarnation": told}
        return status.model_copy(update=reports)

    def _repairs(self) -> RepairsStatus:
        scene = self.scene
        in_flight = sorted(self.in_flight, key=lambda e: (e.start_time, e.instance))
        return self.repairs.model_copy(
            update={
                "batch_limit": scene.allowance if scene.policy.enabled or in_flight else 0,
                "in_flight": tuple(in_flight),
                "stalled": stalled(scene, self.closed),
                "doubts": self.doubts.stand,
                "armed": arm(scene),
                "next_eligible_time": summary.next_eligible(self.opened.decisions, scene.now),
                "history": summary.history(scene, self.closed),
            }
        )
