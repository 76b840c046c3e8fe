"""One call of the plugin: the options that every command has, where it prints, how it ends.

A command is an async function whose first argument is the `Call`; `command` adds the options that
kubectl has too, runs it, and turns a Failure into one line and an exit code.
Must not know: any command. What is slow to import is imported when a command runs.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from scaleset_operator.cli.completion import namespaces
from scaleset_operator.cli.failures import Exit, Failure
from scaleset_operator.cli.ports import Entrance, Target

if TYPE_CHECKING:
    from rich.console import Console

    from scaleset_operator.cli.access import Access

ENDLESS: Final = 1_000
"""Columns of what is no terminal: a pipe wants whole lines."""

Body = Callable[..., Awaitable[int | None]]


class Output(StrEnum):
    """What is printed: for people, or data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a command is called with, beside its own arguments.

    Attributes:
        given_namespace: of the option -n; None where it is not given.
        everywhere: the option -A.
    """

    entrance: Entrance
    target: Target
    given_namespace: str | None = None
    everywhere: bool = False
    output: Output = Output.TABLE

    @cached_property
    def console(self) -> "Console":
        """Standard output; colour only on a terminal and without NO_COLOR."""
        return _console(is_terminal=sys.stdout.isatty())

    @property
    def wants_data(self) -> bool:
        """Whether JSON or YAML is asked for instead of a table."""
        return self.output is not Output.TABLE

    @asynccontextmanager
    async def access(self) -> AsyncIterator["Access"]:
        """The cluster, for the length of this command."""
        from scaleset_operator.cli.access import Access
        from scaleset_operator.reconciler.ports import Unavailable

        try:
            way = self.entrance.connect(self.target)
            client = await way.__aenter__()
        except Unavailable as fault:
            raise Failure(str(fault)) from fault
        try:
            yield Access(client)
        finally:
            await way.__aexit__(None, None, None)

    def namespace(self, access: "Access") -> str:
        """The one namespace that is meant; refuses -A, for a command about one object."""
        if self.everywhere:
            line = "-A names every namespace, and this is about one object: give -n NAMESPACE"
            raise Failure(line)
        return self.given_namespace or access.namespace

    def scope(self, access: "Access") -> str | None:
        """The namespace to list, None for all."""
        return None if self.everywhere else self.namespace(access)

    def print_data(self, data: object) -> None:
        """Print JSON or YAML, as asked for."""
        from scaleset_operator.cli.printing import as_text

        sys.stdout.write(as_text(data, self.output))


OPTIONS: Final = (
    (
        "namespace",
        Annotated[
            str | None,
            typer.Option(
                "--namespace",
                "-n",
                metavar="NAME",
                help="Namespace (default: that of the context).",
                autocompletion=namespaces,
            ),
        ],
        None,
    ),
    (
        "all_namespaces",
        Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")],
        False,
    ),
    (
        "context",
        Annotated[
            str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig to use.")
        ],
        None,
    ),
    (
        "kubeconfig",
        Annotated[str | None, typer.Option(metavar="FILE", help="The kubeconfig to use.")],
        None,
    ),
    (
        "user",
        Annotated[str | None, typer.Option("--as", metavar="USER", help="Whom to impersonate.")],
        None,
    ),
    (
        "output",
        Annotated[Output, typer.Option("--output", "-o", help="What to print.")],
        Output.TABLE,
    ),
)
"""Name, type and default of the options that every command has."""


def command(app: typer.Typer, name: str) -> Callable[[Body], Body]:
    """Register a command under a name; its first argument is the Call, its result the exit code."""

    def register(body: Body) -> Body:
        @wraps(body)
        def run(ctx: typer.Context, **given: Any) -> None:
            common = {option: given.pop(option) for option, _, _ in OPTIONS}
            raise typer.Exit(_run(body, _call(ctx, common), given))

        own = list(inspect.signature(body).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter(option, keyword, default=default, annotation=kind)
            for option, kind, default in OPTIONS
        ]
        context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
        parameters = [p.replace(kind=keyword) for p in (context, *own, *added)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name)(run)
        return body

    return register


def call_of(ctx: typer.Context) -> Call:
    """The call that a half-typed command line would make, for completion."""
    return _call(ctx, {option: ctx.params.get(option) or d for option, _, d in OPTIONS})


def _call(ctx: typer.Context, common: dict[str, Any]) -> Call:
    return Call(
        entrance=ctx.obj,
        target=Target(
            kubeconfig=common["kubeconfig"], context=common["context"], user=common["user"]
        ),
        given_namespace=common["namespace"],
        everywhere=common["all_namespaces"],
        output=common["output"],
    )


def _run(body: Body, call: Call, own: dict[str, Any]) -> int:
    try:
        return int(asyncio.run(_awaited(body(call, **own))) or Exit.FINE)
    except Failure as failure:
        sys.stderr.write(f"error: {_one_line(str(failure))}\n")
        return int(failure.code)


async def _awaited(work: Awaitable[int | None]) -> int | None:
    return await work


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _console(*, is_terminal: bool) -> "Console":
    """Colour on a terminal only, and not under NO_COLOR; lines are cut for a terminal only."""
    from rich.console import Console

    plain = not is_terminal or bool(os.environ.get("NO_COLOR"))
    endless = None if is_terminal or os.environ.get("COLUMNS") else ENDLESS
    return Console(
        color_system=None if plain else "auto",
        width=endless,
        highlight=False,
        emoji=False,
        markup=False,
    )
