"""A set followed as it changes: shown again at each change, until it is healthy or time is up.

Must not know: what is shown of it; that is `standing`'s.
"""

import asyncio
from datetime import timedelta
from typing import Final

from scaleset_operator.cli.access import Access
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Exit, Failure, NotThere
from scaleset_operator.cli.kinds import SCALE_SETS
from scaleset_operator.cli.spans import read_span
from scaleset_operator.cli.standing import as_data, of_one, read, show_one

AGAIN_S: Final = 1.0
"""Between a watch that the server has ended and the next."""


def limit(timeout: str | None, name: str | None, *, watch: bool) -> timedelta | None:
    """How long to follow; None without end.

    Raises:
        Failure: the options do not go together, or the span cannot be read.
    """
    if watch and name is None:
        line = "-w follows one set: name it"
        raise Failure(line)
    if timeout is None:
        return None
    if not watch:
        line = "--timeout is how long -w follows: give -w too"
        raise Failure(line)
    return read_span(timeout, "--timeout")


async def follow(call: Call, access: Access, name: str, longest: timedelta | None) -> int:
    """Show a set at each change.

    Args:
        call: of the command.
        access: to its cluster.
        name: of the set.
        longest: ends with the first moment at which the set is healthy, or with 4 after so long;
            None: goes on until it is interrupted.
    """
    namespace = call.namespace(access)
    await of_one(access, namespace, name)
    seconds = None if longest is None else longest.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            return await _follow(call, access, (namespace, name), until_healthy=longest is not None)
    except TimeoutError:
        return Exit.TIMEOUT


async def _follow(
    call: Call, access: Access, where: tuple[str, str], *, until_healthy: bool
) -> Exit:
    shown = None
    while True:
        async for raw in access.watch(SCALE_SETS, *where):
            one = read(raw)
            if one.resource.metadata.deletion_timestamp is not None:
                line = f"ScaleSet {where[1]} was deleted"
                raise NotThere(line)
            if as_data(one) != shown:
                shown = as_data(one)
                _clear(call)
                show_one(call, one)
            if until_healthy and one.exit is Exit.FINE:
                return Exit.FINE
        await asyncio.sleep(AGAIN_S)


def _clear(call: Call) -> None:
    """A terminal shows the latest alone; a file gets one after the other."""
    if not call.wants_data and call.console.is_terminal:
        call.console.clear()
