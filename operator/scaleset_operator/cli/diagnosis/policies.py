"""NetworkPolicies that keep probes from the instances (S-31).

What they admit is told by `core.policies`, as to the operator itself; from where that asks is
not known here. Must not know: how a policy is read.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named
from scaleset_operator.cli.ports import Json
from scaleset_operator.core.policies import Policy, Surroundings, shut_by, way_in
from scaleset_operator.reconciler.surroundings import named_ports

NAME: Final = "network policies"
HINT: Final = "add an ingress rule for the operator's pods on that port"


def admitting(
    sets: Sequence[Json],
    probes: Mapping[tuple[str, str], Json],
    policies: Mapping[str, Sequence[Policy]],
) -> Check:
    """Look for sets whose instances no probe can reach.

    Args:
        sets: the ScaleSets.
        probes: (namespace, name) -> HealthProbe.
        policies: namespace -> its NetworkPolicies for what comes in.
    """
    shut: list[str] = []
    some: list[str] = []
    for raw in sets:
        port = _port(raw, probes)
        if port is None:
            continue
        around = _around(raw, policies)
        way = way_in(around, port)
        line = f"{around.namespace}/{raw['metadata']['name']}"
        if way is False:
            shut.append(f"{line}: {shut_by(around, port)}, port {port}")
        elif way is None:
            some.append(f"{line}, port {port}")
    if shut:
        message = f"nobody is let in to {named(shut)}"
        return Check(name=NAME, verdict=Verdict.FAILED, message=message, hint=HINT)
    if some:
        message = f"some are let in, and perhaps not the operator, to {named(some)}"
        return Check(name=NAME, verdict=Verdict.UNKNOWN, message=message)
    return Check(name=NAME, verdict=Verdict.OK, message="none keeps a probe away")


def _port(raw: Json, probes: Mapping[tuple[str, str], Json]) -> int | None:
    """The probe's port; None where there is no probe, or its port is not known yet."""
    ref = (raw.get("spec") or {}).get("healthProbeRef")
    probe = probes.get((raw["metadata"]["namespace"], ref["name"])) if ref else None
    if probe is None:
        return None
    resolved = (probe.get("status") or {}).get("resolvedPort")
    port = probe["spec"].get("port") or resolved
    return int(port) if port else None


def _around(raw: Json, policies: Mapping[str, Sequence[Policy]]) -> Surroundings:
    """One set's policies, held against its template: every instance is taken to be of it."""
    namespace, template = raw["metadata"]["namespace"], raw["spec"].get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return Surroundings(
        namespace=namespace,
        policies=tuple(policies.get(namespace, ())),
        labels={**labels, LABEL_NAME: raw["metadata"]["name"]},
        named_ports=named_ports(template),
        complete=True,
    )
