"""A recording, read: the inputs by their times, and the acts in their order.

Must not know: who wrote it, beyond the form of its lines, or how it is replayed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.recorder import ACT, FORMAT, HELD

NO_INPUTS: Final = ("begin", "act", "turn", "look", "held")


class BadRecordingError(ValueError):
    """The text is no recording that this version can read; the message says in which line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: what the loop had from then on.

    Attributes:
        kind: of the line.
        fields: the rest of it.
    """

    at: datetime
    kind: str
    fields: Mapping[str, Any]


class Turn(NamedTuple):
    """A turn that was taken; `looks` are when it looked again, after records and live reads."""

    at: datetime
    key: Key
    looks: tuple[datetime, ...] = ()


class Answer(NamedTuple):
    """What was read of a placeholder; `moment` is the set's turn, and its look within that."""

    key: Key
    place: str
    moment: tuple[int, int]
    found: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One run of an operator.

    Attributes:
        operator: the version that was recorded.
        inputs: by time, and as written within it.
        turns: by time; what bears the time of a turn was known to it.
        acts: in the order in which they were begun.
        answers: in the order in which they came.
    """

    operator: str
    begin: datetime
    end: datetime
    inputs: tuple[Input, ...]
    turns: tuple[Turn, ...]
    acts: tuple[Act, ...]
    answers: tuple[Answer, ...] = ()


def read_recording(lines: Iterable[str]) -> Recording:
    """The last run of a recording; an operator that is started again adds another.

    Raises:
        BadRecordingError: a line cannot be read; an unfinished last one is left out.
    """
    rows: list[tuple[int, dict[str, Any]]] = []
    whole = [line for line in lines if line.endswith("\n")]
    for number, line in enumerate(whole, 1):
        row = _row(number, line)
        if row["is"] == "begin":
            rows = []
        rows.append((number, row))
    if not rows or rows[0][1]["is"] != "begin":
        message = "it has no line that begins a run"
        raise BadRecordingError(message)
    first = rows[0][1]
    if first.get("format") != FORMAT:
        message = f"its format is {first.get('format')}: this version reads {FORMAT}"
        raise BadRecordingError(message)
    return Recording(
        operator=str(first.get("operator")),
        begin=first["at"],
        end=max(row["at"] for _, row in rows),
        inputs=tuple(sorted(map(_input, _others(rows)), key=lambda one: one.at)),
        turns=tuple(sorted(_turns(row for _, row in rows))),
        acts=tuple(sorted(_acts(rows), key=lambda act: act.number)),
        answers=tuple(_answers(row for _, row in rows)),
    )


def _row(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        return {**row, "is": str(row["is"]), "at": datetime.fromisoformat(row["at"])}
    except (ValueError, KeyError, TypeError) as fault:
        message = f"line {number} is none of a recording"
        raise BadRecordingError(message) from fault


def _others(rows: Iterable[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for _, row in rows if row["is"] not in NO_INPUTS]


def _turns(rows: Iterable[Mapping[str, Any]]) -> list[Turn]:
    found: list[Turn] = []
    last: dict[Key, int] = {}
    for row in rows:
        if row["is"] not in ("turn", "look"):
            continue
        key = Key(*row["set"])
        if row["is"] == "turn":
            last[key] = len(found)
            found.append(Turn(row["at"], key))
        elif key in last:
            turn = found[last[key]]
            found[last[key]] = turn._replace(looks=(*turn.looks, row["at"]))
    return found


def _answers(rows: Iterable[Mapping[str, Any]]) -> Iterator[Answer]:
    moments: dict[Key, tuple[int, int]] = {}
    for row in rows:
        if row["is"] in ("turn", "look"):
            key = Key(*row["set"])
            turn, look = moments.get(key, (0, 0))
            moments[key] = (turn + 1, 0) if row["is"] == "turn" else (turn, look + 1)
        elif row["is"] == "held":
            namespace, name, place = row["of"]
            key = Key(namespace, name)
            found = HELD.validate_python(row["value"])
            yield Answer(key, place, moments.get(key, (0, 0)), found)


def _input(row: Mapping[str, Any]) -> Input:
    rest = {name: value for name, value in row.items() if name not in ("is", "at")}
    return Input(at=row["at"], kind=row["is"], fields=rest)


def _acts(rows: Iterable[tuple[int, dict[str, Any]]]) -> list[Act]:
    """The acts, each with the turn in which it was done: a set's turns do not overlap."""
    found: list[Act] = []
    turns: Counter[Key] = Counter()
    for number, row in rows:
        try:
            if row["is"] == "turn":
                turns[Key(*row["set"])] += 1
            elif row["is"] == "act":
                act = ACT.validate_python(row["act"], strict=False)
                found.append(replace(act, turn=turns[act.key]))
        except (ValidationError, KeyError, TypeError) as fault:
            message = f"line {number} holds no {row['is']}"
            raise BadRecordingError(message) from fault
    return found
