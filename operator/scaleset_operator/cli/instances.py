"""`repair`, `protect`, `unprotect`, `approve`: what a person tells the operator of one instance.

Must not know: which label or annotation says so; that is `instance_wishes`'.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.carrying import carry_out_each
from scaleset_operator.cli.completion import instances
from scaleset_operator.cli.failures import Failure

_Instances = Annotated[list[str], typer.Argument(metavar="INSTANCE...", autocompletion=instances)]
_ScaleIn = Annotated[bool, typer.Option("--scale-in", help="The protection from scale-in alone.")]
_All = Annotated[bool, typer.Option("--all", help="Both protections.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "repair")(repair)
    command(app, "protect")(protect)
    command(app, "unprotect")(unprotect)
    command(app, "approve")(approve)


async def repair(call: Call, names: _Instances) -> int:
    """Ask the operator to repair an instance: under the cap, and not against a protection."""
    from scaleset_operator.cli.instance_wishes import request_repair
    from scaleset_operator.cli.kinds import PODS

    return await carry_out_each(call, PODS, names, request_repair)


async def protect(
    call: Call, names: _Instances, *, scale_in: _ScaleIn = False, everything: _All = False
) -> int:
    """Keep repairs and rollouts away from an instance; with --scale-in, scale-in and repairs."""
    from scaleset_operator.cli import instance_wishes
    from scaleset_operator.cli.kinds import PODS

    labels = _labels(scale_in=scale_in, everything=everything, default=instance_wishes.ACTIONS)
    return await carry_out_each(call, PODS, names, lambda pod: instance_wishes.protect(pod, labels))


async def unprotect(
    call: Call, names: _Instances, *, scale_in: _ScaleIn = False, everything: _All = False
) -> int:
    """Take every protection of an instance away; with --scale-in, that from scale-in alone."""
    from scaleset_operator.cli import instance_wishes
    from scaleset_operator.cli.kinds import PODS

    labels = _labels(scale_in=scale_in, everything=everything, default=instance_wishes.BOTH)
    return await carry_out_each(
        call, PODS, names, lambda pod: instance_wishes.unprotect(pod, labels)
    )


async def approve(call: Call, names: _Instances) -> int:
    """Let an instance that has its terminate notice go now, instead of at its deadline."""
    from scaleset_operator.cli.instance_wishes import approve_termination
    from scaleset_operator.cli.kinds import PODS

    return await carry_out_each(call, PODS, names, approve_termination)


def _labels(*, scale_in: bool, everything: bool, default: tuple[str, ...]) -> tuple[str, ...]:
    from scaleset_operator.cli import instance_wishes

    if scale_in and everything:
        line = "--scale-in and --all exclude each other: allowed is one of them"
        raise Failure(line)
    if everything:
        return instance_wishes.BOTH
    return instance_wishes.SCALE_IN if scale_in else default
