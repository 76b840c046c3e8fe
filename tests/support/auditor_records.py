"""What the auditor reads from raw objects: pods, ScaleSets and HealthProbes as plain values.

Its own reading of the wire, on purpose: nothing of the operator is imported, so that an error in
the operator's words cannot hide in the auditor's. It must not know any rule.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

PREFIX: Final = "scaleset.dev/"
DEFAULT_GRACE: Final = timedelta(minutes=30)
DEFAULT_PERCENT: Final = 5
FOR_A_TIME: Final = "a person suspended repairs for a time"

Json = dict[str, Any]
Key = tuple[str, str]

_SPAN: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True, kw_only=True)
class PodRecord:
    """One version of one pod.

    Attributes:
        set_uid: UID of the ScaleSet that controls it; None for nobody's pod.
        started: when all its containers had first run, since they were last renewed.
        healthy: status of the condition scaleset.dev/Healthy; None before the first.
        renewing: its containers were told to restart, and their new start is not recorded yet.
        in_rotation: status of our readiness gate; None before the first.
        terminate_at: the deadline that stands on it, if it is one.
    """

    key: Key
    uid: str
    set_uid: str | None
    instance_id: int | None
    model: str
    started: datetime | None
    healthy: str | None
    kept_from_scale_in: bool
    kept_from_actions: bool
    requested: bool
    terminating: bool
    over: bool
    replaces: str | None
    in_rotation: str | None
    terminate_at: datetime | None
    approved: bool
    images: tuple[str, ...]
    renewing: bool

    @property
    def name(self) -> str:
        """Its name."""
        return self.key[1]

    @property
    def live(self) -> bool:
        """Neither over nor on its way out."""
        return not (self.over or self.terminating)


@dataclass(frozen=True, kw_only=True)
class Move:
    """One instance under maintenance, as the ledger has it."""

    instance: str
    domain: int
    scheduled: bool
    phase: str


def read_moves(status: Json) -> dict[str, Move]:
    """UID of the old pod -> its move."""
    rows = (status.get("maintenance") or {}).get("inFlight") or ()
    return {
        row["uid"]: Move(
            instance=row["instance"],
            domain=row.get("updateDomain", 0),
            scheduled=row["origin"] == "Scheduled",
            phase=row["phase"],
        )
        for row in rows
    }


@dataclass(frozen=True, kw_only=True)
class SetRecord:
    """One version of one ScaleSet.

    Attributes:
        stopped: why no repair may start now, in words; empty when one may.
        lapses: when the suspension by annotation that stops repairs ends by itself.
        batch: how many instances a rollout may take at once.
        in_flight: UID of the victim -> name of its replacement.
        notified: UIDs of victims that were given a notice and not yet deleted.
        deadlines: UID of the victim -> until when it may stay, where it is to be told.
        notice: how long the profile promises; None where none is given now.
        removals: UID -> why it is removed other than by a repair.
        renewals: UID -> the model that a rollout brings it to in place.
        witnesses: names.
        moves: UID of the old pod -> its maintenance.
        floor_batch: how many may be away by maintenance, whatever the mode of rollouts.
    """

    key: Key
    uid: str
    desired: int
    percent: int
    grace: timedelta
    enabled: bool
    stopped: str
    lapses: datetime | None
    probe: str | None
    batch: int
    surge: bool
    in_flight: dict[str, str] = field(default_factory=dict)
    notified: frozenset[str] = frozenset()
    deadlines: dict[str, datetime] = field(default_factory=dict)
    notice: timedelta | None = None
    removals: dict[str, str] = field(default_factory=dict)
    renewals: dict[str, str] = field(default_factory=dict)
    witnesses: frozenset[str] = frozenset()
    moves: dict[str, Move] = field(default_factory=dict)
    floor_batch: int = 1


def span(text: str) -> timedelta:
    """ISO 8601 text as a span; the few forms that the CRD lets through."""
    match = _SPAN.fullmatch(text)
    assert match is not None, f"{text!r} is no span"
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def moment(text: str | None) -> datetime | None:
    """RFC 3339 text as a time."""
    return datetime.fromisoformat(text) if text else None


def _deadline(text: str | None) -> datetime | None:
    """What anybody may have written on a pod."""
    try:
        return moment(text)
    except ValueError:
        return None


def key_of(raw: Json) -> Key:
    """Namespace and name."""
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def read_pod(raw: Json) -> PodRecord:
    """A pod from the wire."""
    metadata, status = raw["metadata"], raw.get("status", {})
    labels, marks = metadata.get("labels") or {}, metadata.get("annotations") or {}
    number = labels.get(f"{PREFIX}instance-id", "")
    mark = marks.get(f"{PREFIX}renewed-from")
    held = {row["type"]: row["status"] for row in status.get("conditions") or ()}
    return PodRecord(
        key=key_of(raw),
        uid=metadata["uid"],
        set_uid=_controller(metadata),
        instance_id=int(number) if number.isdigit() else None,
        model=labels.get(f"{PREFIX}model", ""),
        started=moment(marks.get(f"{PREFIX}state-change-time")) or _started(raw, mark),
        healthy=held.get(f"{PREFIX}Healthy"),
        kept_from_scale_in=labels.get(f"{PREFIX}protect-from-scale-in") == "true",
        kept_from_actions=labels.get(f"{PREFIX}protect-from-scale-set-actions") == "true",
        requested=f"{PREFIX}repair" in marks or f"{PREFIX}operation" in marks,
        terminating=bool(metadata.get("deletionTimestamp")),
        over=status.get("phase") in ("Failed", "Succeeded"),
        replaces=marks.get(f"{PREFIX}replaces"),
        in_rotation=held.get(f"{PREFIX}InRotation"),
        terminate_at=_deadline(marks.get(f"{PREFIX}terminate-at")),
        approved=marks.get(f"{PREFIX}approve-termination") == "true",
        images=tuple(row.get("image", "") for row in raw.get("spec", {}).get("containers") or ()),
        renewing=bool(mark) and f"{PREFIX}state-change-time" not in marks,
    )


def read_set(raw: Json, now: datetime) -> SetRecord:
    """A ScaleSet from the wire; `now` tells whether a suspension by annotation stands."""
    metadata, spec = raw["metadata"], raw["spec"]
    policy = spec.get("automaticRepairsPolicy") or {}
    status = raw.get("status") or {}
    repairs = status.get("repairs") or {}
    marks = metadata.get("annotations") or {}
    lapses = moment(marks.get(f"{PREFIX}repairs-suspended-until"))
    entries = repairs.get("inFlight") or ()
    upgrade = spec.get("upgradePolicy") or {}
    rolling = upgrade.get("rollingUpgradePolicy") or {}
    # Automatic takes all at once; the bounds are those of mode Rolling.
    at_once = upgrade.get("mode") == "Automatic"
    share = 100 if at_once else rolling.get("maxBatchInstancePercent", 20)
    desired = spec.get("replicas", 1)
    stopped = _stopped(policy, repairs, lapses, now)
    return SetRecord(
        key=key_of(raw),
        uid=metadata["uid"],
        desired=desired,
        percent=int(policy.get("maxInFlight", f"{DEFAULT_PERCENT}%").removesuffix("%")),
        grace=span(policy["gracePeriod"]) if "gracePeriod" in policy else DEFAULT_GRACE,
        enabled=bool(policy.get("enabled")),
        stopped=stopped,
        lapses=lapses if stopped == FOR_A_TIME else None,
        probe=(spec.get("healthProbeRef") or {}).get("name"),
        batch=max(1, desired * share // 100),
        surge=bool(rolling.get("maxSurge")),
        in_flight={entry["uid"]: entry.get("replacement") or "" for entry in entries},
        notified=frozenset(row["uid"] for row in entries if row["phase"] == "Notified"),
        deadlines={
            row["uid"]: datetime.fromisoformat(row["terminateAt"])
            for row in entries
            if row.get("terminateAt")
        },
        notice=_notice(spec.get("terminateNotificationProfile") or {}),
        removals={row["uid"]: row.get("purpose", "ScaleIn") for row in status.get("scaleIn") or ()},
        renewals={row["uid"]: row["model"] for row in status.get("renewals") or ()},
        witnesses=frozenset(
            row["witness"] for row in repairs.get("doubts") or () if row.get("witness")
        ),
        moves=read_moves(status),
        floor_batch=max(1, desired * rolling.get("maxBatchInstancePercent", 20) // 100),
    )


def read_patience(raw: Json) -> timedelta:
    """What a HealthProbe adds up to: one timeout and one interval."""
    spec = raw["spec"]
    seconds = spec.get("timeoutInSeconds", 31) + spec.get("intervalInSeconds", 15)
    return timedelta(seconds=seconds)


def _notice(profile: Json) -> timedelta | None:
    return span(profile.get("notBeforeTimeout", "PT5M")) if profile.get("enable") else None


def _stopped(policy: Json, repairs: Json, lapses: datetime | None, now: datetime) -> str:
    reasons = {
        "repairs are disabled": not policy.get("enabled"),
        "serviceState is Suspended": policy.get("serviceState") == "Suspended",
        "the mode is Observe": policy.get("mode") == "Observe",
        FOR_A_TIME: lapses is not None and lapses > now,
        "the platform suspended repairs": bool(repairs.get("suspendedSince")),
    }
    return next((words for words, holds in reasons.items() if holds), "")


def _controller(metadata: Json) -> str | None:
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] == "ScaleSet":
            return str(reference["uid"])
    return None


def _started(raw: Json, mark: str | None) -> datetime | None:
    """When all containers had first run; of those that were renewed, after that (`mark`)."""
    rows = raw.get("status", {}).get("containerStatuses") or ()
    wanted = len(raw.get("spec", {}).get("containers") or ()) or 1
    floors = dict(zip(_names(raw), mark.split(","), strict=False)) if mark else {}
    found = [_start_after(row, floors.get(row["name"], "-")) for row in rows]
    starts = [start for start in found if start is not None]
    return max(starts) if len(starts) >= wanted else None


def _names(raw: Json) -> list[str]:
    return [row.get("name", "") for row in raw.get("spec", {}).get("containers") or ()]


def _start_after(row: Json, floor: str) -> datetime | None:
    if not floor.isdigit():
        return _first_start(row)
    later = row.get("restartCount", 0) - int(floor)
    if later <= 0:
        return None
    return _first_start({"state": row.get("state")} if later == 1 else row)


def _first_start(row: Json) -> datetime | None:
    for state in (row.get("lastState") or {}, row.get("state") or {}):
        for phase in ("terminated", "running"):
            if (state.get(phase) or {}).get("startedAt"):
                return moment(state[phase]["startedAt"])
    return None
