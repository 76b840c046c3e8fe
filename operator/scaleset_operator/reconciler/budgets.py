"""A PodDisruptionBudget as the API server sends it, in the words of a decision.

Pure; it must not know where the object came from.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from scaleset_operator.core.disruption import Budget

Json = Mapping[str, Any]


def _as_if(_value: str | None, _values: list[str]) -> bool:
    return True


_MATCHES: Final[Mapping[str, Callable[[str | None, list[str]], bool]]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; none takes nothing, an empty one everything.

    An operator that is not known is taken to match: better to wait for a budget than to break it.
    """
    if selector is None:
        return False
    plain = (selector.get("matchLabels") or {}).items()
    rows = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in plain) and all(
        _MATCHES.get(row["operator"], _as_if)(labels.get(row["key"]), row.get("values") or [])
        for row in rows
    )


def budget_of(body: Json) -> Budget:
    """Maps one PodDisruptionBudget."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    return Budget(
        name=metadata["name"],
        allowed=status.get("disruptionsAllowed") or 0,
        current=(status.get("observedGeneration") or 0) >= (metadata.get("generation") or 1),
        healthy=status.get("currentHealthy") or 0,
        desired=status.get("desiredHealthy") or 0,
        lets_unhealthy_go=spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
        disrupted=frozenset(status.get("disruptedPods") or ()),
    )
