"""The plugin's commands, registered one by one; `main` runs the command line.

Must not know: what any command does.
"""

import io
import os
import shlex
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from typing import Annotated, Any, Final

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from scaleset_operator import __version__
from scaleset_operator.cli import (
    activities,
    completion_script,
    doctor,
    import_csdef,
    instances,
    maintenance,
    probe,
    repairs,
    rollout,
    simulate,
    snat,
    status,
    why,
)
from scaleset_operator.cli.ports import Entrance

PROGRAM: Final = "kubectl scaleset"
COMPLETION: Final = completion_script.VARIABLE
"""The variable by which a shell asks for completions."""
EPILOG: Final = """Options such as -n and --context stand behind the command.

Exit codes: 0 done; 1 error; 2 a command line that makes no sense.
Of status and simulate: 0 healthy, 1 error, 2 degraded, 3 repairs suspended, 4 timeout."""

CALLED: Final = {
    "explain": "why",
    "describe": "status",
    "get": "status",
    "list": "status",
    "events": "activities",
    "history": "activities",
    "suspend": "repairs suspend",
    "resume": "repairs resume",
    "undo": "rollout undo",
    "restart": "rollout restart",
    "replay": "simulate --replay",
    "windows": "maintenance list",
    "calendar": "maintenance preview",
    "perform-maintenance": "maintenance start",
    "check": "doctor",
    "ports": "snat",
}
"""Words that people try first -> what is called so here."""


class Commands(typer.core.TyperGroup):
    """The commands; of a word that is none, but means one, it says which."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click."""
        meant = CALLED.get(args[0]) if args else None
        if meant is not None and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command '{args[0]}'. It is '{meant}'.")
        return super().resolve_command(ctx, args)


def build() -> typer.Typer:
    """The whole command line; a new group of commands is one line here."""
    app = typer.Typer(
        cls=Commands,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_whole)
    status.add_to(app)
    why.add_to(app)
    activities.add_to(app)
    probe.add_to(app)
    repairs.add_to(app)
    instances.add_to(app)
    rollout.add_to(app)
    maintenance.add_to(app)
    snat.add_to(app)
    simulate.add_to(app)
    import_csdef.add_to(app)
    doctor.add_to(app)
    completion_script.add_to(app)
    return app


def main(arguments: Sequence[str], entrance: Entrance) -> None:
    """Run one command line; always ends in SystemExit."""
    program = typer.main.get_command(build())
    program.main(args=list(arguments), prog_name=PROGRAM, complete_var=COMPLETION, obj=entrance)


def completions(words: Sequence[str], entrance: Entrance) -> str:
    """What a half-typed command line can go on with, in the words of kubectl's own completion.

    Args:
        words: what was typed behind `kubectl scaleset`; the last one is not finished.
        entrance: as for `main`.

    Returns:
        One candidate a line, and `:4`, which tells the shell not to offer files.
    """
    completion_init()
    os.environ["COMP_WORDS"] = shlex.join(["kubectl-scaleset", *(w for w in words if w)])
    os.environ["COMP_CWORD"] = str(max(len(words), 1))
    os.environ[COMPLETION] = "complete_bash"
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        main([], entrance)
    return "\n".join([*said.getvalue().split(), ":4"])


def _version(wanted: bool) -> None:  # noqa: FBT001 - shape of an option's callback
    if wanted:
        typer.echo(f"kubectl-scaleset {__version__}")
        raise typer.Exit


def _whole(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Scale sets: what they do, and why."""
