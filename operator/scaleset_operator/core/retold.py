"""An observation rebuilt from what the operator has told: its status and the pods' conditions.

For those who have no prober: health is as it stands on the pods, and whatever only the operator can
know (whether its evidence is fresh, what the API server refused it) is taken from its own words.
Must not know: where the objects were read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from scaleset_operator.api.base import Condition, Reason, VMHealth
from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.api.scalesetstatus import ScaleSetStatus, UnhealthyInstance
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import Verdict
from scaleset_operator.core.model import images_of, model_of
from scaleset_operator.core.observed import Instance, Observed, ProbeView, TemplateView
from scaleset_operator.core.probe_view import in_force
from scaleset_operator.core.renewal import after_renewal
from scaleset_operator.core.scene import Scene

UNCERTAIN = (Reason.HEALTH_UNKNOWN, Reason.PROBE_INCONCLUSIVE)
OF_THE_PROBE = (Reason.PROBE_NOT_FOUND, Reason.AMBIGUOUS_PORT, Reason.PROBE_BLOCKED)
OF_THE_TEMPLATE = (Reason.INVALID_TEMPLATE, Reason.CREATE_FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read from the cluster.

    Attributes:
        instances: pods that the set controls.
        adoptable: pods of its name without a controller.
        probe: the HealthProbe it names; None where it names none or it may not be read.
    """

    resource: ScaleSet
    instances: tuple[Instance, ...]
    adoptable: tuple[Instance, ...] = ()
    probe: HealthProbe | None = None


def scene_of(read: Read, now: datetime) -> Scene:
    """What a decision of the operator would look at now, as far as it has told.

    Args:
        read: the objects.
        now: aware datetime.
    """
    observed = _observed(read)
    rows = {row.name: row for row in observed.status.unhealthy_instances}
    silent = bool(observed.status.repairs.doubts)
    verdicts = {
        i.uid: _verdict(i, rows.get(i.name), now, silent=silent)
        for i in observed.instances
        if i.live
    }
    known = after_renewal(observed, verdicts, now)
    return Scene(spec=read.resource.spec, observed=observed, now=now, verdicts=known)


def _observed(read: Read) -> Observed:
    meta, status = read.resource.metadata, read.resource.status
    accepted = next((c for c in status.conditions if c.type == "Accepted"), None)
    return Observed(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        generation=meta.generation,
        status=status,
        template=_template(read, accepted),
        instances=read.instances,
        adoptable=read.adoptable,
        probe=_probe(read, accepted),
        overlaps_with=_fault(accepted, (Reason.SELECTOR_OVERLAP,))[1] or None,
        deleting=meta.deletion_timestamp is not None,
        view_is_fresh=not _says(status.unhealthy_instances, Reason.STALE_VIEW),
        live_reads=_named(read.instances, status),
        listed=True,
        refused_until={
            row.name: row.eligible_time
            for row in status.unhealthy_instances
            if row.reason == Reason.REPAIR_BACK_OFF and row.eligible_time is not None
        },
        annotations=meta.annotations,
        disruption=Disruption(over=_short_of_budget(status)),
    )


def _named(instances: Iterable[Instance], status: ScaleSetStatus) -> frozenset[str]:
    """Every name: what was read just now was read live."""
    entries = status.repairs.in_flight
    named = {e.instance for e in entries} | {e.replacement for e in entries if e.replacement}
    return frozenset(named | {i.name for i in instances})


def _short_of_budget(status: ScaleSetStatus) -> dict[str, tuple[Budget, ...]]:
    """The instances of which the operator says that a PodDisruptionBudget has no room."""
    reason = Reason.DISRUPTION_BUDGET
    words = (c.message for c in status.conditions if c.reason == reason and c.message)
    said = next(words, "a PodDisruptionBudget has no room, as the operator last saw it")
    short = (Budget(name="", allowed=0, said=said),)
    return {row.name: short for row in status.unhealthy_instances if row.reason == reason}


def _says(rows: Iterable[UnhealthyInstance], reason: Reason) -> bool:
    return any(row.reason == reason for row in rows)


def _fault(accepted: Condition | None, reasons: tuple[Reason, ...]) -> tuple[Reason | None, str]:
    """The reason for which the set is not accepted, if it is one of these."""
    if accepted is None or accepted.status != "False":
        return None, ""
    found = next((reason for reason in reasons if reason == accepted.reason), None)
    return found, accepted.message if found else ""


def _template(read: Read, accepted: Condition | None) -> TemplateView:
    fault, message = _fault(accepted, OF_THE_TEMPLATE)
    return TemplateView(
        model=model_of(read.resource.spec.template),
        images=images_of(read.resource.spec.template),
        checked=accepted is not None and accepted.status != "Unknown",
        fault=fault,
        fault_message=message,
    )


def _probe(read: Read, accepted: Condition | None) -> ProbeView | None:
    ref = read.resource.spec.health_probe_ref
    if ref is None:
        return None
    fault, message = _fault(accepted, OF_THE_PROBE)
    view = ProbeView(name=ref.name)
    if read.probe is not None:
        port = read.probe.spec.port or read.probe.status.resolved_port or 0
        view = in_force(read.probe, port)
    return replace(view, fault=fault, fault_message=message)


def _verdict(
    instance: Instance, row: UnhealthyInstance | None, now: datetime, *, silent: bool
) -> Verdict:
    """As published; certain unless the operator says that it is not."""
    shown = instance.published
    health = VMHealth.UNKNOWN if shown is None else shown.health
    uncertain = row is not None and row.reason in UNCERTAIN
    doubt, ends = None, None
    if row is not None and health is VMHealth.UNKNOWN:
        doubt = Doubtfulness.SET_SILENT if silent else Doubtfulness.HELD
    if row is not None and uncertain and row.eligible_time is not None:
        ends = row.eligible_time if row.eligible_time > now else None
    code = row.reason if row is not None and uncertain else shown.reason if shown else ""
    reason = next((r for r in Reason if r == code), Reason.HEALTH_UNKNOWN)
    return Verdict(
        health=health,
        reason=reason,
        message=(shown.message if shown else "nothing is published yet") or str(reason),
        since=shown.since if shown else instance.created,
        fresh=not uncertain and health is not VMHealth.UNKNOWN,
        doubt=doubt,
        changes_at=ends,
    )
