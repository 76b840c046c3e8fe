"""An explanation on the screen, or as data.

Must not know: how anything is decided; every word about a decision comes from `core`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from scaleset_operator.api.base import LABEL_NAME, format_time
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.cli import seeing
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import NotThere
from scaleset_operator.cli.kinds import PODS
from scaleset_operator.cli.printing import COLOURS, when
from scaleset_operator.core.explain import Explanation, Fate, explain
from scaleset_operator.core.plan import Gate
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wording import answer, question, sentence

YES: Final = ("✔", "green")
NO: Final = ("✖", "red")
WIDE: Final = 76
"""Columns from which question and numbers stand side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An explanation, and whose instance it is about."""

    namespace: str
    scale_set: str
    explanation: Explanation


async def ask(access: Access, namespace: str, name: str, now: datetime) -> Told:
    """Explain one instance.

    Raises:
        NotThere: there is no such instance; says what became of it, where that is known.
    """
    scale_set = await _set_of(access, namespace, name)
    scene = await seeing.scene(access, namespace, scale_set, now)
    found = explain(scene, name)
    if found is None:
        raise NotThere(_lost(scene, name))
    return Told(namespace=namespace, scale_set=scale_set, explanation=found)


async def _set_of(access: Access, namespace: str, name: str) -> str:
    """The set that the instance names; of one that is gone, the set whose name it bears."""
    try:
        pod = await access.instance(namespace, name)
    except NotThere:
        scale_set, dash, number = name.rpartition("-")
        if not dash or not number.isdigit():
            raise
        return scale_set
    return str(pod["metadata"]["labels"][LABEL_NAME])


def _lost(scene: Scene, name: str) -> str:
    line = f"no {PODS.word} {name} in namespace {scene.observed.namespace}"
    for record in scene.observed.status.repairs.history:
        if record.instance == name:
            by = f", replaced by {record.replacement}" if record.replacement else ""
            end = format_time(record.end_time)
            return f"{line}; its repair ended at {end}: {record.result}{by} ({record.cause})"
    return f"{line}; {scene.observed.name} has {len(scene.live)} others"


def as_data(told: Told) -> dict[str, Any]:
    """For scripts; the chain is in the order in which the questions are asked."""
    found = told.explanation
    decision = found.decision
    return {
        "namespace": told.namespace,
        "scaleSet": told.scale_set,
        "instance": found.instance,
        "at": format_time(found.at),
        "health": found.health.value,
        "since": format_time(found.since),
        "cause": {"reason": str(found.reason), "message": found.message},
        "fate": found.fate.value,
        "decision": decision.decision.value if decision else None,
        "reason": decision.reason.value if decision else None,
        "until": format_time(found.until) if found.until else None,
        "gates": [_gate(gate, found.at) for gate in found.gates],
        "ahead": found.ahead,
        "repair": _entry(found.entry),
        "sentence": sentence(found),
    }


def _gate(gate: Gate, at: datetime) -> dict[str, Any]:
    return {
        "question": question(gate),
        "open": gate.open,
        "reason": str(gate.reason),
        "detail": answer(gate, at),
        "until": format_time(gate.until) if gate.until and gate.until > at else None,
    }


def _entry(entry: RepairEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return entry.model_dump(mode="json", by_alias=True, exclude_none=True)


def show(call: Call, told: Told) -> None:
    """Print an explanation."""
    if call.wants_data:
        call.print_data(as_data(told))
        return
    found, now = told.explanation, call.entrance.now()
    head = Text.assemble(
        f"Instance {told.namespace}/{found.instance} of ScaleSet {told.scale_set}  ",
        (found.health.value, COLOURS.get(found.health.value, "")),
        f" since {when(found.since, now)}",
        f": {found.message}" if found.message else "",
    )
    call.console.print(head)
    quiet = found.fate in (Fate.NOTHING, Fate.REPLACES)
    if quiet and found.gates:
        call.console.print("Were it unhealthy, these would be asked:")
    if found.gates:
        call.console.print(_chain(found, now, wide=call.console.width >= WIDE))
    if found.entry is not None:
        call.console.print(_repair(found.entry, now))
    words = sentence(found, lambda moment: when(moment, now))
    call.console.print(Text.assemble(("Decision: ", "bold"), words))


def _chain(found: Explanation, now: datetime, *, wide: bool) -> Table:
    """Each question with its answer; the numbers behind it, or below it where there is no room.

    The first question is the one for its health, which the head has answered already.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for no_wrap in (True, *([False] * (1 + wide))):
        table.add_column(no_wrap=no_wrap, overflow="fold")
    for gate in found.gates[1:]:
        mark, colour = YES if gate.open else NO
        asked, numbers = question(gate), answer(gate, now, lambda moment: when(moment, now))
        shown = Text(numbers, style="dim" if gate.open else "")
        below = Text.assemble(asked, "\n" if numbers else "", shown)
        table.add_row(Text(f" {mark}", style=colour), *((asked, shown) if wide else (below,)))
    return table


def _repair(entry: RepairEntry, now: datetime) -> Text:
    by = f" by {entry.replacement}" if entry.replacement else ""
    begun = when(entry.start_time, now)
    return Text(f"Repair of {entry.instance}{by}: {entry.action}, {entry.phase}, begun {begun}")
