"""`completion SHELL`: the script that lets a shell complete `kubectl-scaleset`.

Must not know: what is completed; the program itself is asked for that on each Tab.
"""

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

COMMAND: Final = "kubectl-scaleset"
VARIABLE: Final = "_KUBECTL_SCALESET_COMPLETE"
"""By which the script asks, and which `app` answers to."""


class Shell(StrEnum):
    """Whose script it is."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("completion")(completion)


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the completion script of a shell, for kubectl-scaleset.

    bash: source <(kubectl-scaleset completion bash). zsh: the same, behind compinit. fish:
    kubectl-scaleset completion fish | source. Behind `kubectl scaleset`, kubectl's own completion
    asks us by itself.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    text = get_completion_script(prog_name=COMMAND, complete_var=VARIABLE, shell=shell.value)
    sys.stdout.write(f"{text}\n")
