"""How a set stands, from its published status: what `status` shows and what it exits with.

Chooses nothing: Ready, the service state and the decisions are the operator's own words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from scaleset_operator.api.base import Condition, format_time
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.api.scalesetstatus import ServiceState, UnhealthyInstance
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Exit, Failure
from scaleset_operator.cli.kinds import SCALE_SETS
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.printing import Column, coloured, print_facts, print_table, span, when

MARKS: Final = {Exit.FINE: "✔", Exit.DEGRADED: "◌", Exit.SUSPENDED: "‖"}
WORDS: Final = {Exit.FINE: "Healthy", Exit.DEGRADED: "Degraded", Exit.SUSPENDED: "Suspended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One set, and how it stands.

    Attributes:
        raw: as the API server holds it.
        exit: what `status` exits with for it.
    """

    resource: ScaleSet
    raw: Json
    exit: Exit

    @property
    def ready(self) -> Condition | None:
        """The condition Ready."""
        return condition(self.resource, "Ready")

    @property
    def service(self) -> str:
        """The state of automatic repairs, and who suspended them."""
        for service in self.resource.status.orchestration_services:
            by = f" by {service.suspended_by}" if service.suspended_by else ""
            return f"{service.service_state}{by}"
        return "None"


def read(raw: Json) -> Standing:
    """How a set stands, as the API server holds it.

    Raises:
        Failure: this version cannot read it.
    """
    meta = raw["metadata"]
    try:
        resource = ScaleSet.model_validate(raw)
    except ValidationError as fault:
        line = f"ScaleSet {meta.get('namespace')}/{meta['name']} cannot be read: {fault}"
        raise Failure(line) from fault
    return Standing(resource=resource, raw=raw, exit=_exit(resource))


def _exit(resource: ScaleSet) -> Exit:
    """Suspended before degraded: nobody will mend what is broken."""
    status = resource.status
    suspended = ServiceState.SUSPENDED
    if any(s.service_state is suspended for s in status.orchestration_services):
        return Exit.SUSPENDED
    ready = condition(resource, "Ready")
    current = status.observed_generation >= resource.metadata.generation
    fine = current and ready is not None and ready.status == "True"
    return Exit.FINE if fine else Exit.DEGRADED


def condition(resource: ScaleSet, kind: str) -> Condition | None:
    """One condition of a set."""
    return next((c for c in resource.status.conditions if c.type == kind), None)


async def of_all(access: Access, namespace: str | None) -> list[Standing]:
    """Every set of a namespace, or with None of all."""
    found = [read(raw) for raw in await access.items(SCALE_SETS, namespace)]
    return sorted(found, key=lambda s: (s.resource.metadata.namespace, s.resource.metadata.name))


async def of_one(access: Access, namespace: str, name: str) -> Standing:
    """One set."""
    return read(await access.scale_set(namespace, name))


def worst(found: Sequence[Standing]) -> Exit:
    """One exit code for all: 3 if the repairs of any are suspended, else 2 if any is degraded."""
    return max((one.exit for one in found), default=Exit.FINE)


def as_data(one: Standing) -> dict[str, Any]:
    """One set for scripts."""
    meta = one.resource.metadata
    return {
        "namespace": meta.namespace,
        "name": meta.name,
        "standing": WORDS[one.exit],
        "current": one.resource.status.observed_generation >= meta.generation,
        "status": one.raw.get("status") or {},
    }


def show_all(call: Call, found: Sequence[Standing]) -> None:
    """All sets, one to a line."""
    if call.wants_data:
        call.print_data({"items": [as_data(one) for one in found]})
        return
    if not found:
        call.console.print("No ScaleSets found.")
        return
    columns = [
        *([Column("NAMESPACE")] if call.everywhere else []),
        Column("NAME"),
        Column("DESIRED", spare=3),
        Column("READY", spare=4),
        Column("HEALTHY", spare=2),
        Column("REPAIRING", spare=5),
        Column("REPAIRS", spare=1),
        Column("STATUS"),
    ]
    print_table(call.console, columns, [_row(one, everywhere=call.everywhere) for one in found])


def _row(one: Standing, *, everywhere: bool) -> list[Any]:
    meta, status = one.resource.metadata, one.resource.status
    reason = one.ready.reason if one.ready is not None else "NotYetSeen"
    return [
        *([meta.namespace] if everywhere else []),
        meta.name,
        one.resource.spec.replicas,
        status.ready_replicas,
        status.healthy_replicas,
        status.repairing_replicas,
        coloured(one.service),
        f"{MARKS[one.exit]} {reason}",
    ]


def show_one(call: Call, one: Standing) -> None:
    """One set: facts first, then every instance that is not healthy."""
    if call.wants_data:
        call.print_data(as_data(one))
        return
    print_facts(call.console, _facts(one))
    now = call.entrance.now()
    rows = [_instance(row, now) for row in one.resource.status.unhealthy_instances]
    status = one.resource.status
    others = status.healthy_replicas
    if rows:
        rows.append([f"{others} others", coloured("Healthy"), "-", "-", "-", "-"])
        columns = [
            Column("INSTANCE"),
            Column("HEALTH", spare=1),
            Column("SINCE", spare=2),
            Column("DECISION"),
            Column("REASON"),
            Column("NEXT", spare=3),
        ]
        print_table(call.console, columns, rows)


def _instance(row: UnhealthyInstance, now: datetime) -> list[Any]:
    return [
        row.name,
        coloured(row.vm_health),
        span(now - row.since_time) if row.since_time else "-",
        coloured(row.repair_decision),
        row.reason,
        when(row.eligible_time, now) if row.eligible_time else "-",
    ]


def _facts(one: Standing) -> list[tuple[str, str]]:
    resource, status = one.resource, one.resource.status
    meta, repairs = resource.metadata, resource.status.repairs
    ready = one.ready
    word = f"{ready.reason}: {ready.message}" if ready and ready.message else ""
    word = word or (ready.reason if ready else "the operator has not looked at it yet")
    facts = [
        ("ScaleSet", f"{meta.namespace}/{meta.name}"),
        ("Status", f"{MARKS[one.exit]} {word}"),
        ("Instances", _counts(one)),
        ("Model", f"{status.latest_model} ({status.updated_replicas} of {status.replicas} on it)"),
    ]
    policy = resource.spec.automatic_repairs_policy
    if policy is not None:
        used = f"{len(repairs.in_flight)} of {repairs.batch_limit} in flight"
        failed = f"failed in a row {repairs.consecutive_failed}"
        facts.append(("Repairs", f"{one.service}, {used}, {failed}"))
    if repairs.suspended_since is not None:
        since = format_time(repairs.suspended_since)
        facts.append(("Suspended", f"since {since}: {repairs.suspended_cause}"))
    return facts


def _counts(one: Standing) -> str:
    status = one.resource.status
    return (
        f"{status.replicas} of {one.resource.spec.replicas}, {status.ready_replicas} ready, "
        f"{status.healthy_replicas} healthy, {status.unhealthy_replicas} unhealthy, "
        f"{status.unknown_replicas} unknown"
    )
