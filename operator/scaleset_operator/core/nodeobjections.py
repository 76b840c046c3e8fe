"""What speaks against going on with a node: the window, the node itself, its Job.

Must not know: what follows from it.
"""

from datetime import datetime, timedelta

from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.windowledger import AnnouncedOccurrence, NodeWork
from scaleset_operator.api.windowparts import DEFAULT_NODE_TIMEOUT
from scaleset_operator.core.nodechoice import updated_labels
from scaleset_operator.core.noderecord import claim_of, job_name
from scaleset_operator.core.nodeview import NodeScene


def barred(scene: NodeScene) -> str:
    """Why no work on nodes may begin at all; empty where it may."""
    window = scene.window
    if window.metadata.deletion_timestamp is not None:
        return "the window is being deleted"
    if window.spec.node_maintenance is None or window.spec.impact is not Impact.REDEPLOY:
        return "the window has no nodeMaintenance any more"
    if not updated_labels(window):
        return "the window has no updatedNodeSelector"
    return scene.obstacle


def obstacle_to(scene: NodeScene, work: NodeWork, now: datetime) -> str:
    """Why what has not begun to be worked on is unwound; empty where nothing speaks against it."""
    if now >= end_of(scene, work):
        return "the window closed before it was worked on"
    return barred(scene)


def lost(scene: NodeScene, work: NodeWork) -> str:
    """Why a node that we cordoned is not ours any more: somebody else's word counts."""
    node = scene.node
    if node is None:
        return "the node is gone"
    if node.claim != claim_of(scene.window, work.iteration):
        return "somebody took the annotation of its maintenance away"
    return "" if node.unschedulable else "somebody uncordoned the node"


def job_trouble(scene: NodeScene, work: NodeWork) -> str:
    """Why the Job cannot be waited for; empty where it can, or is still to be created."""
    job = scene.job
    if is_other_work(scene, work):
        return "spec.updatedNodeSelector was changed while its Job ran"
    if job is None:
        return "its Job was deleted" if work.job_uid is not None else ""
    if not job.ours or work.job_uid not in (None, job.uid):
        return f"another Job has the name {job.name}"
    if job.failed:
        return f"its Job failed: {job.message}" if job.message else "its Job failed"
    return "its Job is being deleted" if job.terminating and not job.complete else ""


def is_other_work(scene: NodeScene, work: NodeWork) -> bool:
    """Whether the Job was recorded for another selector of updated nodes."""
    return work.job != job_name(scene.window, work.iteration, work.node)


def _occurrence(scene: NodeScene, work: NodeWork) -> AnnouncedOccurrence | None:
    announced = scene.window.status.announced
    return next((o for o in announced if o.iteration == work.iteration), None)


def end_of(scene: NodeScene, work: NodeWork) -> datetime:
    """When the window closes; one that is announced no more has closed."""
    found = _occurrence(scene, work)
    return work.time if found is None else found.end_time


def timeout_of(scene: NodeScene) -> timedelta:
    """How long emptying and the Job may each take."""
    spec = scene.window.spec.node_maintenance
    return DEFAULT_NODE_TIMEOUT if spec is None else spec.timeout
