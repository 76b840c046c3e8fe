"""Suspend and Resume: what these verbs change on a ScaleSet (design.md section 3, R-38 to R-45).

Without an end, `spec.automaticRepairsPolicy.serviceState`; with one, annotations that lapse by
themselves; against a suspension by the platform, a request that a person makes and the operator
answers. Pure: the time is given. Must not know: how a set is read or written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import (
    ANNOTATION_RESUME_REQUESTED_AT,
    ANNOTATION_SUSPENDED_REASON,
    ANNOTATION_SUSPENDED_UNTIL,
    format_time,
)
from scaleset_operator.api.repairpolicy import AutomaticRepairsPolicy, DesiredServiceState
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.api.scalesetstatus import ServiceState
from scaleset_operator.cli import standing
from scaleset_operator.cli.acting import Act
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.spans import read_span
from scaleset_operator.core.wishes import moment_in

LONGEST: Final = timedelta(days=366)
MAX_REASON_LENGTH: Final = 256
REPAIRS: Final = "repairs"
POLICY: Final = "spec.automaticRepairsPolicy"


def end_of(span: str | None, until: str | None, now: datetime) -> datetime | None:
    """When a suspension is to end, in whole seconds; None for one without end.

    Args:
        span: of --for: 2h, 1h30m, 90m, 2d, or ISO 8601.
        until: of --until: RFC 3339 with a zone.
        now: aware.

    Raises:
        Failure: both are given, or one that cannot be read, is past, or is too far off.
    """
    if span is not None and until is not None:
        line = "--for and --until are two ways to say one thing: allowed is one of them"
        raise Failure(line)
    if span is None and until is None:
        return None
    end = now + read_span(span, "--for") if span is not None else _moment(until or "")
    end = end.replace(microsecond=0)
    if not now < end <= now + LONGEST:
        given = f"--for is {span!r}" if span is not None else f"--until is {until!r}"
        message = f"{given}: allowed is an end after now and within {LONGEST.days} days"
        raise Failure(message)
    return end


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        line = f"--until is {text!r}: allowed is a time with its zone, as 2026-11-20T18:00:00Z"
        raise Failure(line)
    return moment


def suspend(raw: Json, end: datetime | None, reason: str | None, now: datetime) -> Act:
    """No repair starts from now on; those in flight finish (R-39).

    Args:
        raw: the ScaleSet.
        end: when it is to lapse; None for not by itself.
        reason: for people; None keeps the one there is, if repairs are suspended already.
        now: aware.

    Raises:
        Failure: there are no repairs to suspend, or the suspension there is has no end.
    """
    found = standing.read(raw).resource
    policy = _policy(found)
    if not policy.enabled:
        line = f"{POLICY}.enabled of {_name(found)} is false: there is nothing to suspend"
        message = f"{line}; allowed is true"
        raise Failure(message)
    if reason is not None and not 0 < len(reason) <= MAX_REASON_LENGTH:
        line = f"--reason has {len(reason)} characters: allowed are 1 to {MAX_REASON_LENGTH}"
        raise Failure(line)
    for_good = policy.service_state is DesiredServiceState.SUSPENDED
    if for_good and end is not None:
        line = f"{POLICY}.serviceState of {_name(found)} is Suspended, which has no end"
        message = f"{line}: resume it first, or leave --for and --until out"
        raise Failure(message)
    wanted: dict[str, str | None] = {
        ANNOTATION_SUSPENDED_UNTIL: None if end is None else format_time(end)
    }
    if reason is not None or not _by_user(found, now):
        wanted[ANNOTATION_SUSPENDED_REASON] = reason
    patch = _annotations(found, wanted)
    if end is None and not for_good:
        patch |= _service_state(DesiredServiceState.SUSPENDED)
    return _act(found, now, patch)


def resume(raw: Json, now: datetime) -> Act:
    """Repairs may start again; what the platform suspended is asked about first (R-42, R-44).

    Raises:
        Failure: there is no policy.
    """
    found = standing.read(raw).resource
    policy = _policy(found)
    wanted: dict[str, str | None] = {
        ANNOTATION_SUSPENDED_UNTIL: None,
        ANNOTATION_SUSPENDED_REASON: None,
    }
    question = ""
    since = found.status.repairs.suspended_since
    if since is not None and not _is_asked(found):
        wanted[ANNOTATION_RESUME_REQUESTED_AT] = format_time(_request_time(found, since, now))
        question = f"repairs of {_name(found)} are {_by_platform(found)}. Resume anyway?"
    patch = _annotations(found, wanted)
    if policy.service_state is DesiredServiceState.SUSPENDED:
        patch |= _service_state(DesiredServiceState.RUNNING)
    return _act(found, now, patch, question)


def state_in_words(found: ScaleSet, now: datetime) -> str:
    """The state of the repairs as it follows from the set: who suspended them, until when, why."""
    policy = found.spec.automatic_repairs_policy
    if policy is None:
        return "absent"
    if not policy.enabled:
        return ServiceState.NOT_RUNNING.value
    words = [_by_user(found, now)] if _by_user(found, now) else []
    if found.status.repairs.suspended_since is not None:
        asked = f", to be resumed as asked at {_asked_at(found)}" if _is_asked(found) else ""
        words.append(f"{_by_platform(found)}{asked}")
    return " and ".join(words) or ServiceState.RUNNING.value


def _policy(found: ScaleSet) -> AutomaticRepairsPolicy:
    policy = found.spec.automatic_repairs_policy
    if policy is None:
        message = f"{_name(found)} has no {POLICY}: it is not repaired at all"
        raise Failure(message)
    return policy


def _act(found: ScaleSet, now: datetime, patch: dict[str, Any], question: str = "") -> Act:
    """The act, its outcome told from the set as it will be."""
    return Act(
        what=REPAIRS,
        was=state_in_words(found, now),
        now=state_in_words(_patched(found, patch), now),
        patch=patch,
        question=question,
        hint=_in_flight(found) if patch else "",
    )


def _in_flight(found: ScaleSet) -> str:
    count = len(found.status.repairs.in_flight)
    return f"{count} in flight" if count else ""


def _patched(found: ScaleSet, patch: Mapping[str, Any]) -> ScaleSet:
    """The set after the patch, as far as its words depend on it."""
    changed = patch.get("metadata", {}).get("annotations", {})
    annotations = {**found.metadata.annotations, **changed}
    kept = {key: text for key, text in annotations.items() if text is not None}
    metadata = found.metadata.model_copy(update={"annotations": kept})
    policy = found.spec.automatic_repairs_policy
    state = patch.get("spec", {}).get("automaticRepairsPolicy", {}).get("serviceState")
    if policy is None or state is None:
        return found.model_copy(update={"metadata": metadata})
    policy = policy.model_copy(update={"service_state": DesiredServiceState(state)})
    spec = found.spec.model_copy(update={"automatic_repairs_policy": policy})
    return found.model_copy(update={"metadata": metadata, "spec": spec})


def _annotations(found: ScaleSet, wanted: Mapping[str, str | None]) -> dict[str, Any]:
    """The patch that makes these annotations so; empty where they are."""
    held = found.metadata.annotations
    changed = {key: text for key, text in wanted.items() if held.get(key) != text}
    return {"metadata": {"annotations": changed}} if changed else {}


def _service_state(state: DesiredServiceState) -> dict[str, Any]:
    return {"spec": {"automaticRepairsPolicy": {"serviceState": state.value}}}


def _by_user(found: ScaleSet, now: datetime) -> str:
    """A person's suspension in words; empty where there is none."""
    reason = found.metadata.annotations.get(ANNOTATION_SUSPENDED_REASON, "")
    why = f" ({reason})" if reason else ""
    policy = found.spec.automatic_repairs_policy
    if policy is not None and policy.service_state is DesiredServiceState.SUSPENDED:
        return f"Suspended by User{why}"
    until = moment_in(found.metadata.annotations, ANNOTATION_SUSPENDED_UNTIL)
    return f"Suspended by User until {format_time(until)}{why}" if until and until > now else ""


