"""docs/reasons.md: every reason code with its meaning and what to do about it.

Must not know: when a reason applies; that is decided in `core`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from scaleset_operator.api.outboundreasons import (
    OUTBOUND_ADVICE,
    OUTBOUND_REASON_TEXT,
    OutboundReason,
)
from scaleset_operator.api.reasons import REASON_TEXT, Reason

REASONS_FILE: Final = "reasons.md"

_OPENING: Final = """\
<!-- Generated from operator/scaleset_operator/api by `make crds`; edit reasons.py and
reasons_page.py there. -->
# Reason codes

What a code means that you found, and what to do about it. Every refusal, wait and act gives one of
these: in `status` of the ScaleSet and of the HealthProbe, on the conditions of pods, and on Events.
The list is finite; a code never changes its meaning.
"""

_GROUPS: Final = (
    (
        Reason.IN_GRACE_PERIOD,
        "Why an unhealthy instance is not being repaired, or how far its repair is",
    ),
    (
        Reason.WINDOW_NOT_FOUND,
        "Why an instance is not taken for maintenance, or a request for it is refused",
    ),
    (Reason.RECOVERED, "How an entry of the ledger ended"),
    (Reason.ANSWERING, "What the last attempts said about an instance"),
    (Reason.ALL_HEALTHY, "Reasons of conditions on the set, on the probe and on the window"),
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
    Reason.RECOVERED: "Nothing; if it happens often, see what makes the instance falter.",
    Reason.SUPERSEDED: "Nothing; what came instead is judged anew.",
    Reason.SCALED_IN: "Nothing.",
    Reason.DELETE_REFUSED: "Find out who refuses it: rights, an admission policy, a webhook.",
    Reason.RESTART_REFUSED: "Find out who refuses it, or set repairAction to Replace.",
    Reason.RECORD_EXPIRED: (
        "Nothing; the repair is decided anew. If it repeats, see whether the API server is slow."
    ),
    Reason.GRACE_EXPIRED: (
        "Look at the replacement: logs, Events, its endpoint. If it was only slow, lengthen "
        "gracePeriod."
    ),
    Reason.ANSWERING: "Nothing.",
    Reason.WRONG_STATUS: (
        "Ask the endpoint yourself. If any other status means well, let the path answer 200."
    ),
    Reason.MALFORMED_ANSWER: (
        "See what listens there: the port of another protocol, TLS, or a process that breaks off."
    ),
    Reason.CONNECTION_REFUSED: "See whether the process runs and listens on that port.",
    Reason.PROBE_TIMED_OUT: "Ask the endpoint yourself; see whether the instance hangs.",
    Reason.UNREACHABLE: "Look at the node's routes, and at the network plugin.",
    Reason.NOT_YET_PROBED: "Wait for one interval; if it lasts, see whether the pod has an IP.",
    Reason.CONTAINERS_NOT_READY: "Look at the pod: its containers' states, Events, logs.",
    Reason.NODE_NOT_READY: "Look at the node.",
    Reason.REPORTED_HEALTHY: "Nothing.",
    Reason.REPORTED_UNHEALTHY: "Ask whoever sets that condition on the pod.",
    Reason.TERMINATING: "Nothing; if it lasts, look at finalizers and at the node.",
    Reason.ALL_HEALTHY: "Nothing.",
    Reason.INSTANCES_READY: "Name a source of health if errors of the application are to count.",
    Reason.INSTANCES_UNHEALTHY: "Look at unhealthyInstances: each has its own reason.",
    Reason.NO_INSTANCES: "Nothing with 0 replicas; else look at Accepted.",
    Reason.SCALING: "Wait; if it lasts, look at the newest pods' Events, and at Accepted.",
    Reason.ROLLING_OUT: "Wait; rollout.message says how far it is.",
    Reason.UP_TO_DATE: "Nothing.",
    Reason.OUT_OF_DATE: "Ask for each update, set mode to Rolling, or unprotect what is left.",
    Reason.ROLLOUT_PAUSED: "Wait until rollout.nextTime.",
    Reason.ROLLOUT_STOPPED: "Mend the template or go back to the one before; the message has why.",
    Reason.ROLLOUT_STARTED: "Nothing.",
    Reason.ROLLOUT_COMPLETED: "Nothing.",
    Reason.VALID: "Nothing.",
    Reason.POLICY_ENABLED: "Nothing.",
    Reason.BATCH_AVAILABLE: "Nothing.",
    Reason.IN_BATCH: "Nothing; repairs.inFlight says what each waits for.",
    Reason.IDLE: "Nothing.",
    Reason.FOREIGN_PODS: "Give those pods other labels, or the set a narrower selector.",
    Reason.NOT_YET_SUPPORTED: "Take the field away, or do without what it promises.",
    Reason.GRACE_TOO_SHORT: "Set gracePeriod above the time in the message, or start quicker.",
    Reason.HEALTH_SOURCE_MISSING: "Create the HealthProbe again, or name another source.",
    Reason.FREQUENT_RESTARTS: "Find out why the operator ends: its log, its node, its memory.",
    Reason.PROBING: "Nothing.",
    Reason.NOT_IN_USE: "Nothing, or name the probe in a set.",
    Reason.INTERVAL_TOO_LONG: "Make intervalInSeconds slightly less than half of timeoutInSeconds.",
    Reason.INVALID_SCHEDULE: (
        "Mend the field that the message names; `kubectl scaleset maintenance preview -f FILE` "
        "shows what a change would mean."
    ),
    Reason.INVALID_PAIR: (
        "Let each of the two windows name the other in spec.pairedWith, and no third one."
    ),
    Reason.REPAIR_STARTED: "Nothing; if it comes often, look at the causes in repairs.history.",
    Reason.REPAIR_SUCCEEDED: "Nothing.",
    Reason.REPAIR_FAILED: "Look at the replacement: logs, Events, its endpoint.",
    Reason.REPAIR_CANCELLED: "Nothing; the message says why.",
    Reason.REPAIRS_SUSPENDED: "Ask that person, or see SuspendedByPlatform.",
    Reason.REPAIRS_RESUMED: "Nothing.",
    Reason.REPAIRS_ENABLED: "Nothing; every instance has a grace from then.",
    Reason.REPAIRS_DISABLED: "Nothing, if that was meant.",
    Reason.RESUME_IGNORED: "Ask again with the present time; one kept in Git resumes nothing.",
    Reason.REQUEST_REFUSED: "Mend what the message names, and ask again.",
    Reason.TERMINATE_NOTICE: "Nothing; the instance approves, or goes at its deadline.",
    Reason.EVENT_APPROVED: "Nothing; the message says which instance approved what.",
    Reason.WITNESS_CREATED: "See whether the operator reaches the pods, and whether they live.",
    Reason.WITNESS_SILENT: "As for WitnessCreated; another is sent after a longer wait.",
    Reason.WINDOW_NOT_FOUND: (
        "Name a window that `kubectl scaleset maintenance list` shows for the set."
    ),
    Reason.NOT_IN_SELF_SERVICE: (
        "Ask again while it is open; the pod's maintenance status has its times."
    ),
    Reason.NOT_INCLUDED: (
        "Nothing: it is on an updated node already, or comes with a later iteration."
    ),
    Reason.ALREADY_ATTEMPTED: (
        "Wait for the next iteration; lastOperationMessage says how the attempt ended."
    ),
    Reason.WINDOW_SUSPENDED: "Set spec.suspend of the window to false.",
    Reason.PARTNER_ACTIVE: "Wait until its maintenance has ended.",
    Reason.FLOOR_REACHED: (
        "Wait until those that are away are back; raise maxBatchInstancePercent to allow more."
    ),
    Reason.UNDER_REPAIR: "Wait until that repair has closed.",
    Reason.OTHER_MAINTENANCE: "Wait until that one is over.",
    Reason.DOMAIN_IN_PROGRESS: "Wait; the next domain begins when all of this one are back.",
    Reason.PAUSE_BETWEEN_DOMAINS: "Wait until that time has passed.",
    Reason.RETRY_LATER: "Wait; the message says what stood against it.",
    Reason.NODE_NOT_EMPTYING: "Wait; nodeWork of the window has the node that is worked on.",
    Reason.REVISION_NOT_FOUND: "Update the instance to the latest model, then it can be moved.",
    Reason.AGENT_SILENT: "See that the agent runs on that node: it is tried again.",
    Reason.LIVENESS_PROBE_TOO_SHORT: "Raise the probe's failureThreshold or periodSeconds.",
    Reason.PAUSE_UNANSWERED: "Look at the agent's log on that node, and whether it can write.",
    Reason.MAINTENANCE_COMPLETED: "Nothing.",
    Reason.NO_UPDATED_NODE: (
        "Update and label a node, or add one; the message is the scheduler's own."
    ),
    Reason.EVICTION_REFUSED: "See which PodDisruptionBudget, policy or right refuses it.",
    Reason.NOT_BACK: "Look at its pod on the new node: logs, Events, its endpoint.",
    Reason.ANNOUNCED: "Nothing; spec.suspend keeps it from starting.",
    Reason.NOT_ANNOUNCED: "Nothing.",
    Reason.NOTICE_TOO_SHORT: "Choose a later time, or set urgent to true.",
    Reason.NOTHING_AHEAD: "Nothing, or make another window.",
    Reason.WINDOW_OPEN: "Nothing.",
    Reason.WINDOW_CLOSED: "Nothing.",
    Reason.WINDOW_MISSED: "See why no operator ran; what was left comes with the next iteration.",
    Reason.MAINTENANCE_STOPPED: (
        "Look at what the message names, instance or node; the rest comes with the next iteration."
    ),
    Reason.NOTHING_TO_DO: "Nothing.",
    Reason.CARRIED_OVER: "Lengthen the window, or shorten pauseBetween, if it happens often.",
    Reason.NODE_GIVEN_UP: "Look at what is still on the node, and at the Job's log.",
    Reason.SELF_SERVICE_OPENED: (
        "`kubectl scaleset maintenance start`, or wait for the scheduled window."
    ),
    Reason.SCHEDULED_OPENED: "Nothing.",
    Reason.MAINTENANCE_STARTED: "Nothing.",
    Reason.MAINTENANCE_FAILED: "See the message; the instance comes with a later iteration.",
    Reason.MAINTENANCE_ENDED: "Nothing.",
    Reason.NOTIFICATION_FAILED: "See its address and token in the operator's notification folder.",
    Reason.NODE_CORDONED: "Nothing.",
    Reason.NODE_UPDATED: "Nothing.",
}
"""What a person can do about each code."""


_OUTBOUND: Final = tuple(
    (code, OUTBOUND_REASON_TEXT[code], OUTBOUND_ADVICE[code]) for code in OutboundReason
)


def reasons_page() -> str:
    """The whole page: the codes in their groups, each with its meaning (X-11)."""
    outbound = _table("Reasons of conditions on an OutboundRule", _OUTBOUND)
    return "\n".join([_OPENING, *(_section(title, codes) for title, codes in groups()), outbound])


def groups() -> Iterator[tuple[str, tuple[Reason, ...]]]:
    """Each group's heading and its codes, in the order of the enum; together they are all."""
    codes = list(Reason)
    starts = [codes.index(first) for first, _ in _GROUPS]
    for (_, title), start, end in zip(_GROUPS, starts, [*starts[1:], len(codes)], strict=True):
        yield title, tuple(codes[start:end])


def _section(title: str, codes: Sequence[Reason]) -> str:
    return _table(title, [(code, REASON_TEXT[code], ADVICE[code]) for code in codes])


def _table(title: str, rows: Iterable[tuple[str, str, str]]) -> str:
    lines = [f"## {title}", "", _row("Code", "Meaning", "What to do"), _row("---", "---", "---")]
    lines += [_row(f"`{code}`", text, advice) for code, text, advice in rows]
    return "\n".join([*lines, ""])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
