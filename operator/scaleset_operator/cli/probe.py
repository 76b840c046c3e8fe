"""`probe SET`: one attempt on each instance from where the plugin runs, with what came back.

Must not know: how an attempt is made, or what a verdict needs.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import instances, scale_sets
from scaleset_operator.cli.failures import Exit


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "probe")(probe)


async def probe(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="SET", autocompletion=scale_sets)],
    instance: Annotated[
        list[str] | None,
        typer.Option(
            "--instance", "-i", metavar="NAME", help="This one only.", autocompletion=instances
        ),
    ] = None,
    *,
    rotation: Annotated[
        bool, typer.Option("--rotation", help="By the probe that decides over traffic.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the first bytes of each answer.")
    ] = False,
) -> int:
    """Probe a set's instances once, from here, and show what came back.

    Changes nothing, and is no evidence to the operator. Exit code: 0 all answer as expected,
    1 error, 2 some do not.
    """
    from scaleset_operator.cli import probe_shown, probing

    async with call.access() as access:
        way = probing.ROTATION if rotation else probing.HEALTH
        aim = await probing.aim(access, (call.namespace(access), name), instance or [], way)
    shots = await probing.shoot(call.entrance, aim)
    probe_shown.show(call, aim, shots, verbose=verbose)
    return Exit.FINE if all(shot.fine for shot in shots) else Exit.DEGRADED
