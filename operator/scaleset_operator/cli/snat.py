"""`snat [SET]`: the outbound ports of a set's instances, what comes next, and what would help.

Must not know: how ports are given out, or which advice fits.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import scale_sets
from scaleset_operator.cli.failures import Failure


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "snat")(snat)


async def snat(
    call: Call,
    name: Annotated[str | None, typer.Argument(metavar="SET", autocompletion=scale_sets)] = None,
    *,
    what_if: Annotated[
        str | None,
        typer.Option(metavar="replicas=N", help="As if the set had so many instances."),
    ] = None,
) -> None:
    """Show the outbound ports of sets, or of one set with its instances, and advice on them.

    What no node's agent carries out is called a plan. Changes nothing.
    """
    from scaleset_operator.cli import snat_shown, snat_standing

    if what_if is not None and name is None:
        line = f"--what-if is {what_if!r}, and no SET is named: it is about one"
        raise Failure(line)
    replicas = None if what_if is None else snat_standing.replicas_of(what_if)
    async with call.access() as access:
        if name is None:
            found = await snat_standing.of_all(access, call.scope(access))
            snat_shown.show_all(call, found)
            return
        standing = await snat_standing.of_set(access, call.namespace(access), name, replicas)
    snat_shown.show(call, standing)
