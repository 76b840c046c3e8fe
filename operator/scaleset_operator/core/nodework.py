"""Work on the nodes themselves, one at a time: cordon, empty, run the Job, label, uncordon.

Each step is recorded before anything is touched, and an act follows from a record alone: whoever
reads it goes on from there. Must not know: how instances are moved; their sets do that.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.windowledger import (
    NodePhase,
    NodeRecord,
    NodeWork,
)
from scaleset_operator.core.nodechoice import NO_FURTHER, choose, trimmed, updated_labels
from scaleset_operator.core.nodeobjections import (
    barred,
    end_of,
    is_other_work,
    job_trouble,
    lost,
    obstacle_to,
    timeout_of,
)
from scaleset_operator.core.noderecord import claim_of, job_name
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    DeleteJob,
    NodeAct,
    NodePlan,
    NodeScene,
    NodeView,
    UncordonNode,
)
from scaleset_operator.core.objections import CANCEL_AFTER, CLOCKS_DIFFER, RECORD_LIFETIME
from scaleset_operator.core.plan import Note

SOON: Final = timedelta(seconds=1)
POLL: Final = timedelta(seconds=5)
NO_CHOICE: Final = timedelta(seconds=30)
"""After which nodes are looked at again where none could be taken."""
JOB_GONE_WITHIN: Final = timedelta(minutes=2)
"""A Job that does not go for longer holds no node up: its pods may be on a node that is lost."""


def node_plan(scene: NodeScene, now: datetime) -> NodePlan:
    """What is to be recorded next, or what the record allows."""
    work = scene.window.status.node_work
    if work is None:
        return _beginning(scene, now)
    if work.time > now + CLOCKS_DIFFER:  # Written by a clock that was ahead.
        work = work.model_copy(update={"time": now})
    return _PHASES[work.phase](scene, work, now)


# --- The phases --------------------------------------------------------------------------------


def _beginning(scene: NodeScene, now: datetime) -> NodePlan:
    status = scene.window.status
    is_open = next((o for o in status.announced if o.start_time <= now < o.end_time), None)
    if is_open is None:
        ahead = [o.start_time for o in status.announced if o.start_time > now]
        when = min(ahead, default=None)
        words = "nodes are worked on while the scheduled window is open"
        return _same(scene, None, when, reason=Reason.WINDOW_CLOSED, words=words)
    obstacle = barred(scene)
    if obstacle:
        again = min(now + NO_CHOICE, is_open.end_time)
        suspended = scene.window.spec.suspend
        reason = Reason.WINDOW_SUSPENDED if suspended else Reason.NODE_NOT_EMPTYING
        return _same(scene, None, again, reason=reason, words=obstacle)
    choice = choose(scene, is_open.iteration)
    if choice.node is None:
        again = min(now + NO_CHOICE, is_open.end_time)
        return _same(scene, None, again, reason=choice.reason, words=choice.words)
    work = NodeWork(
        node=choice.node.name, iteration=is_open.iteration, phase=NodePhase.CORDONING, time=now
    )
    trial = (_cordon(scene, work, choice.node), _create(scene, work))
    return NodePlan(work=work, records=status.node_records, trial=trial, look_again_at=now)


def _cordoning(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    node = scene.node
    if node is None:
        return _close(scene, work, now, "the node is gone")
    if node.claim == claim_of(scene.window, work.iteration):
        if not node.unschedulable:
            return _give_up(scene, work, now, "somebody uncordoned the node")
        message = f"{node.name} takes no new pods: it is emptied and worked on"
        note = Note(reason=Reason.NODE_CORDONED, message=message)
        return replace(_next(scene, work, now, NodePhase.EMPTYING), notes=(note,))
    if node.unschedulable and not node.claim:
        return _give_up(scene, work, now, "somebody else cordoned the node")
    obstacle = scene.refused or obstacle_to(scene, work, now)
    if obstacle:
        return _give_up(scene, work, now, obstacle)
    if node.claim:  # Of two windows that chose it at once, one was first.
        again = min(now + POLL, end_of(scene, work))
        return _same(scene, work, again, words=f"it waits for {node.claim}")
    if now >= work.time + RECORD_LIFETIME:
        return _next(scene, work, now, NodePhase.CORDONING)
    return _same(scene, work, now + SOON, (_cordon(scene, work, node),), words="it is cordoned")


def _emptying(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    # One domain after the other, with the pause between: both count since it last got on.
    pause = scene.window.spec.update_domains.pause_between
    here, deadline = scene.here, work.time + timeout_of(scene) + pause
    obstacle = lost(scene, work) or obstacle_to(scene, work, now)
    if not obstacle and here.stuck:
        obstacle = f"{here.stuck[0]} on it is not moved any more in this iteration"
    if not obstacle and here.others:
        obstacle = f"{here.others[0]} on it is not included in this iteration"
    if not obstacle and here.movable and now >= deadline:
        obstacle = f"no instance left it for too long, and {here.movable} are on it"
    if obstacle:
        return _give_up(scene, work, now, obstacle)
    if not here.movable:
        name = job_name(scene.window, work.iteration, work.node)
        return _next(scene, work, now, NodePhase.WORKING, job=name)
    noun = "instance is" if here.movable == 1 else "instances are"
    message = f"{here.movable} {noun} still on it"
    if message != work.message:
        return _changed(scene, work.model_copy(update={"message": message, "time": now}), now)
    end = end_of(scene, work)
    return _same(scene, work, min(now + POLL, deadline, end), words=message)


def _working(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    job, deadline = scene.job, work.time + timeout_of(scene)
    trouble = lost(scene, work) or job_trouble(scene, work)
    if trouble:
        failed = job is not None and job.ours and job.failed
        return _give_up(scene, work, now, trouble, work_failed=failed)
    if job is None:
        return _without_job(scene, work, now)
    ready = scene.node is not None and scene.node.ready
    if job.complete and ready:
        return _next(scene, work, now, NodePhase.UNWINDING, job_uid=job.uid)
    if now >= deadline:
        what = "the node was not Ready" if job.complete else "the Job had not ended"
        why = f"{what} after nodeMaintenance.timeout"
        return _give_up(scene, work, now, why, work_failed=True)
    if work.job_uid is None:
        return _changed(scene, work.model_copy(update={"job_uid": job.uid}), now)
    words = "its Job is done, and it is not Ready yet" if job.complete else "its Job runs"
    return _same(scene, work, min(now + POLL, deadline), words=words)


def _without_job(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    """Working, and the Job has not been seen yet."""
    obstacle = scene.refused or obstacle_to(scene, work, now)
    if obstacle:
        return _give_up(scene, work, now, obstacle)
    if now >= work.time + RECORD_LIFETIME:
        return _next(scene, work, now, NodePhase.WORKING, job=work.job)
    return _same(scene, work, now + SOON, (_create(scene, work),), words="its Job is created")


def _unwinding(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    node, job = scene.node, scene.job
    runs = job is not None and job.ours and not (job.complete or job.failed)
    if work.failed and job is not None and runs and now < work.time + JOB_GONE_WITHIN:
        acts = () if job.terminating else (DeleteJob(name=job.name, uid=job.uid),)
        return _same(scene, work, now + SOON, acts, words="its Job is deleted")
    labels = {} if work.failed or is_other_work(scene, work) else updated_labels(scene.window)
    if node is not None and node.claim == claim_of(scene.window, work.iteration):
        pairs = tuple(sorted(labels.items()))
        act = UncordonNode(node=node.name, resource_version=node.resource_version, labels=pairs)
        return _same(scene, work, now + SOON, (act,), words="it is uncordoned")
    seen = job is not None or work.job_uid is not None
    if not seen and now < work.time + CANCEL_AFTER:
        # Another operator may still be about to cordon, or to create the Job, by an older record.
        return _same(scene, work, work.time + CANCEL_AFTER, words="it is uncordoned")
    if node is None:
        return _close(scene, work, now, work.message or "the node is gone")
    if not labels:
        why = work.message or "spec.updatedNodeSelector was changed while its Job ran"
        return _close(scene, work, now, why)
    if not node.bears(labels):
        return _close(scene, work, now, "somebody took the node over before it was labelled")
    return _close(scene, work, now, "", updated=True)


# --- Plans -------------------------------------------------------------------------------------


def _cordon(scene: NodeScene, work: NodeWork, node: NodeView) -> CordonNode:
    return CordonNode(
        node=node.name,
        resource_version=node.resource_version,
        claim=claim_of(scene.window, work.iteration),
        not_after=min(work.time + RECORD_LIFETIME, end_of(scene, work)),
    )


def _create(scene: NodeScene, work: NodeWork) -> CreateJob:
    return CreateJob(
        name=job_name(scene.window, work.iteration, work.node),
        node=work.node,
        iteration=work.iteration,
        not_after=min(work.time + RECORD_LIFETIME, end_of(scene, work)),
    )


def _same(
    scene: NodeScene,
    work: NodeWork | None,
    again: datetime | None,
    acts: tuple[NodeAct, ...] = (),
    *,
    reason: Reason = Reason.NODE_NOT_EMPTYING,
    words: str = "",
) -> NodePlan:
    """The record stands: what it allows."""
    return NodePlan(
        work=scene.window.status.node_work,
        records=scene.window.status.node_records,
        acts=acts,
        look_again_at=again,
        reason=reason,
        words=f"{work.node}: {words}" if work is not None else words,
    )


def _changed(scene: NodeScene, work: NodeWork, now: datetime) -> NodePlan:
    """Another record; nothing is done before it stands."""
    return NodePlan(work=work, records=scene.window.status.node_records, look_again_at=now)


def _next(
    scene: NodeScene,
    work: NodeWork,
    now: datetime,
    phase: NodePhase,
    *,
    job: str | None = None,
    job_uid: str | None = None,
) -> NodePlan:
    changes = {"phase": phase, "time": now, "message": "", "job": job or work.job}
    changes["job_uid"] = job_uid or work.job_uid
    return _changed(scene, work.model_copy(update=changes), now)


def _give_up(
    scene: NodeScene, work: NodeWork, now: datetime, why: str, *, work_failed: bool = False
) -> NodePlan:
    changes = {"phase": NodePhase.UNWINDING, "time": now, "failed": True, "message": why}
    changes["work_failed"] = work_failed
    job = scene.job
    if job is not None and job.ours and work.job_uid is None:
        changes["job_uid"] = job.uid
    return _changed(scene, NodeWork.model_validate(work.model_dump() | changes), now)


def _close(
    scene: NodeScene, work: NodeWork, now: datetime, why: str, *, updated: bool = False
) -> NodePlan:
    failed = work.work_failed
    record = NodeRecord(
        node=work.node,
        iteration=work.iteration,
        updated=updated,
        work_failed=failed,
        message=why,
        time=now,
    )
    if updated:
        reason, message = Reason.NODE_UPDATED, f"{work.node} is updated"
    else:
        reason = Reason.NODE_GIVEN_UP
        message = f"{work.node} was given up: {why}" + (f"; {NO_FURTHER}" if failed else "")
    return NodePlan(
        records=trimmed((record, *scene.window.status.node_records)),
        look_again_at=now,
        notes=(Note(reason=reason, message=message, warning=not updated),),
        reason=reason,
        words=message,
    )


_PHASES: Final = {
    NodePhase.CORDONING: _cordoning,
    NodePhase.EMPTYING: _emptying,
    NodePhase.WORKING: _working,
    NodePhase.UNWINDING: _unwinding,
}
