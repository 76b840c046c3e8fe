"""Rehearsals recorded as the operator records itself, and replayed.

Must not know: what any act should be.
"""

from scaleset_operator.reconciler.recorder import Recorder
from scaleset_operator.reconciler.recording import record
from scaleset_operator.rehearsal.api_server import Change
from scaleset_operator.rehearsal.comparison import Difference
from scaleset_operator.rehearsal.recording import read_recording
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from scaleset_operator.rehearsal.replay import Replay


def recorded(run: Rehearsal) -> list[str]:
    """The lines that a recorder before the loop's ports writes from now on."""
    lines: list[str] = []
    recorder = Recorder(run.clock, lines.append, "test")
    loop = run.loop.reconciler
    run.loop.turn = lambda key: recorder.turn(key, loop.turn)
    record(loop, recorder)

    def hear(change: Change) -> None:
        if change.key.kind in ("ScaleSet", "HealthProbe"):
            recorder.heard(change.key.kind, change.manifest(), gone=change.verb == "DELETED")

    run.server.subscribe(hear)
    for key, body in run.server.objects().items():
        if key.kind in ("HealthProbe", "ScaleSet"):
            assert isinstance(body, dict)
            recorder.heard(key.kind, body, gone=False)
    return lines


async def replayed(lines: list[str]) -> Replay:
    """A replay that has run."""
    replay = Replay(read_recording(lines))
    await replay.run()
    return replay


async def difference(lines: list[str]) -> Difference | None:
    """What a replay does otherwise."""
    assert len(read_recording(lines).acts) > 10
    return (await replayed(lines)).difference()