def _by_platform(found: ScaleSet) -> str:
    repairs = found.status.repairs
    since = format_time(repairs.suspended_since) if repairs.suspended_since else "?"
    why = f": {repairs.suspended_cause}" if repairs.suspended_cause else ""
    return f"Suspended by Platform since {since}{why}"


def _is_asked(found: ScaleSet) -> bool:
    """Whether a request stands that the operator will count, and has not answered (rule 13)."""
    repairs = found.status.repairs
    asked = moment_in(found.metadata.annotations, ANNOTATION_RESUME_REQUESTED_AT)
    floors = [repairs.suspended_since, repairs.last_handled_resume_request]
    return asked is not None and all(asked > floor for floor in floors if floor is not None)


def _request_time(found: ScaleSet, since: datetime, now: datetime) -> datetime:
    """Now, or where our clock is behind, just later than what it must be later than (rule 13)."""
    handled = found.status.repairs.last_handled_resume_request or since
    return max(now.replace(microsecond=0), *(at + timedelta(seconds=1) for at in (since, handled)))


def _asked_at(found: ScaleSet) -> str:
    return found.metadata.annotations.get(ANNOTATION_RESUME_REQUESTED_AT, "")


def _name(found: ScaleSet) -> str:
    return f"ScaleSet {found.metadata.namespace}/{found.metadata.name}"
