"""How far a rollout is, what it waits for, and which Events that is worth.

Says what was decided and adds nothing to it; every reason is stable, every message bounded.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.api.rolloutstatus import RolloutStatus
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Note
from scaleset_operator.core.revisions import called
from scaleset_operator.core.rollout_limits import max_batch
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.several import several
from scaleset_operator.core.ways import why_replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the choice of this decision came to.

    Attributes:
        behind: live instances of older models that may be updated, those on their way included.
        leaving: how many are on their way out.
        held: how many of those stay until the floor has room for them.
        missing: how many are still to be created.
        renewing: names of those that are renewed in place and have not shown themselves yet.
        objection: which unhealthy limit is exceeded; empty where none is.
        pause_until: when the pause between batches ends, where one runs.
    """

    behind: tuple[Instance, ...]
    leaving: int
    held: int
    missing: int
    renewing: tuple[str, ...]
    objection: str
    pause_until: datetime | None


def awaited(scene: Scene) -> list[Instance]:
    """Instances for which there is still hope: not available, and nothing says unhealthy.

    The replacements of repairs are awaited by their repairs, and hold up no rollout.
    """
    return [
        i
        for i in scene.live
        if i.name not in scene.replacements
        and i.uid not in scene.noticed
        and not scene.is_available(i)
        and scene.verdicts[i.uid].health is not VMHealth.UNHEALTHY
    ]


def told(scene: Scene, record: RolloutStatus, standing: Standing) -> RolloutStatus | None:
    """The record with its reason and message; None when the rollout is over.

    Args:
        scene: what this decision looks at.
        record: the rollout, with what was decided now.
        standing: what the choice came to.
    """
    starting = sorted({i.name for i in awaited(scene)} - set(standing.renewing))
    under_way = standing.leaving or standing.missing or standing.renewing or starting
    if not (standing.behind or record.surge or under_way):
        return None
    mode = scene.spec.upgrade_policy.mode
    if mode is UpgradeMode.MANUAL and not (record.surge or standing.leaving or standing.renewing):
        return None
    reason, why = _why(scene, record, standing, starting)
    revision = scene.observed.revisions.get(record.model)
    return record.model_copy(
        update={
            "revision": revision,
            "reason": reason.value,
            "message": f"{_how_far(scene, record, standing)}; {why}"[:256],
            "next_time": _next_time(record, standing, reason),
        }
    )


def _next_time(record: RolloutStatus, standing: Standing, reason: Reason) -> datetime | None:
    """When time alone lets it go on: the end of the pause, or of the wait after a failure."""
    waits = [record.next_time] if record.failed_surges else []
    waits += [standing.pause_until] if reason is Reason.ROLLOUT_PAUSED else []
    return max((at for at in waits if at is not None), default=None)


def _how_far(scene: Scene, record: RolloutStatus, standing: Standing) -> str:
    updated = sum(i.model == record.model for i in scene.live)
    model = called(record.model, scene.observed.revisions)
    return f"{updated} of {scene.spec.replicas} on {model}{_replaced(scene, standing)}"


def _replaced(scene: Scene, standing: Standing) -> str:
    """How many are replaced although the owner wants them renewed in place, and mostly why."""
    if not scene.spec.upgrade_policy.rolling_upgrade_policy.in_place_if_possible:
        return ""
    whys = Counter(why for i in standing.behind if (why := why_replaced(scene, i)))
    total = whys.total()
    if not total:
        return ""
    return f" ({total} {'is' if total == 1 else 'are'} replaced: {whys.most_common(1)[0][0]})"


def _why(
    scene: Scene, record: RolloutStatus, standing: Standing, starting: list[str]
) -> tuple[Reason, str]:
    """The one reason for which nothing more is taken now, in the order of what is waited for."""
    blocked = _blocked(scene)
    if blocked is not None:
        return blocked
    if standing.leaving or standing.missing or standing.renewing or starting:
        return Reason.ROLLING_OUT, _waiting(standing, starting)
    if standing.pause_until is not None and scene.now < standing.pause_until:
        return Reason.ROLLOUT_PAUSED, f"paused until {format_time(standing.pause_until)}"
    if standing.objection:
        return Reason.ROLLOUT_STOPPED, standing.objection
    if record.next_time is not None and scene.now < record.next_time:
        again = format_time(record.next_time)
        failed = f"{record.failed_surges} new instances in a row were not healthy in time"
        return Reason.ROLLOUT_STOPPED, f"{failed}; next try at {again}"
    if record.surge:
        names = several(s.replacement for s in record.surge)
        return Reason.ROLLING_OUT, f"waiting for {names}"
    return _held(scene)


def _blocked(scene: Scene) -> tuple[Reason, str] | None:
    """Why no instance of the latest model can be made at all."""
    seen = scene.observed
    if seen.template.fault is not None:
        return seen.template.fault, seen.template.fault_message
    if seen.overlaps_with is not None:
        return Reason.SELECTOR_OVERLAP, f"overlaps {seen.overlaps_with}"
    if seen.create_refused is not None:
        return seen.create_refused[0], seen.create_refused[1]
    return None


def _waiting(standing: Standing, starting: list[str]) -> str:
    parts = [f"renewing {several(standing.renewing)} in place"] if standing.renewing else []
    parts += [f"waiting for {several(starting)}"] if starting else []
    parts += [f"{standing.leaving} leaving"] if standing.leaving else []
    parts += [f"{standing.held} of them held by the floor"] if standing.held else []
    parts += [f"{standing.missing} to be created"] if standing.missing else []
    return ", ".join(parts)


def _held(scene: Scene) -> tuple[Reason, str]:
    """Nobody starts and nobody leaves: either the floor holds, or the next batch is about to go."""
    batch = max_batch(scene.spec)
    floor = scene.spec.replicas - batch
    available = sum(scene.is_available(i) for i in scene.live)
    if available <= floor:
        held = f"{available} are available and the floor is {floor}"
        return Reason.ROLLOUT_STOPPED, f"{held}: no further one may be taken"
    return Reason.ROLLING_OUT, f"at most {batch} at once"


def in_short(rollout: RolloutStatus | None) -> tuple[object, ...] | None:
    """What of a rollout must stand at once: acts build on it, or an Event goes with it."""
    if rollout is None:
        return None
    return (
        rollout.model,
        rollout.reason == Reason.ROLLOUT_STOPPED,
        rollout.batch_time,
        rollout.healthy_time,
        rollout.failed_surges,
        tuple(step.replacement for step in rollout.surge),
    )


def rollout_notes(
    scene: Scene, before: RolloutStatus | None, after: RolloutStatus | None
) -> Iterator[Note]:
    """One Event when a rollout begins to take instances, stops, or ends."""
    if after is None:
        behind = any(i.model != scene.observed.template.model for i in scene.live)
        if before is not None and before.model == scene.observed.template.model and not behind:
            model = called(before.model, scene.observed.revisions)
            yield Note(reason=Reason.ROLLOUT_COMPLETED, message=f"every instance is on {model}")
        return
    began = before is not None and before.model == after.model and before.batch_time is not None
    if not began and after.batch_time is not None:
        yield Note(reason=Reason.ROLLOUT_STARTED, message=after.message)
    if after.reason == Reason.ROLLOUT_STOPPED and (before is None or before.reason != after.reason):
        yield Note(reason=Reason.ROLLOUT_STOPPED, message=after.message, warning=True)
