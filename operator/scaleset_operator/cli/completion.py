"""What a half-typed command line can go on with: namespaces, sets, instances, windows.

Silent when the cluster cannot be asked, and short: the shell waits.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from scaleset_operator.cli.access import Access
    from scaleset_operator.cli.call import Call

PATIENCE_S: Final = 3.0


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Namespaces that begin so."""
    return _ask(ctx, incomplete, _namespaces)


def scale_sets(ctx: typer.Context, incomplete: str) -> list[str]:
    """ScaleSets of the namespace that begin so."""
    return _ask(ctx, incomplete, _scale_sets)


def instances(ctx: typer.Context, incomplete: str) -> list[str]:
    """Instances of the namespace that begin so."""
    return _ask(ctx, incomplete, _instances)


def maintenance_windows(ctx: typer.Context, incomplete: str) -> list[str]:
    """MaintenanceWindows of the namespace that begin so."""
    return _ask(ctx, incomplete, _maintenance_windows)


async def _namespaces(access: "Access", call: "Call") -> list[str]:  # noqa: ARG001 - shape of Look
    from scaleset_operator.cli.kinds import NAMESPACES

    return _names(await access.items(NAMESPACES, None))


async def _scale_sets(access: "Access", call: "Call") -> list[str]:
    from scaleset_operator.cli.kinds import SCALE_SETS

    return _names(await access.items(SCALE_SETS, call.namespace(access)))


async def _maintenance_windows(access: "Access", call: "Call") -> list[str]:
    from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS

    return _names(await access.items(MAINTENANCE_WINDOWS, call.namespace(access)))


async def _instances(access: "Access", call: "Call") -> list[str]:
    from scaleset_operator.api.base import LABEL_NAME
    from scaleset_operator.cli.kinds import PODS

    return _names(await access.items(PODS, call.namespace(access), labels=LABEL_NAME))


Look = Callable[["Access", "Call"], Coroutine[Any, Any, list[str]]]


def _ask(ctx: typer.Context, incomplete: str, look: Look) -> list[str]:
    from scaleset_operator.cli.call import call_of
    from scaleset_operator.cli.failures import Failure

    async def found() -> list[str]:
        call = call_of(ctx)
        async with call.access() as access:
            return await asyncio.wait_for(look(access, call), PATIENCE_S)

    try:
        names = asyncio.run(found())
    except (Failure, TimeoutError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def _names(items: list[dict[str, Any]]) -> list[str]:
    return sorted(item["metadata"]["name"] for item in items)
