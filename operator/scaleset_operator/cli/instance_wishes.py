"""What a person wishes of one instance, as labels and annotations on its pod (design.md section 3).

Pure. Must not know: how a pod is read or written, or whether and when the operator follows a
request: that is `core`'s, and `why` tells it.
"""

from collections.abc import Mapping
from typing import Any, Final

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_REPAIR,
    ANNOTATION_TERMINATE_AT,
    GROUP,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
)
from scaleset_operator.cli.acting import Act
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.ports import Json

REQUESTED: Final = "requested"
YES: Final = "true"
PROTECTIONS: Final = {
    LABEL_PROTECT_FROM_SCALE_IN: "scale-in",
    LABEL_PROTECT_FROM_ACTIONS: "scale set actions",
}
"""Label -> what it keeps away; either of them keeps automatic repair away as well (R-47)."""
SCALE_IN: Final = (LABEL_PROTECT_FROM_SCALE_IN,)
ACTIONS: Final = (LABEL_PROTECT_FROM_ACTIONS,)
BOTH: Final = (*SCALE_IN, *ACTIONS)
OVER: Final = frozenset({"Failed", "Succeeded"})


def request_repair(pod: Json) -> Act:
    """Ask that it be repaired; the cap and every protection hold all the same.

    Raises:
        Failure: the pod is no live instance of a set.
    """
    require_live(pod)
    asked = _annotations(pod).get(ANNOTATION_REPAIR)
    labels = pod["metadata"].get("labels") or {}
    guarded = [what for label, what in PROTECTIONS.items() if labels.get(label) == YES]
    hint = f"it is protected from {' and '.join(guarded)}, which comes first" if guarded else ""
    return Act(
        what="repair",
        was=asked or "not requested",
        now=REQUESTED,
        patch={} if asked == REQUESTED else _annotate({ANNOTATION_REPAIR: REQUESTED}),
        hint=hint,
    )


def approve_termination(pod: Json) -> Act:
    """Let the operator delete an instance that has its notice, before its time is up (R-54).

    Raises:
        Failure: it is no live instance, or no notice was given.
    """
    require_live(pod)
    held = _annotations(pod)
    deadline = held.get(ANNOTATION_TERMINATE_AT)
    if deadline is None:
        line = f"{_name(pod)} has no terminate notice, annotation {ANNOTATION_TERMINATE_AT}"
        message = f"{line}: there is nothing to approve"
        raise Failure(message)
    approved = held.get(ANNOTATION_APPROVE_TERMINATION) == YES
    return Act(
        what="termination",
        was="approved" if approved else f"due at {deadline}",
        now="approved",
        patch={} if approved else _annotate({ANNOTATION_APPROVE_TERMINATION: YES}),
    )


def protect(pod: Json, labels: tuple[str, ...]) -> Act:
    """Keep automatic repair away, and what these labels name (R-47, R-49)."""
    require_live(pod)
    return _protection(pod, dict.fromkeys(labels, YES))


def unprotect(pod: Json, labels: tuple[str, ...]) -> Act:
    """Take these labels away."""
    require_live(pod)
    return _protection(pod, dict.fromkeys(labels))


def _protection(pod: Json, wanted: Mapping[str, str | None]) -> Act:
    held = pod["metadata"].get("labels") or {}
    changed = {label: value for label, value in wanted.items() if held.get(label) != value}
    return Act(
        what="protection",
        was=_guards(held),
        now=_guards({**held, **wanted}),
        patch={"metadata": {"labels": changed}} if changed else {},
    )


def _guards(labels: Mapping[str, str | None]) -> str:
    held = [what for label, what in PROTECTIONS.items() if labels.get(label) == YES]
    return f"from {' and '.join(held)}" if held else "none"


def require_live(pod: Json) -> None:
    """Refuses what no set controls, what is on its way out, and what is over."""
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or ()
    ours = (o for o in owners if o.get("controller") and o["kind"] == "ScaleSet")
    if not any(str(owner["apiVersion"]).startswith(f"{GROUP}/") for owner in ours):
        message = f"{_name(pod)} is no instance: no ScaleSet controls it"
        raise Failure(message)
    if metadata.get("deletionTimestamp"):
        message = f"{_name(pod)} is being deleted since {metadata['deletionTimestamp']}"
        raise Failure(message)
    phase = (pod.get("status") or {}).get("phase")
    if phase in OVER:
        message = f"{_name(pod)} is over, in phase {phase}: the set makes up for it by itself"
        raise Failure(message)


def _annotate(changed: Mapping[str, str]) -> dict[str, Any]:
    return {"metadata": {"annotations": dict(changed)}}


def _annotations(pod: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    return found


def _name(pod: Json) -> str:
    return f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
