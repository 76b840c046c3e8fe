"""`status [SET]`: how a set is, at a glance; its exit code says it to scripts.

Must not know: how health is judged. It shows what the operator has published.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import scale_sets


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "status")(status)


async def status(
    call: Call,
    name: Annotated[str | None, typer.Argument(metavar="SET", autocompletion=scale_sets)] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it at each change.")] = False,
    timeout: Annotated[  # noqa: ASYNC109 - the word that kubectl has for it
        str | None,
        typer.Option(metavar="SPAN", help="With -w: end once healthy, or with 4 after so long."),
    ] = None,
) -> int:
    """Show how ScaleSets are: all of a namespace, or one with its instances.

    Exit code: 0 healthy, 1 error, 2 degraded, 3 repairs suspended, 4 timeout.
    """
    from scaleset_operator.cli import following, standing

    limit = following.limit(timeout, name, watch=watch)
    async with call.access() as access:
        if name is None:
            found = await standing.of_all(access, call.scope(access))
            standing.show_all(call, found)
            return standing.worst(found)
        if watch:
            return await following.follow(call, access, name, limit)
        one = await standing.of_one(access, call.namespace(access), name)
        standing.show_one(call, one)
        return one.exit
