"""`rollout status`, `history`, `restart`, `undo`: what `kubectl rollout` refuses for our kind.

Must not know: what is changed, or in which order instances go.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.carrying import carry_out_each
from scaleset_operator.cli.completion import scale_sets
from scaleset_operator.cli.failures import Exit

if TYPE_CHECKING:
    from scaleset_operator.cli.access import Access
    from scaleset_operator.cli.ports import Json
    from scaleset_operator.cli.rollout_wishes import Kept

_Set = Annotated[str, typer.Argument(metavar="SET", autocompletion=scale_sets)]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(
        help="How far a rollout is; start it anew; go back.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    command(group, "status")(status)
    command(group, "history")(history)
    command(group, "restart")(restart)
    command(group, "undo")(undo)
    app.add_typer(group, name="rollout")


async def status(call: Call, name: _Set) -> int:
    """Show how far a rollout is. Exit code: 0 it is over, 1 error, 2 not yet."""
    from scaleset_operator.cli import rollout_wishes

    async with call.access() as access:
        found = await access.scale_set(call.namespace(access), name)
    progress = rollout_wishes.progress(found)
    if call.wants_data:
        call.print_data(progress.data())
    else:
        sys.stdout.write(f"scaleset/{name} rollout: {progress.line()}\n")
    return Exit.FINE if progress.finished else Exit.DEGRADED


async def history(call: Call, name: _Set) -> None:
    """List the templates that are kept, the present one marked."""
    from scaleset_operator.cli.printing import Column, print_table
    from scaleset_operator.core.model import model_of

    async with call.access() as access:
        namespace = call.namespace(access)
        found = await access.scale_set(namespace, name)
        kept = await _history(access, namespace, found)
    present = model_of(found["spec"]["template"])
    if call.wants_data:
        call.print_data({"items": [each.data(present) for each in kept]})
        return
    rows = [
        (each.number, each.model, each.created, "*" if each.model == present else "")
        for each in kept
    ]
    columns = [Column("REVISION"), Column("MODEL"), Column("CREATED", spare=1), Column("PRESENT")]
    print_table(call.console, columns, rows)


async def restart(call: Call, name: _Set) -> int:
    """Make every instance of a set anew, by the rules of its upgrade policy."""
    from scaleset_operator.cli import rollout_wishes
    from scaleset_operator.cli.kinds import SCALE_SETS

    now = call.entrance.now()
    return await carry_out_each(
        call, SCALE_SETS, [name], lambda raw: rollout_wishes.restart(raw, now)
    )


async def undo(
    call: Call,
    name: _Set,
    to_revision: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="To this one (default: the one before the present)."),
    ] = None,
) -> int:
    """Go back to an earlier template."""
    from scaleset_operator.cli import rollout_wishes
    from scaleset_operator.cli.kinds import SCALE_SETS

    async with call.access() as access:
        namespace = call.namespace(access)
        kept = await _history(access, namespace, await access.scale_set(namespace, name))
    return await carry_out_each(
        call, SCALE_SETS, [name], lambda raw: rollout_wishes.undo(raw, kept, to_revision)
    )


async def _history(access: "Access", namespace: str, found: "Json") -> "list[Kept]":
    from scaleset_operator.api.base import LABEL_NAME
    from scaleset_operator.cli import rollout_wishes
    from scaleset_operator.cli.kinds import CONTROLLER_REVISIONS

    labels = f"{LABEL_NAME}={found['metadata']['name']}"
    return rollout_wishes.history(
        found, await access.items(CONTROLLER_REVISIONS, namespace, labels=labels)
    )
