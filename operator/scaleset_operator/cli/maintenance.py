"""`maintenance`: when it is, how far it is, and the start of it by the owners of instances.

Must not know: how a calendar is made, what is asked of whom, or how anything is shown.
"""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import instances, maintenance_windows, scale_sets
from scaleset_operator.cli.failures import Failure

if TYPE_CHECKING:
    from scaleset_operator.cli.ports import Json

MOST: Final = 50
"""Occurrences that are shown at once."""


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(
        help="Planned maintenance: when it is, how far it is; start it early.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    command(group, "start")(start)
    command(group, "status")(status)
    command(group, "preview")(preview)
    command(group, "list")(list_windows)
    app.add_typer(group, name="maintenance")


_Window = Annotated[
    str | None,
    typer.Option(
        "--window", metavar="WINDOW", help="The window.", autocompletion=maintenance_windows
    ),
]


async def start(
    call: Call,
    scale_set: Annotated[str, typer.Argument(metavar="SET", autocompletion=scale_sets)],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[INSTANCE]...", autocompletion=instances)
    ] = None,
    *,
    update_domain: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Every pending instance of an update domain."),
    ] = None,
    window: _Window = None,
    spacing: Annotated[
        str | None, typer.Option(metavar="SPAN", help="From one instance to the next: 5m, PT5M.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result of each.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before a second update domain goes.")
    ] = False,
) -> int:
    """Start the maintenance of instances now, while the self-service window is open.

    What the operator would refuse is refused before anything is written. With --wait, exit code 1
    where an instance was not maintained.
    """
    from scaleset_operator.cli import maintenance_start
    from scaleset_operator.cli.maintenance_wishes import Wanted
    from scaleset_operator.cli.spans import read_span

    given = tuple(dict.fromkeys(names or ()))
    if bool(given) == (update_domain is not None):
        line = "which instances: give either INSTANCE... or --update-domain N"
        raise Failure(line)
    apart = read_span(spacing, "--spacing") if spacing is not None else None
    pace = maintenance_start.pace_of(apart, wait=wait, count=len(given) or None)
    wanted = Wanted(scale_set=scale_set, names=given, update_domain=update_domain, window=window)
    async with call.access() as access:
        return await maintenance_start.start(call, access, wanted, pace, yes=yes)


async def status(
    call: Call,
    scale_set: Annotated[
        str | None, typer.Argument(metavar="[SET]", autocompletion=scale_sets)
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[INSTANCE]", autocompletion=instances)
    ] = None,
    *,
    window: _Window = None,
) -> None:
    """Show how far maintenance is: of every window, of one, of a set, or of one instance.

    Works whether a window is open or not.
    """
    from scaleset_operator.cli import maintenance_shown, maintenance_status

    async with call.access() as access:
        if scale_set is None:
            found = await maintenance_status.of_windows(access, call.scope(access), window)
            maintenance_shown.show_windows(call, found)
            return
        included = await maintenance_status.of_set(
            access, call.namespace(access), scale_set, window
        )
    if name is None:
        maintenance_shown.show_set(call, included)
    else:
        maintenance_shown.show_instance(call, included, name)


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
