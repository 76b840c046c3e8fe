"""When repairs stop by themselves, and who lets them go on (protocol rules 12 to 14).

Counts what failed, suspends on a lineage or a run of failures, resumes on a person's request only.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.ledger import RepairResult, RepairsStatus
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Note
from scaleset_operator.core.revisions import called
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wishes import resume_requested_at

RUN_LIFETIME: Final = timedelta(hours=24)
"""A run of failures older than this starts anew (rule 12)."""


def count(scene: Scene, closed: list[Closed]) -> tuple[RepairsStatus, list[Note]]:
    """Take in the entries that ended, and a person's request, into the recorded repairs status."""
    repairs, notes = _resume(scene, scene.observed.status.repairs)
    model = scene.observed.template.model
    if repairs.consecutive_failed and (
        repairs.consecutive_failed_model != model or _too_old(scene, repairs)
    ):
        repairs = repairs.model_copy(update=_forgotten())
    for end in closed:
        repairs = _after(scene, repairs, end)
        cause = _why_suspend(scene, repairs, end)
        if cause is not None and repairs.suspended_since is None:
            repairs = repairs.model_copy(
                update={"suspended_since": scene.now, "suspended_cause": cause}
            )
    return repairs.model_copy(update={"enabled_time": _enabled_time(scene)}), notes


def _enabled_time(scene: Scene) -> datetime | None:
    """Since when repairs are on: everyone's grace counts from it (rule 14, R-36)."""
    if not scene.policy.enabled:
        return None
    return scene.since(scene.observed.status.repairs.enabled_time)


def _forgotten() -> dict[str, Any]:
    return {
        "consecutive_failed": 0,
        "consecutive_failed_model": None,
        "consecutive_failed_since": None,
    }


def _too_old(scene: Scene, repairs: RepairsStatus) -> bool:
    since = repairs.consecutive_failed_since
    return since is not None and scene.now - since > RUN_LIFETIME


def _after(scene: Scene, repairs: RepairsStatus, end: Closed) -> RepairsStatus:
    if end.result is RepairResult.SUCCEEDED:
        return repairs.model_copy(update=_forgotten())
    if end.reason is not Reason.GRACE_EXPIRED:
        return repairs
    return repairs.model_copy(
        update={
            "consecutive_failed": repairs.consecutive_failed + 1,
            "consecutive_failed_model": scene.observed.template.model,
            "consecutive_failed_since": repairs.consecutive_failed_since or scene.now,
        }
    )


def _why_suspend(scene: Scene, repairs: RepairsStatus, end: Closed) -> str | None:
    """The cause, if this failure was one too many (R-40, R-41)."""
    if end.reason is not Reason.GRACE_EXPIRED:
        return None
    most = scene.policy.suspend_after_failed_repairs
    model = called(scene.observed.template.model, scene.observed.revisions)
    if end.entry.attempt >= most and not _before_resume(scene, end.entry.start_time):
        lineage = f"in the lineage of {end.entry.instance}"
        return f"{end.entry.attempt} repairs in a row failed {lineage}, {model}"
    if repairs.consecutive_failed >= most * scene.allowance:
        return f"{repairs.consecutive_failed} repairs in a row failed, {model}"
    return None


def _resume(scene: Scene, repairs: RepairsStatus) -> tuple[RepairsStatus, list[Note]]:
    """A request counts if it is later than the last one and than the suspension (rule 13)."""
    asked = resume_requested_at(scene)
    handled = repairs.last_handled_resume_request
    if asked is None or asked == handled:
        return repairs, []
    since = repairs.suspended_since
    stale = (handled is not None and asked <= handled) or (since is not None and asked <= since)
    if stale and handled is not None and asked < handled:
        return repairs, []
    if stale:
        message = (
            f"a resume request of {format_time(asked)} does not count: it is not later than "
            f"the suspension of {format_time(since or scene.now)}"
        )
        noted = repairs.model_copy(update={"last_handled_resume_request": asked})
        return noted, [Note(reason=Reason.RESUME_IGNORED, message=message, warning=True)]
    done: dict[str, Any] = {"suspended_since": None, "suspended_cause": ""}
    done |= {"last_handled_resume_request": asked}
    if since is not None:
        done["resumed_time"] = scene.now
    return repairs.model_copy(update=_forgotten() | done), []


def attempts_before(scene: Scene, instance: Instance) -> int:
    """Repairs in a row that led to this instance and count: those since a person resumed (R-44)."""
    begun = instance.started or instance.created
    return 0 if _before_resume(scene, begun) else instance.attempt


def _before_resume(scene: Scene, moment: datetime) -> bool:
    resumed = scene.observed.status.repairs.resumed_time
    return resumed is not None and moment <= resumed
