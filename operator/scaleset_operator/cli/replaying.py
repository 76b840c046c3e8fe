"""A recording of `scaleset-operator run --record` replayed, and what differs.

Must not know: how a replay works.
"""

import sys
from pathlib import Path
from typing import Any, Final

from scaleset_operator import __version__
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Exit, Failure
from scaleset_operator.cli.rehearsed import act_as_data, clock
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.rehearsal.comparison import Difference, carried_out
from scaleset_operator.rehearsal.recording import BadRecordingError, Recording, read_recording
from scaleset_operator.rehearsal.replay import Replay

STDIN: Final = "-"


async def replay(call: Call, file: str) -> int:
    """Replay the last run of a recording; gives 0 where the acts are the same, 2 where not.

    Raises:
        Failure: it cannot be read.
    """
    recording = _read(file)
    run = Replay(recording)
    await run.run()
    found = run.difference()
    acts = carried_out(recording.acts)
    if call.wants_data:
        call.print_data(_as_data(recording, acts, found))
    else:
        for line in _lines(recording, acts, found):
            call.console.print(line)
    return Exit.FINE if found is None else Exit.DEGRADED


def _read(file: str) -> Recording:
    try:
        if file == STDIN:
            return read_recording(sys.stdin)
        with Path(file).open(encoding="utf-8") as lines:
            return read_recording(lines)
    except (OSError, UnicodeDecodeError) as fault:
        line = f"--replay is {file!r}, which cannot be read: {getattr(fault, 'strerror', fault)}"
        raise Failure(line) from fault
    except BadRecordingError as fault:
        line = f"--replay is {file!r}, which is no recording: {fault}"
        raise Failure(line) from fault


def _lines(recording: Recording, acts: list[Act], found: Difference | None) -> list[str]:
    length = clock(recording.end, recording.begin)
    head = f"Operator {recording.operator} did {len(acts)} acts in {length}."
    if found is None:
        return [head, f"Version {__version__} does the same, in the same order."]
    return [
        head,
        f"Version {__version__} does the same {found.place} times and then differs:",
        f"  recorded  {_told(found.recorded, recording)}",
        f"  replayed  {_told(found.replayed, recording)}",
    ]


def _told(act: Act | None, recording: Recording) -> str:
    if act is None:
        return "nothing more"
    words = (act.kind.value, act.instance, act.what, act.reason)
    said = " ".join(word for word in words if word)
    return f"{clock(act.at, recording.begin)} {'/'.join(act.key)}: {said}"


def _as_data(recording: Recording, acts: list[Act], found: Difference | None) -> dict[str, Any]:
    def data(act: Act | None) -> dict[str, Any] | None:
        return None if act is None else act_as_data(act, recording.begin)

    return {
        "recordedVersion": recording.operator,
        "version": __version__,
        "acts": len(acts),
        "same": found is None,
        "difference": None
        if found is None
        else {
            "after": found.place,
            "recorded": data(found.recorded),
            "replayed": data(found.replayed),
        },
    }
