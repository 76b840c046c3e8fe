"""docs/reasons.md: every reason code with its meaning, and what to do about a repair that waits.

Must not know: when a reason applies; that is decided in `core`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from scaleset_operator.api.reasons import REASON_TEXT, Reason

REASONS_FILE: Final = "reasons.md"

_OPENING: Final = """\
<!-- Generated from operator/scaleset_operator/api by `make crds`; edit reasons.py and
reasons_page.py there. -->
# Reason codes

Every refusal, wait and act gives one of these codes: in `status` of the ScaleSet and of the
HealthProbe, on the conditions of pods, and on Events. The list is finite; a code never changes its
meaning.
"""

_GROUPS: Final = (
    (
        Reason.IN_GRACE_PERIOD,
        "Why an unhealthy instance is not being repaired, or how far its repair is",
    ),
    (Reason.RECOVERED, "How an entry of the ledger ended"),
    (Reason.ANSWERING, "What the last attempts said about an instance"),
    (Reason.ALL_HEALTHY, "Reasons of conditions on the set and on the probe"),
    (Reason.REPAIR_STARTED, "Reasons of Events"),
)
"""The first code of each group, in the order of the enum, and its heading."""

ADVICE: Final[dict[Reason, str]] = {
    Reason.IN_GRACE_PERIOD: "Wait until eligibleTime, or shorten gracePeriod.",
    Reason.BATCH_LIMIT_REACHED: "Wait: its turn comes when a repair in flight has closed.",
    Reason.INSTANCE_PROTECTED: "Take the protection label off the pod, or delete the pod yourself.",
    Reason.SUSPENDED_BY_USER: (
        "Set serviceState to Running, or take the annotation repairs-suspended-until away."
    ),
    Reason.SUSPENDED_BY_PLATFORM: (
        "Find out why replacements stay unhealthy, then set the annotation "
        "repairs-resume-requested-at to the present time."
    ),
    Reason.DISABLED: "Set automaticRepairsPolicy.enabled to true.",
    Reason.OBSERVE_MODE: "Set automaticRepairsPolicy.mode to Act to have it done.",
    Reason.MAINTENANCE_IN_PROGRESS: "Wait until the maintenance of the instance has ended.",
    Reason.ROLLOUT_IN_PROGRESS: "Wait until the rollout has left the instance behind.",
    Reason.HEALTH_UNKNOWN: "Wait for one timeoutInSeconds after the operator started.",
    Reason.PROBE_INCONCLUSIVE: (
        "Check whether the operator can reach the pods: routes, NetworkPolicies, the node it is on."
    ),
    Reason.NEVER_STARTED: "Look at the pod's Events: image, volumes, scheduling.",
    Reason.DISRUPTION_BUDGET: (
        "Wait, loosen the PodDisruptionBudget, set its unhealthyPodEvictionPolicy to AlwaysAllow, "
        "or set disruptionBudgets to Report."
    ),
    Reason.HEALTH_STORM: (
        "Look for one cause that all share; repairs go on, one instance at a time."
    ),
    Reason.TOO_MANY_INSTANCES: "Set limits to Extended, or replicas to 200 or fewer.",
    Reason.TERMINATION_DELAYED: (
        "Wait for the deadline, or set the annotation approve-termination on the pod to true."
    ),
    Reason.REPLACEMENT_STARTING: "Wait; if it lasts, look at the replacement's Events.",
    Reason.WAITING_FOR_HEALTH: "Wait; if it lasts, ask the replacement's endpoint yourself.",
    Reason.NO_EQUIVALENT_IMAGE: (
        "Set repairAction to Replace, or name the images so that the node tells their digest."
    ),
    Reason.UNKNOWN_REQUEST: "Write scaleset.dev/repair: requested, or an operation that is known.",
    Reason.UPDATE_WAITS: "Wait; maxBatchInstancePercent says how many are taken at once.",
    Reason.RESTARTING: "Wait; if it lasts, look at the pod's Events: an image may not be there.",
    Reason.REPAIR_STALLED: (
        "Look at the old pod's node and finalizers; delete the pod by force if the node is gone."
    ),
    Reason.NO_PROBE: "Name a HealthProbe in healthProbeRef, or set applicationHealth.",
    Reason.PROBE_NOT_FOUND: "Create the HealthProbe in the set's namespace, or name another.",
    Reason.PROBE_BLOCKED: "Admit the operator's pods in the NetworkPolicy.",
    Reason.AMBIGUOUS_PORT: "Set port on the HealthProbe, or declare exactly one containerPort.",
    Reason.SELECTOR_OVERLAP: "Give one of the two sets labels of its own, and create it anew.",
    Reason.INVALID_TEMPLATE: "Mend spec.template; the message is the API server's own.",
    Reason.CREATE_FORBIDDEN: "Raise the quota, or change the policy or permission it names.",
    Reason.NOT_ARMED: (
        "See whether the probe asks for the right path and port; repairs arm by themselves once "
        "enough instances were healthy."
    ),
    Reason.STALE_VIEW: "Wait; if it lasts, see whether the operator reaches the API server.",
    Reason.REPAIR_BACK_OFF: "Find out who refuses the deletion; it is tried again by itself.",
}
"""What a person can do about each code of the first group."""


def reasons_page() -> str:
    """The whole page: the codes in their groups, each with its meaning (X-11)."""
    return "\n".join([_OPENING, *(_section(title, codes) for title, codes in groups())])


def groups() -> Iterator[tuple[str, tuple[Reason, ...]]]:
    """Each group's heading and its codes, in the order of the enum; together they are all."""
    codes = list(Reason)
    starts = [codes.index(first) for first, _ in _GROUPS]
    for (_, title), start, end in zip(_GROUPS, starts, [*starts[1:], len(codes)], strict=True):
        yield title, tuple(codes[start:end])


def _section(title: str, codes: Sequence[Reason]) -> str:
    advised = ADVICE.keys() >= set(codes)
    head = ("Code", "Meaning", "What to do") if advised else ("Code", "Meaning")
    lines = [f"## {title}", "", _row(*head), _row(*("---" for _ in head))]
    for code in codes:
        more = (ADVICE[code],) if advised else ()
        lines.append(_row(f"`{code}`", REASON_TEXT[code], *more))
    return "\n".join([*lines, ""])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
