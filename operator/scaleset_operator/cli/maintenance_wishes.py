"""What a person wishes of maintenance: which instances start now, and what speaks against it.

Pure. What the operator would refuse is refused here with its own codes, before anything is written;
what it would let wait is left to it. Must not know: how anything is read, written or shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scaleset_operator.api.base import ANNOTATION_PERFORM_MAINTENANCE, Reason
from scaleset_operator.cli.acting import Act
from scaleset_operator.cli.calendar_times import calendar_time
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.included import Included, Member
from scaleset_operator.cli.printing import span
from scaleset_operator.cli.windows import zone_of
from scaleset_operator.core.calendar import Occurrence
from scaleset_operator.core.marks import Mark, Standing, standing_of

MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line.

    Attributes:
        names: of instances; empty where an update domain is meant.
        window: None for the one whose iteration the instances are in.
    """

    scale_set: str
    names: tuple[str, ...] = ()
    update_domain: int | None = None
    window: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The instances that start, in order, and the window that they start under."""

    window: str
    names: tuple[str, ...]


def choose(included: Included, wanted: Wanted, now: datetime) -> Chosen:
    """Which instances start, if each of them can.

    Raises:
        Failure: one cannot; the line says of each why, and nothing is to be written.
    """
    window = wanted.window or _only_window(included, wanted)
    names = wanted.names or _of_domain(included, wanted, window)
    refused = [f"{name}: {no}" for name in names if (no := refusal(included, name, window, now))]
    if refused:
        line = f"{'; '.join(refused)}. Nothing was asked for"
        raise Failure(line)
    return Chosen(window=window, names=names)


def _only_window(included: Included, wanted: Wanted) -> str:
    """The window of those that are meant, where there is one alone."""
    meant = [m for m in included.members if _is_meant(m, wanted)]
    windows = sorted({m.mark.window for m in meant if m.mark is not None})
    if len(windows) == 1:
        return windows[0]
    if windows:
        line = f"several windows are meant, {', '.join(windows)}: name one with --window"
        raise Failure(line)
    for name in wanted.names:
        if included.member(name) is None:
            raise Failure(_no_instance(included, name))
    what = f"update domain {wanted.update_domain}" if not wanted.names else wanted.names[0]
    line = f"{what}: {Reason.NOT_INCLUDED}: no iteration of a maintenance includes it"
    raise Failure(line)


def _is_meant(member: Member, wanted: Wanted) -> bool:
    if wanted.names:
        return member.name in wanted.names
    return member.update_domain == wanted.update_domain


def _of_domain(included: Included, wanted: Wanted, window: str) -> tuple[str, ...]:
    names = tuple(
        m.name
        for m in included.members
        if _is_meant(m, wanted) and m.is_pending and m.mark is not None and m.mark.window == window
    )
    if not names:
        line = f"no instance of update domain {wanted.update_domain} is pending under {window}"
        raise Failure(line)
    return names


def refusal(included: Included, name: str, window: str, now: datetime) -> str:
    """Why the operator would refuse an instance, its code first; empty where it would not."""
    member = included.member(name)
    if member is None:
        return _no_instance(included, name)
    if window not in included.windows:
        known = ", ".join(included.windows) or "there is none"
        return f"{Reason.WINDOW_NOT_FOUND}: no window {window} concerns the set ({known})"
    mark = member.mark
    if mark is None or mark.window != window:
        other = f"it is in an iteration of {mark.window}" if mark is not None else "it is in none"
        return f"{Reason.NOT_INCLUDED}: no iteration of {window} includes it, {other}"
    if member.instance is None or member.entry is not None:
        return ""
    if standing_of(member.instance) is not Standing.PENDING:
        said = member.said
        result = f"{said.last_operation_result_code}: {said.last_operation_message}"
        return f"{Reason.ALREADY_ATTEMPTED}: its one attempt was made, {result}"
    return _not_now(included, mark, now)


def _not_now(included: Included, mark: Mark, now: datetime) -> str:
    occurrence = included.occurrence(mark)
    if occurrence is None or occurrence.self_service is None:
        return f"{Reason.NOT_IN_SELF_SERVICE}: {mark.window} has no self-service window for it"
    if not occurrence.self_service.holds(now):
        when = _when(included, occurrence, mark, now)
        return f"{Reason.NOT_IN_SELF_SERVICE}: the self-service window {when}"
    row = included.row(mark)
    if row is not None and row.stopped is not None:
        return f"{Reason.MAINTENANCE_STOPPED}: {row.stopped.message}"
    return ""


def _when(included: Included, occurrence: Occurrence, mark: Mark, now: datetime) -> str:
    zone = zone_of(included.windows.get(mark.window))
    owners = occurrence.self_service or occurrence.scheduled
    if now < owners.start:
        opens, closes = calendar_time(owners.start, zone), calendar_time(owners.end, zone)
        return f"opens {opens}, in {span(owners.start - now)}, and closes {closes}"
    start = calendar_time(occurrence.scheduled.start, zone)
    closed = f"closed {calendar_time(owners.end, zone)}, {span(now - owners.end)} ago"
    return f"{closed}; the scheduled window is from {start}"


def _no_instance(included: Included, name: str) -> str:
    meta = included.scale_set.metadata
    return f"ScaleSet {meta.namespace}/{meta.name} has no instance {name}"


def question(included: Included, names: Sequence[str]) -> str:
    """What must be agreed to where a second update domain would be taken down (M-20)."""
    meant = set(names)
    chosen = {m.update_domain for m in included.members if m.name in meant}
    others = [m for m in included.members if m.name not in meant and _is_down(m)]
    busy = {m.update_domain for m in others}
    if len(chosen | busy) <= 1 or not chosen:
        return ""
    parts = [f"those asked for are in update domain{_listed(chosen)}"]
    for domain in sorted(busy - chosen):
        away = [m for m in others if m.update_domain == domain]
        named = ", ".join(f"{m.name} {_state(m)}" for m in away[:MOST_NAMED])
        more = f" and {len(away) - MOST_NAMED} more" if len(away) > MOST_NAMED else ""
        parts.append(f"update domain {domain} has {named}{more}")
    return f"This takes a second update domain down: {'; '.join(parts)}. Start all the same?"


def _listed(domains: set[int]) -> str:
    plural = "s" if len(domains) > 1 else ""
    return f"{plural} {', '.join(str(domain) for domain in sorted(domains))}"


def _is_down(member: Member) -> bool:
    return member.entry is not None or bool(member.asked) or not member.available


def _state(member: Member) -> str:
    if member.entry is not None:
        return "under maintenance"
    return "asked for" if member.asked else "unavailable"


def ask(included: Included, name: str, window: str, now: datetime) -> Act:
    """Ask that an instance be maintained now.

    Raises:
        Failure: the operator would refuse it.
    """
    no = refusal(included, name, window, now)
    member = included.member(name)
    if no or member is None:
        line = f"{name}: {no}"
        raise Failure(line)
    if member.entry is not None:
        state = f"under way since {member.entry.start_time:%H:%M:%SZ}, {member.entry.phase}"
        return Act(what="maintenance", was=state, now=state)
    asked = f"asked for under {window}"
    suspended = included.windows[window].spec.suspend
    return Act(
        what="maintenance",
        was=f"asked for under {member.asked}" if member.asked else "not asked for",
        now=asked,
        patch={}
        if member.asked == window
        else {"metadata": {"annotations": {ANNOTATION_PERFORM_MAINTENANCE: window}}},
        hint="it waits: the window is suspended" if suspended else "",
    )
