"""How `probe` shows what came back: a table for people, every number for programs.

Must not know: whom it asked, or what the answers mean.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.cli.call import Call
from scaleset_operator.cli.printing import Column, coloured, print_facts, print_table
from scaleset_operator.cli.probing import Aim, Shot

FIRST_BYTES: Final = 160
"""Of an answer, shown with -v."""


def show(call: Call, found: Aim, shots: Sequence[Shot], *, verbose: bool) -> None:
    """Print what came back."""
    if call.wants_data:
        call.print_data(_data(found, shots))
        return
    print_facts(
        call.console,
        [
            ("Probe", f"{found.probe.metadata.name}: {found.rule()}"),
            ("From", "this machine, by the pods' addresses, without DNS"),
        ],
    )
    columns = [
        Column("INSTANCE"),
        Column("ADDRESS", spare=3),
        Column("CONNECT", spare=2),
        Column("TOOK", spare=1),
        Column("VERDICT"),
        Column("OPERATOR SAYS", spare=4),
    ]
    print_table(call.console, columns, [_row(shot) for shot in shots])
    for shot in shots if verbose else ():
        first = shot.attempted.first_bytes[:FIRST_BYTES] if shot.attempted is not None else b""
        print_facts(call.console, [(shot.instance, repr(first)[1:] if first else "no bytes came")])


def _row(shot: Shot) -> list[Any]:
    code, words = shot.verdict()
    attempted = shot.attempted
    return [
        shot.instance,
        shot.address or "-",
        _short(attempted.connected) if attempted is not None else "-",
        _short(attempted.took) if attempted is not None else "-",
        f"{'✔' if shot.fine else '✖'} {code}: {words}",
        coloured(shot.published),
    ]


def _data(found: Aim, shots: Sequence[Shot]) -> dict[str, Any]:
    return {
        "scaleSet": found.scale_set,
        "probe": found.probe.metadata.name,
        "port": found.port,
        "items": [_shot_data(shot) for shot in shots],
    }


def _shot_data(shot: Shot) -> dict[str, Any]:
    code, words = shot.verdict()
    attempted = shot.attempted
    data: dict[str, Any] = {
        "instance": shot.instance,
        "address": shot.address or None,
        "answersAsExpected": shot.fine,
        "reason": str(code),
        "message": words,
        "published": shot.published,
    }
    if attempted is None:
        return data
    return data | {
        "httpStatus": attempted.http_status or None,
        "connectMilliseconds": _milliseconds(attempted.connected),
        "tookMilliseconds": _milliseconds(attempted.took),
        "firstBytes": attempted.first_bytes[:FIRST_BYTES].decode(errors="replace"),
    }


def _milliseconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds() * 1000, 1)


def _short(span: timedelta | None) -> str:
    return "-" if span is None else f"{span.total_seconds() * 1000:.0f}ms"
