"""Restart and undo of a rollout, and how far one is: what kubectl does for kinds it knows.

Pure. The history is ControllerRevisions owned by the set, their data the template. Must not know:
how any of it is read or written, or which instance goes next.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from scaleset_operator.api.base import ConditionStatus, format_time
from scaleset_operator.api.scaleset import ScaleSet, UpgradeMode
from scaleset_operator.cli import standing
from scaleset_operator.cli.acting import Act
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.ports import Json
from scaleset_operator.core.model import model_of

RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
"""The template annotation that `kubectl rollout restart` writes on kinds it knows."""
UP_TO_DATE: Final = "InstancesUpToDate"
ROLLOUT: Final = "rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rollout is.

    Attributes:
        updated: instances on the latest model, of `total` there are and `desired` wanted.
        reason: code of the rollout under way, else of the condition InstancesUpToDate; empty before
            the operator wrote one.
        told: whether the message is the rollout's own, which says how far it is.
        renewing: instances that are being renewed in place.
        finished: whether every instance is on the latest model, for the spec as it is now, and
            nobody is waited for any more.
    """

    updated: int
    total: int
    desired: int
    reason: str
    message: str
    told: bool
    renewing: tuple[str, ...]
    finished: bool

    def line(self) -> str:
        """The same for people."""
        said = ": ".join(text for text in (self.reason, self.message) if text)
        if self.told:
            return said
        renewing = f"renewing {', '.join(self.renewing)} in place" if self.renewing else ""
        head = f"{self.updated} of {self.desired} on the latest model"
        return "; ".join(text for text in (head, said, renewing) if text)

    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {name: value for name, value in asdict(self).items() if name != "told"}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Kept:
    """One template of the history."""

    number: int
    model: str
    created: str
    template: Json

    def word(self) -> str:
        """What it is called."""
        return f"revision {self.number} (model {self.model})"

    def data(self, present: str) -> dict[str, Any]:
        """The same for programs; `present` is the model of the set's template."""
        return {
            "revision": self.number,
            "model": self.model,
            "created": self.created,
            "present": self.model == present,
        }


def progress(raw: Json) -> Progress:
    """How far the rollout is, by the operator's word."""
    found = standing.read(raw).resource
    status = found.status
    stands = next((c for c in status.conditions if c.type == UP_TO_DATE), None)
    seen = status.observed_generation >= found.metadata.generation
    rollout = status.rollout if seen else None
    speaks = rollout or (stands if seen else None)
    message = speaks.message if speaks is not None else ""
    if not seen:
        message = f"the operator has not answered generation {found.metadata.generation} yet"
    up_to_date = seen and stands is not None and stands.status is ConditionStatus.TRUE
    enough = status.updated_replicas >= found.spec.replicas
    return Progress(
        updated=status.updated_replicas,
        total=status.replicas,
        desired=found.spec.replicas,
        reason=speaks.reason if speaks is not None else "",
        message=message,
        told=rollout is not None,
        renewing=tuple(row.instance for row in status.renewals),
        finished=up_to_date and rollout is None and not status.renewals and enough,
    )


def history(raw: Json, revisions: Iterable[Json]) -> list[Kept]:
    """The templates that are kept of this set, oldest first.

    Args:
        raw: the ScaleSet.
        revisions: ControllerRevisions; those of other owners are passed over.
    """
    uid = raw["metadata"]["uid"]
    found = [
        Kept(
            number=int(revision["revision"]),
            model=model_of(revision["data"]),
            created=revision["metadata"].get("creationTimestamp") or "",
            template=revision["data"],
        )
        for revision in revisions
        if isinstance(revision.get("data"), dict)
        and any(
            owner.get("controller") and owner["uid"] == uid
            for owner in revision["metadata"].get("ownerReferences") or ()
        )
    ]
    return sorted(found, key=lambda kept: kept.number)


def restart(raw: Json, now: datetime) -> Act:
    """A new model that differs in nothing but the time: every instance is made anew.

    Raises:
        Failure: the template was restarted in this very second already.
    """
    found = standing.read(raw).resource
    metadata = found.spec.template.get("metadata") or {}
    before = (metadata.get("annotations") or {}).get(RESTARTED_AT)
    at = format_time(now.replace(microsecond=0))
    if before == at:
        line = f"{_name(found)} was restarted at {at}, in this very second: try again"
        raise Failure(line)
    template = {"metadata": {"annotations": {RESTARTED_AT: at}}}
    return Act(
        what=ROLLOUT,
        was=f"restarted at {before}" if before else "never restarted",
        now=f"restarted at {at}",
        patch={"spec": {"template": template}},
        hint=_hint(found),
    )


def undo(raw: Json, kept: list[Kept], number: int | None) -> Act:
    """Go back to an earlier template.

    Args:
        raw: the ScaleSet.
        kept: its history, oldest first.
        number: the revision to go to; None for the one before the present.

    Raises:
        Failure: there is no such revision, or none to go back to.
    """
    found = standing.read(raw).resource
    present = model_of(found.spec.template)
    mine = next((k for k in kept if k.model == present), None)
    target = _target(found, kept, present, number)
    same = target.model == present
    operations = {"op": "replace", "path": "/spec/template", "value": target.template}
    return Act(
        what=ROLLOUT,
        was=f"at {mine.word()}" if mine is not None else f"at model {present}",
        now=f"at {target.word()}",
        operations=() if same else (operations,),
        hint="" if same else _hint(found),
    )


def _target(found: ScaleSet, kept: list[Kept], present: str, number: int | None) -> Kept:
    numbers = ", ".join(str(k.number) for k in kept) or "none, for no history is kept"
    if number is not None:
        target = next((k for k in kept if k.number == number), None)
        if target is None:
            line = f"--to-revision is {number}: {_name(found)} has {numbers}"
            raise Failure(line)
        return target
    earlier = [k for k in kept if k.model != present]
    if not earlier:
        line = f"{_name(found)} has no revision before the present one; there are: {numbers}"
        raise Failure(line)
    return earlier[-1]


def _hint(found: ScaleSet) -> str:
    if found.spec.upgrade_policy.mode is UpgradeMode.MANUAL:
        return "upgradePolicy.mode is Manual: no instance moves by itself"
    return ""


def _name(found: ScaleSet) -> str:
    return f"ScaleSet {found.metadata.namespace}/{found.metadata.name}"
