"""New before old: with `maxSurge` an instance goes once its successor serves (protocol rule 22).

A step pairs the two. Its successor is recorded before the create, is no part of the wanted number
while the older one lives, and takes its place once that is gone, for whatever reason. Begins no
step by itself: `rollout` says for whom there is room.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.rolloutstatus import SurgeStep
from scaleset_operator.api.scalesetstatus import RemovalPurpose, ScaleInVictim
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import CreateInstance
from scaleset_operator.core.rollout_limits import is_lost
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene

PATIENCE: Final = timedelta(minutes=10)
"""How long a successor may take at least, as a Deployment's progress deadline by default: while it
is waited for, nothing is missing."""
LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(slots=True)
class Surge:
    """What became of the recorded steps.

    Attributes:
        steps: those that go on.
        going: instances whose successor serves, and successors that are not wanted any more, by
            uid: one may be both, the successor of a step and the older one of another.
        done: how many steps came to their end.
        failed: how many successors were not healthy in time.
        reads: names to be read live: a cache that has not seen a pod yet looks like one whose pod
            is gone.
    """

    steps: list[SurgeStep] = field(default_factory=list)
    going: dict[str, ScaleInVictim] = field(default_factory=dict)
    acts: list[CreateInstance] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)
    done: int = 0
    failed: int = 0

    @property
    def leaving(self) -> list[ScaleInVictim]:
        """Who goes, each of them once."""
        return list(self.going.values())

    def send_away(self, pod: Instance) -> None:
        """Have this instance deleted."""
        self.going[pod.uid] = ScaleInVictim(
            name=pod.name, uid=pod.uid, purpose=RemovalPurpose.ROLLOUT
        )


def advance(scene: Scene, names: Names, scaling: Scaling, spare: int) -> Surge:
    """Bring every recorded step forward as far as this observation allows.

    Args:
        scene: what this decision looks at.
        names: hands out another name where the recorded one cannot be used.
        scaling: of this decision; who leaves anyway needs no successor.
        spare: available instances above the floor, successors included.
    """
    surge = Surge()
    leaving = {v.uid: v.purpose for v in scaling.removing}
    for step in scene.surge_steps:
        victim = scene.by_uid.get(step.uid)
        if victim is None and step.instance not in scene.observed.live_reads:
            surge.reads.add(step.instance)
            surge.steps.append(step)
        elif victim is None or not victim.live:
            surge.done += 1  # Gone, whoever sent it: the successor has taken its place.
        elif leaving.get(step.uid) is RemovalPurpose.ROLLOUT:
            surge.done += 1
        elif step.uid in leaving or _is_moot(scene, step, victim):
            _dismiss(scene, surge, step)
        else:
            spare = _advance(scene, names, surge, (step, victim), spare)
    return surge


def begin(scene: Scene, names: Names, victim: Instance) -> SurgeStep:
    """A step for this instance: recorded first, its successor created by the next decision."""
    return SurgeStep(
        instance=victim.name,
        uid=victim.uid,
        replacement=names.take(),
        update_domain=victim.update_domain,
        model=scene.observed.template.model,
    )


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: doubling, at most an hour."""
    wait: timedelta = min(PATIENCE * 2.0 ** min(failures - 1, 10), LONGEST_WAIT)
    return wait


def _is_moot(scene: Scene, step: SurgeStep, victim: Instance) -> bool:
    """Whether nobody wants this step any more: a newer model (R-58), a way back, protection."""
    model = scene.observed.template.model
    return step.model != model or victim.model == model or victim.protected_from_actions


def _dismiss(scene: Scene, surge: Surge, step: SurgeStep) -> None:
    """The step ends without its victim; a successor that is there already goes."""
    successor = scene.by_name.get(step.replacement)
    if successor is not None and successor.live and not successor.protected_from_actions:
        surge.send_away(successor)


def _advance(
    scene: Scene, names: Names, surge: Surge, pair: tuple[SurgeStep, Instance], spare: int
) -> int:
    """One step; returns what it leaves of the spare ones."""
    step, victim = pair
    successor = scene.by_name.get(step.replacement)
    if successor is None or not successor.live:
        surge.steps.append(_make(scene, names, surge, step))
        return spare
    step = step.model_copy(update={"replacement_uid": successor.uid})
    lost = is_lost(scene, victim)
    ends = (successor.started or successor.created) + max(scene.slot_grace, PATIENCE)
    if lost or (serves(scene, successor) and spare > 0):
        surge.done += 1
        surge.send_away(victim)
        return spare - (not lost)
    if is_lost(scene, successor) and scene.now >= ends:
        surge.failed += 1
        _dismiss(scene, surge, step)
        return spare
    surge.again.append(ends)
    surge.steps.append(step)
    return spare


def serves(scene: Scene, successor: Instance) -> bool:
    """Whether the older one may go: its successor is available."""
    return scene.is_available(successor)


def _make(scene: Scene, names: Names, surge: Surge, step: SurgeStep) -> SurgeStep:
    """Create the successor under its recorded name; one that was there and went gets another."""
    successor = scene.by_name.get(step.replacement)
    refused = scene.observed.create_refused
    if refused is not None and scene.now < refused[2]:
        surge.again.append(refused[2])
        return step
    was_there = successor is not None or step.replacement_uid is not None
    if was_there or step.replacement in scene.observed.unusable:
        if successor is None and step.replacement not in scene.observed.live_reads:
            surge.reads.add(step.replacement)
            return step
        return step.model_copy(update={"replacement": names.take(), "replacement_uid": None})
    surge.acts.append(
        CreateInstance(
            name=step.replacement,
            instance_id=Names.id_of(step.replacement),
            update_domain=step.update_domain,
            model=step.model,
        )
    )
    return step
