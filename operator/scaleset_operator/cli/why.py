"""`why INSTANCE`: the whole decision about one instance, healthy ones too.

Must not know: any rule. It shows what `core` says of what the operator has published.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import instances


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "why")(why)


async def why(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="INSTANCE", autocompletion=instances)],
) -> int:
    """Show why an instance is or is not repaired: each question, its answer, and what follows."""
    from scaleset_operator.cli import telling

    async with call.access() as access:
        told = await telling.ask(access, call.namespace(access), name, call.entrance.now())
    telling.show(call, told)
    return 0
