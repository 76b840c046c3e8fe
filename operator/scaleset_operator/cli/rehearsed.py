"""A rehearsal that has run, for people: what happened when, equal lines joined, and its figures.

Must not know: how it ran. Times count from the rehearsal's begin.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from scaleset_operator.api.base import VMHealth, format_time
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Exit
from scaleset_operator.cli.printing import Column, print_facts, print_table, span
from scaleset_operator.reconciler.acts import Act, ActKind
from scaleset_operator.rehearsal.rehearsal import Decided, Happened, Rehearsal
from scaleset_operator.rehearsal.staging import named
from scaleset_operator.rehearsal.summary import Summary

JOINED: Final = timedelta(seconds=30)
"""Equal lines that follow one another within so long are one."""
REACH: Final = 3
"""How many lines back an equal one is looked for."""
WORDS: Final = {
    ActKind.BEGIN: ("repair begins", "{what}: {act.detail}"),
    ActKind.DOUBT: ("in doubt", "silent as a whole; {what}"),
    ActKind.CERTAIN: ("certain again", "the silence is resolved"),
    ActKind.SERVICE: ("repairs {what}", "{act.reason} {act.detail}"),
    ActKind.CREATE: ("created", "{what}"),
    ActKind.DELETE: ("deleted", "{what}"),
    ActKind.RENEW: ("containers renewed", "{what}"),
    ActKind.NOTICE: ("notice given", ""),
    ActKind.MOVE: ("maintenance begins", "{what}: {act.reason}"),
    ActKind.MOVED: ("maintenance ends", "{what}: {act.detail}"),
    ActKind.HOLD: ("place asked for", ""),
    ActKind.EVICT: ("evicted", ""),
    ActKind.ADOPT: ("adopted", ""),
    ActKind.RELEASE: ("released", ""),
}
"""Kind of act -> what is said of it, and why."""
COLOURS: Final = {
    "healthy": "green",
    "unhealthy": "red",
    "unknown": "yellow",
    "suspended": "red",
    "failed": "red",
    "scenario": "bold",
}


@dataclass(slots=True)
class Row:
    """One line; `at` is when the first of what it joins was."""

    at: datetime
    what: str
    why: str
    names: list[str] = field(default_factory=list)


def rows_of(run: Rehearsal) -> list[Row]:
    """What happened, one line for each kind of thing that happened together."""
    stream: list[tuple[datetime, int, Row]] = []
    stream += [(h.at, 0, _scenario(h)) for h in run.happened]
    stream += [(a.at, 1, row) for a in run.acts if (row := _act(a)) is not None]
    stream += [(d.at, 2, row) for d in run.decided for row in _wait(d, run)]
    rows: list[Row] = []
    for at, _, row in sorted(stream, key=lambda one: one[:2]):
        for known in rows[-REACH:]:
            near = at - known.at <= JOINED
            if near and (known.what, known.why) == (row.what, row.why) and row.what != "scenario":
                known.names += [name for name in row.names if name not in known.names]
                break
        else:
            rows.append(row)
    return rows


def _scenario(happened: Happened) -> Row:
    _, _, text = happened.event.text.partition(" ")
    return Row(happened.at, "scenario", text or happened.event.text, _names(happened.words))


def _names(words: str) -> list[str]:
    return [words] if words else []


def _act(act: Act) -> Row | None:
    """The line of one act; None where there is nothing that a person would look for."""
    one = [act.instance] if act.instance else []
    if act.failed:
        return Row(act.at, f"{act.kind.lower()} not done", act.failed, one)
    if act.kind is ActKind.PUBLISH:
        word = act.what.partition(",")[0]
        why = "" if word == VMHealth.HEALTHY else act.detail
        return Row(act.at, word.lower(), why, one) if word in set(VMHealth) else None
    if act.kind is ActKind.END:
        return Row(
            act.at, f"repair {act.what.lower()}", act.reason, [f"{act.instance} {act.detail}"]
        )
    words = WORDS.get(act.kind)
    if words is None:
        return None
    what, why = (part.format(what=act.what, act=act).replace("_", "-") for part in words)
    return Row(act.at, what, why.strip(" :"), one)


def _wait(decided: Decided, run: Rehearsal) -> Iterator[Row]:
    decision = decided.decision
    if decision is None or decision.decision == "Repairing":
        return
    until = f" until {clock(decision.until, run.begin)}" if decision.until else ""
    yield Row(decided.at, "repair waits", f"{decision.reason}{until}", [decided.instance])


def clock(at: datetime, begin: datetime) -> str:
    """A time of the rehearsal: hours, minutes and seconds since its begin."""
    seconds = int((at - begin).total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def show(call: Call, run: Rehearsal, summary: Summary) -> None:
    """The table, and the figures below it."""
    columns = [
        Column("TIME"),
        Column("WHAT"),
        Column("N", spare=2),
        Column("INSTANCES", spare=1, folds=True),
        Column("WHY", folds=True),
    ]
    rows = [
        [
            clock(row.at, run.begin),
            Text(row.what, style=COLOURS.get(row.what.split()[-1], "")),
            len(row.names) if row.what != "scenario" and row.names else "",
            named(row.names),
            row.why,
        ]
        for row in rows_of(run)
    ]
    print_table(call.console, columns, rows)
    call.console.print()
    print_facts(call.console, list(facts(run, summary)))


def facts(run: Rehearsal, summary: Summary) -> Iterator[tuple[str, str]]:
    """The figures, in words."""
    results = ", ".join(f"{n} {word.lower()}" for word, n in sorted(summary.results.items()))
    yield (
        "Repairs",
        (
            f"{summary.repairs} in {summary.batches} batches: {results or 'none ended'}"
            if summary.repairs
            else "none"
        ),
    )
    held = "" if summary.cap_held else " THE ALLOWANCE WAS EXCEEDED"
    peak = summary.peak
    yield "In flight", f"never more than {peak.in_flight} of {peak.allowance} allowed{held}"
    if summary.lowest is not None:
        low = summary.lowest
        yield (
            "Healthy",
            (f"at the least {low.healthy} of {low.desired}, at {clock(low.at, run.begin)}"),
        )
    floor = "held" if summary.floor_held else "BROKEN by a rollout"
    yield "Floor", f"{summary.floor} instances, {floor}"
    others = {k: n for k, n in sorted(summary.deleted.items()) if k != "repair"}
    if others:
        gone = ", ".join(f"{n} for {purpose.replace('_', '-')}" for purpose, n in others.items())
        yield "Deleted", f"beside repairs {gone}"
    yield "At the end", _end(run, summary)


def _end(run: Rehearsal, summary: Summary) -> str:
    last = summary.last
    words = f"{last.healthy} of {last.desired} healthy"
    if summary.healthy_since is not None:
        words = f"all {last.desired} healthy since {clock(summary.healthy_since, run.begin)}"
    hurts = [h.at for h in run.happened if h.at <= (summary.healthy_since or h.at)]
    if summary.healthy_since is not None and hurts:
        words += f", {span(summary.healthy_since - hurts[0])} after the first event"
    return f"{words}; repairs are suspended" if summary.suspended else words


def exit_of(summary: Summary) -> Exit:
    """Suspended before degraded, as `status` has it."""
    if summary.suspended:
        return Exit.SUSPENDED
    return Exit.FINE if summary.healthy_since is not None else Exit.DEGRADED


def as_data(run: Rehearsal, summary: Summary) -> dict[str, Any]:
    """The run for scripts: every act, and the figures."""
    return {
        "namespace": run.key.namespace,
        "name": run.key.name,
        "begin": format_time(run.begin),
        "until": clock(run.clock.now(), run.begin),
        "events": [
            {"at": clock(h.at, run.begin), "event": h.event.text, "did": h.words}
            for h in run.happened
        ],
        "acts": [act_as_data(act, run.begin) for act in run.acts],
        "summary": {
            "repairs": summary.repairs,
            "results": dict(summary.results),
            "batches": summary.batches,
            "mostInFlight": summary.peak.in_flight,
            "allowance": summary.peak.allowance,
            "capHeld": summary.cap_held,
            "lowestHealthy": None if summary.lowest is None else summary.lowest.healthy,
            "floor": summary.floor,
            "floorHeld": summary.floor_held,
            "deleted": dict(summary.deleted),
            "healthyAtEnd": summary.last.healthy,
            "desiredAtEnd": summary.last.desired,
            "allHealthySince": summary.healthy_since and clock(summary.healthy_since, run.begin),
            "repairsSuspended": summary.suspended,
        },
    }


def act_as_data(act: Act, begin: datetime) -> dict[str, Any]:
    """One act for scripts."""
    return {
        "at": clock(act.at, begin),
        "seconds": round((act.at - begin).total_seconds(), 3),
        "act": act.kind.value,
        "instance": act.instance,
        "what": act.what,
        "reason": act.reason,
        "detail": act.detail,
        "failed": act.failed,
    }
