"""`activities [SET]`: what was done, is being done, and waits: repairs, decisions, Events.

Must not know: how it is gathered; that is `happenings`.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import scale_sets


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "activities")(activities)


async def activities(
    call: Call,
    name: Annotated[str | None, typer.Argument(metavar="SET", autocompletion=scale_sets)] = None,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Only what is not older: 30m, 24h, 7d.")
    ] = None,
) -> int:
    """Show repairs that were made or are being made, what waits and why, and Events."""
    from scaleset_operator.cli import happenings
    from scaleset_operator.cli.spans import read_span

    back = None if since is None else read_span(since, "--since")
    async with call.access() as access:
        where = call.scope(access) if name is None else call.namespace(access)
        found = await happenings.gather(access, where, name, call.entrance.now())
    happenings.show(call, found, back)
    return 0
