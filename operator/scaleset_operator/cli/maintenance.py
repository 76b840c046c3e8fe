"""`maintenance preview` and `list`: when maintenance is, told before anything is done.

Must not know: how a calendar is made, or how it is shown.
"""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import maintenance_windows
from scaleset_operator.cli.failures import Failure

if TYPE_CHECKING:
    from scaleset_operator.cli.ports import Json

MOST: Final = 50
"""Occurrences that are shown at once."""


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(
        help="When planned maintenance is.", no_args_is_help=True, rich_markup_mode=None
    )
    command(group, "preview")(preview)
    command(group, "list")(list_windows)
    app.add_typer(group, name="maintenance")


async def preview(
    call: Call,
    name: Annotated[
        str | None, typer.Argument(metavar="WINDOW", autocompletion=maintenance_windows)
    ] = None,
    *,
    file: Annotated[
        str | None,
        typer.Option("--filename", "-f", metavar="FILE", help="A manifest; - for standard input."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="How many.")] = 5,
) -> None:
    """Show the next occurrences of a MaintenanceWindow, of the cluster or of a file.

    Times are those of the window's zone, with UTC beside them. Needs no operator, and with -f no
    cluster.
    """
    from scaleset_operator.cli import windows, windows_shown

    if file is None and name is None:
        line = "no window to preview: give -f FILE, or the name of a WINDOW in the cluster"
        raise Failure(line)
    now = call.entrance.now()
    raw = await _of_cluster(call, name) if name and not file else _of_file(call, file or "", name)
    windows_shown.show_preview(call, windows.foreseen(windows.read(raw), now, count))


async def list_windows(call: Call) -> None:
    """Show every MaintenanceWindow of a namespace: what is open, and what comes next."""
    from scaleset_operator.cli import windows, windows_shown
    from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS

    async with call.access() as access:
        found = await access.items(MAINTENANCE_WINDOWS, call.scope(access))
    now = call.entrance.now()
    windows_shown.show_list(call, [windows.standing_of(raw, now) for raw in windows.sorted_(found)])


async def _of_cluster(call: Call, name: str) -> "Json":
    from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS

    async with call.access() as access:
        return await access.get(MAINTENANCE_WINDOWS, call.namespace(access), name)


def _of_file(call: Call, file: str, name: str | None) -> "Json":
    from scaleset_operator.cli.manifest_file import read_window

    return read_window(file, name, call.given_namespace)
