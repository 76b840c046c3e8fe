"""An explanation in words: the questions, and the sentence that says what follows and when.

Must not know: how anything was decided. Times are RFC 3339 in UTC; who shows them may add others.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from scaleset_operator.api.base import REASON_TEXT, Reason, VMHealth, format_time
from scaleset_operator.api.scalesetstatus import RemovalPurpose
from scaleset_operator.core.explain import Explanation, Fate
from scaleset_operator.core.plan import Gate

QUESTIONS: Final[Mapping[str, str]] = {
    Reason.DISABLED: "repairs are enabled",
    Reason.TOO_MANY_INSTANCES: "the set is small enough for its limits",
    Reason.NO_PROBE: "a health source is in force",
    Reason.PROBE_NOT_FOUND: "the probe exists",
    Reason.AMBIGUOUS_PORT: "the probe's port is known",
    Reason.PROBE_BLOCKED: "the prober is let through",
    Reason.INVALID_TEMPLATE: "the template is accepted",
    Reason.CREATE_FORBIDDEN: "instances may be created",
    Reason.SELECTOR_OVERLAP: "the selector is this set's alone",
    Reason.STALE_VIEW: "the operator's view is fresh",
    Reason.SUSPENDED_BY_USER: "not suspended by a person",
    Reason.SUSPENDED_BY_PLATFORM: "not suspended by the operator itself",
    Reason.NO_EQUIVALENT_IMAGE: "its images have a second spelling, if it is to stay",
    Reason.HEALTH_UNKNOWN: "its health is known for certain",
    Reason.PROBE_INCONCLUSIVE: "its silence is its own",
    Reason.NEVER_STARTED: "its containers have run",
    Reason.INSTANCE_PROTECTED: "it is not protected",
    Reason.IN_GRACE_PERIOD: "its grace is over",
    Reason.REPAIR_BACK_OFF: "no act on it was just refused",
    Reason.SCALED_IN: "it is not leaving anyway",
    Reason.ROLLOUT_IN_PROGRESS: "it is not in a batch of the rollout",
    Reason.OBSERVE_MODE: "mode is Act",
    Reason.BATCH_LIMIT_REACHED: "a slot is free",
    Reason.HEALTH_STORM: "a slot is free, one at a time in a storm",
    Reason.NOT_ARMED: "enough of this model were healthy once",
    Reason.DISRUPTION_BUDGET: "the disruption budgets allow it",
    Reason.WAITING_FOR_HEALTH: "it replaces no other whose repair goes on",
    Reason.MAINTENANCE_IN_PROGRESS: "it is not under maintenance",
}
"""What a gate asks, by the code that its No gives; a Yes is what lets a repair pass."""

REMEDIES: Final[Mapping[str, str]] = {
    Reason.DISABLED: "automaticRepairsPolicy.enabled is set to true",
    Reason.TOO_MANY_INSTANCES: "the set is smaller, or limits is Extended",
    Reason.NO_PROBE: "the set names a health source",
    Reason.PROBE_NOT_FOUND: "the HealthProbe exists",
    Reason.AMBIGUOUS_PORT: "the port is unambiguous",
    Reason.SUSPENDED_BY_USER: "a person resumes repairs",
    Reason.SUSPENDED_BY_PLATFORM: "a person resumes repairs",
    Reason.INSTANCE_PROTECTED: "the label is taken away",
    Reason.NEVER_STARTED: "its containers have run",
    Reason.OBSERVE_MODE: "mode is Act",
    Reason.BATCH_LIMIT_REACHED: "a slot is free",
    Reason.HEALTH_STORM: "a slot is free",
    Reason.HEALTH_UNKNOWN: "its health is known",
    Reason.PROBE_INCONCLUSIVE: "it is known whether the prober can see",
}
"""What ends a wait that no time ends."""

COMPARED: Final = frozenset(
    {
        Reason.TOO_MANY_INSTANCES,
        Reason.BATCH_LIMIT_REACHED,
        Reason.HEALTH_STORM,
        Reason.DISRUPTION_BUDGET,
    }
)
"""Whose numbers say something of a Yes too."""

PURPOSES: Final = {
    RemovalPurpose.SCALE_IN: "fewer instances are wanted",
    RemovalPurpose.ROLLOUT: "it is of an older model",
    RemovalPurpose.WITNESS: "it was a witness and is not needed any more",
}

Time = Callable[[datetime], str]


def question(gate: Gate) -> str:
    """What a gate asks; a Yes lets a repair pass."""
    return gate.asks or QUESTIONS.get(gate.reason, REASON_TEXT.get(gate.reason, gate.reason))


def answer(gate: Gate, at: datetime, time: Time = format_time) -> str:
    """The numbers behind an answer; of an open gate only those that were compared.

    Args:
        gate: of an explanation.
        at: the moment of the explanation.
        time: how a moment is written.
    """
    if not gate.open:
        waits = gate.until is not None and gate.until > at
        until = f"until {time(gate.until)}" if waits and gate.until is not None else ""
        said = "" if until and gate.detail.startswith("until ") else gate.detail
        return "; ".join(part for part in (said, until) if part)
    if gate.reason is Reason.IN_GRACE_PERIOD and gate.until is not None:
        return f"it ended {time(gate.until)}"
    return gate.detail if gate.reason in COMPARED else ""


def sentence(told: Explanation, time: Time = format_time) -> str:
    """What becomes of the instance, and when.

    Args:
        told: the explanation.
        time: how a moment is written.
    """
    match told.fate:
        case Fate.NOTHING:
            return _nothing(told, time)
        case Fate.REPAIR:
            return "Repair: every gate is open and a slot is free, so it is repaired now."
        case Fate.WAIT:
            return _wait(told, time)
        case Fate.IN_REPAIR:
            return _in_repair(told)
        case Fate.REPLACES:
            victim = told.entry.instance if told.entry else ""
            return f"It replaces {victim}; that repair is closed when it is Healthy."
        case Fate.RENEWED:
            return "It is renewed in place: it stays, and gets the images of the latest model."
        case Fate.LEAVES | Fate.TERMINATING:
            return _leaves(told)
        case _:
            return "It has ended by itself; it is removed and made up for, without a slot."


def _nothing(told: Explanation, time: Time) -> str:
    if told.health is VMHealth.HEALTHY:
        return f"Nothing to do, because it is Healthy: {told.message or told.reason}."
    why = f"Nothing to do yet, because its health is not known: {told.message or told.reason}"
    return f"{why}; looked at again {time(told.until)}." if told.until else f"{why}."


def _wait(told: Explanation, time: Time) -> str:
    decision = told.decision
    if decision is None:
        return ""
    head = f"{decision.decision}/{decision.reason}: "
    if decision.until is not None and decision.until > told.at:
        return f"{head}not before {time(decision.until)}; then it needs a free slot."
    if told.ahead:
        return f"{head}at the first free slot, after {told.ahead} that wait for longer."
    remedy = REMEDIES.get(decision.reason)
    return f"{head}until {remedy}." if remedy else f"{head}{REASON_TEXT.get(decision.reason, '')}"


def _in_repair(told: Explanation) -> str:
    entry, decision = told.entry, told.decision
    if entry is None or decision is None:
        return ""
    successor = f", replaced by {entry.replacement}" if entry.replacement else ""
    return f"{decision.decision}/{decision.reason}: {entry.phase}{successor}."


def _leaves(told: Explanation) -> str:
    if told.purpose is not None:
        return f"It is removed: {PURPOSES[told.purpose]}."
    if told.entry is not None and told.entry.instance == told.instance:
        return f"It is being deleted by its repair; {told.entry.replacement} takes its place."
    return "Its deletion was accepted; it is made up for."
