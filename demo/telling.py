"""Turns two statuses of a set, before and now, into sentences about what changed between them.

Only reads what any user reads: `status` of the ScaleSet. Must not know: the screen, or the cluster.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo.screen import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Sentence(NamedTuple):
    """One line to say, and how it looks."""

    text: str
    style: Style = Style.PLAIN


MEANING: Final = {
    "InGracePeriod": "left alone until its grace has ended",
    "BatchLimitReached": "waits, for as many as allowed are under repair",
    "ProbeInconclusive": "silent; first it has to be known whether the others are silent too",
    "HealthUnknown": "silent, and not yet watched for long enough",
}
"""What the reasons that the demo meets mean, for somebody who meets them first."""


def changes(
    before: dict[str, Any], now: dict[str, Any], moment: Callable[[datetime], float]
) -> Iterator[Sentence]:
    """Tell what changed in the repairs of a set.

    Args:
        before: its status as told last; empty at first.
        now: its status.
        moment: turns a time of day into seconds on the demo's own clock.
    """
    yield from _closed(_repairs(before), _repairs(now))
    yield from _started(_repairs(before), _repairs(now))
    yield from _waiting(before, now, moment)


def names(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def instance_id(name: str) -> int:
    """The number at the end of an instance's name."""
    return int(name.rpartition("-")[2])


def _repairs(status: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = status.get("repairs", {})
    return found


def _closed(before: dict[str, Any], now: dict[str, Any]) -> Iterator[Sentence]:
    told = {(r["instance"], r["endTime"]) for r in before.get("history", [])}
    for record in reversed(now.get("history", [])):
        if (record["instance"], record["endTime"]) in told:
            continue
        took = _time(record["endTime"]) - _time(record["startTime"])
        if record["result"] == "Succeeded":
            yield Sentence(
                f"{record['instance']} is replaced: {record['replacement']} is Healthy,"
                f" {took.total_seconds():.1f} s after the repair began",
                Style.GOOD,
            )
        else:
            reason = record.get("reason", "no reason")
            yield Sentence(
                f"the repair of {record['instance']} is {record['result']}: {reason}", Style.BAD
            )


def _started(before: dict[str, Any], now: dict[str, Any]) -> Iterator[Sentence]:
    told = {entry["uid"] for entry in before.get("inFlight", [])}
    fresh = [entry for entry in now.get("inFlight", []) if entry["uid"] not in told]
    if fresh:
        fresh.sort(key=lambda entry: instance_id(entry["instance"]))
        pairs = ", ".join(f"{entry['instance']} -> {entry['replacement']}" for entry in fresh)
        count = f"{len(now['inFlight'])} of at most {now['batchLimit']} under repair now"
        yield Sentence(f"REPAIR {pairs} ({count})", Style.HEAD)


def _waiting(
    before: dict[str, Any], now: dict[str, Any], moment: Callable[[datetime], float]
) -> Iterator[Sentence]:
    """Instances that came to the same decision together share a sentence."""
    told = {u["name"]: _decision(u) for u in before.get("unhealthyInstances", [])}
    fresh: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for instance in now.get("unhealthyInstances", []):
        decision = _decision(instance)
        if told.get(instance["name"]) != decision and decision[0] != "Repairing":
            fresh.setdefault(decision, []).append(instance)
    for (verdict, reason), who in fresh.items():
        who.sort(key=lambda instance: instance_id(instance["name"]))
        text = f"{names(u['name'] for u in who)}: {verdict}, {reason}"
        if reason in MEANING:
            text += f" ({MEANING[reason]})"
        times = [_time(u["eligibleTime"]) for u in who if "eligibleTime" in u]
        if times:
            text += f"; eligible at {moment(max(times)):.1f} s"
        yield Sentence(text, Style.WAIT)


def _decision(instance: dict[str, Any]) -> tuple[str, str]:
    return instance["repairDecision"], instance["reason"]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
