"""NetworkPolicies that keep probes from the instances (S-31).

Blocked is said only of what is certain: a policy selects the instances and no rule of any such
policy lets anybody reach the probe's port. Where some are let in, whether the operator is among
them is not claimed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named
from scaleset_operator.cli.ports import Json

NAME: Final = "network policies"
HINT: Final = "add an ingress rule for the operator's pods on that port"


class Way(IntEnum):
    """Whether the probe's port can be reached."""

    SHUT = 0
    SOME = 1
    OPEN = 2


def admitting(
    sets: Sequence[Json], probes: Mapping[tuple[str, str], Json], policies: Sequence[Json]
) -> Check:
    """Look for sets whose instances no probe can reach.

    Args:
        sets: the ScaleSets.
        probes: (namespace, name) -> HealthProbe.
        policies: NetworkPolicies of their namespaces.
    """
    shut: list[str] = []
    some: list[str] = []
    for raw in sets:
        port = _port(raw, probes)
        selecting = [policy for policy in policies if _selects(policy, raw)]
        if port is None or not selecting:
            continue
        way = max(_way(policy, port, raw) for policy in selecting)
        names = ", ".join(policy["metadata"]["name"] for policy in selecting)
        line = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}: {names}, port {port}"
        {Way.SHUT: shut, Way.SOME: some, Way.OPEN: []}[way].append(line)
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


def _selects(policy: Json, raw: Json) -> bool:
    """Whether a policy governs what comes in to the instances of a set."""
    spec = policy.get("spec") or {}
    same = policy["metadata"]["namespace"] == raw["metadata"]["namespace"]
    inward = "Ingress" in (spec.get("policyTypes") or ["Ingress"])
    return same and inward and _matches(spec.get("podSelector") or {}, _labels(raw))


def _labels(raw: Json) -> Mapping[str, str]:
    template = raw["spec"].get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return {**labels, LABEL_NAME: raw["metadata"]["name"]}


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    terms = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(term, labels) for term in terms
    )


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = term["key"], term.get("values") or ()
    match term["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _way(policy: Json, port: int, raw: Json) -> Way:
    """How far one policy opens the port."""
    ways = [
        Way.SOME if rule.get("from") else Way.OPEN
        for rule in policy["spec"].get("ingress") or ()
        if _covers(rule.get("ports") or (), port, raw)
    ]
    return max(ways, default=Way.SHUT)


def _covers(ports: Iterable[Mapping[str, Any]], port: int, raw: Json) -> bool:
    """Whether a rule is about the port; one without ports is about all."""
    listed = list(ports)
    return not listed or any(_is(entry, port, raw) for entry in listed)


def _is(entry: Mapping[str, Any], port: int, raw: Json) -> bool:
    if entry.get("protocol", "TCP") != "TCP":
        return False
    given = entry.get("port")
    if given is None:
        return True
    if isinstance(given, str):
        return port in set(_named(given, raw))
    return int(given) <= port <= int(entry.get("endPort") or given)


def _named(name: str, raw: Json) -> Iterator[int]:
    """The container ports that bear a name."""
    spec = (raw["spec"].get("template") or {}).get("spec") or {}
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == name:
                yield int(port["containerPort"])
