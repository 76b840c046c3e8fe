"""`repairs suspend` and `repairs resume`: whether a set's repairs may start (R-38).

Must not know: which field or annotation says so; that is `service_state`'s.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.carrying import carry_out_each
from scaleset_operator.cli.completion import scale_sets

_Set = Annotated[str, typer.Argument(metavar="SET", autocompletion=scale_sets)]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(
        help="Suspend and resume automatic repairs.", no_args_is_help=True, rich_markup_mode=None
    )
    command(group, "suspend")(suspend)
    command(group, "resume")(resume)
    app.add_typer(group, name="repairs")


async def suspend(
    call: Call,
    name: _Set,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, for people; at most 256 characters.")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="It lapses after 30m, 2h, 2d...")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="It lapses then, as in 2026-11-20T18:00:00Z."),
    ] = None,
) -> int:
    """Let no repair of a set start; those in flight finish. Without --for or --until, for good."""
    from scaleset_operator.cli import service_state
    from scaleset_operator.cli.kinds import SCALE_SETS

    now = call.entrance.now()
    end = service_state.end_of(span, until, now)
    return await carry_out_each(
        call, SCALE_SETS, [name], lambda raw: service_state.suspend(raw, end, reason, now)
    )


async def resume(
    call: Call,
    name: _Set,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before a suspension by the platform.")
    ] = False,
) -> int:
    """Let repairs of a set start again; where the platform stopped them, show why and ask."""
    from scaleset_operator.cli import service_state
    from scaleset_operator.cli.kinds import SCALE_SETS

    now = call.entrance.now()
    return await carry_out_each(
        call, SCALE_SETS, [name], lambda raw: service_state.resume(raw, now), yes=yes
    )
