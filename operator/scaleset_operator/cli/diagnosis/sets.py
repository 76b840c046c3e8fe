"""What the operator itself says against sets, windows and probes: refused specs, no way there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from scaleset_operator.api.base import Reason
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named
from scaleset_operator.cli.ports import Json

ACCEPTED: Final = "scale sets"
WINDOWS: Final = "maintenance windows"
PROBES: Final = "health probes"
UNHEARD: Final = frozenset({Reason.PROBE_INCONCLUSIVE, Reason.PROBE_BLOCKED})
"""Reasons of instances that are silent and not convicted."""
REACH: Final = "can the operator reach the pods' addresses? `kubectl scaleset probe SET` tries here"


def accepted(found: Sequence[Json], name: str = ACCEPTED) -> Check:
    """Objects whose spec the operator does not act on, and why; by default they are sets."""
    refused = [f"{_name(raw)}: {why}" for raw in found for why in _refusals(raw)]
    if refused:
        return Check(name=name, verdict=Verdict.FAILED, message=named(refused))
    if not found:
        return Check(name=name, verdict=Verdict.OK, message="there are none")
    silent = sum(not _conditions(raw) for raw in found)
    if silent:
        message = f"{silent} of {len(found)} have no conditions yet"
        return Check(name=name, verdict=Verdict.UNKNOWN, message=message)
    return Check(name=name, verdict=Verdict.OK, message=f"{len(found)} accepted")


def reached(sets: Sequence[Json], probes: Mapping[tuple[str, str], Json]) -> Check:
    """Probes that are missing, refused, or that no instance of a set answers.

    Args:
        sets: the ScaleSets.
        probes: (namespace, name) -> HealthProbe.
    """
    users = [raw for raw in sets if (raw.get("spec") or {}).get("healthProbeRef")]
    faults = [f"{_name(raw)}: {why}" for raw in users for why in _faults(raw, probes)]
    if faults:
        return Check(name=PROBES, verdict=Verdict.FAILED, message=named(faults))
    unheard = [f"{_name(raw)}: {why}" for raw in users for why in _unheard(raw)]
    if unheard:
        return Check(name=PROBES, verdict=Verdict.NOTE, message=named(unheard), hint=REACH)
    message = f"{len(users)} sets are probed" if users else "no set names a HealthProbe"
    return Check(name=PROBES, verdict=Verdict.OK, message=message)


def _refusals(raw: Json) -> Iterator[str]:
    condition = _conditions(raw).get("Accepted", {})
    if condition.get("status") == "False":
        yield f"{condition.get('reason')}: {condition.get('message')}"


def _faults(raw: Json, probes: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    name = raw["spec"]["healthProbeRef"]["name"]
    probe = probes.get((raw["metadata"]["namespace"], name))
    if probe is None:
        yield f"HealthProbe {name} does not exist"
        return
    ready = _conditions(probe).get("Ready", {})
    in_use = ready.get("reason") not in {Reason.NOT_IN_USE, Reason.INTERVAL_TOO_LONG}
    if ready.get("status") == "False" and in_use:
        yield f"HealthProbe {name}: {ready.get('reason')}: {ready.get('message')}"


def _unheard(raw: Json) -> Iterator[str]:
    """Instances of which nothing is heard: a matter of the way to them, as far as is known."""
    rows = (raw.get("status") or {}).get("unhealthyInstances") or ()
    unheard = [row for row in rows if row.get("reason") in UNHEARD]
    if unheard:
        yield f"nothing is heard of {len(unheard)} instances ({unheard[0]['reason']})"


def _conditions(raw: Json) -> dict[str, Any]:
    return {c["type"]: c for c in (raw.get("status") or {}).get("conditions") or ()}


def _name(raw: Json) -> str:
    return f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
