"""Waits until the API server serves our kinds, and says so: the operator may be started first."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.api.base import GROUP, VERSION
from scaleset_operator.reconciler.ports import Gone, Refused, Unavailable

LOOK_EVERY_S: Final = 2.0
_log = logging.getLogger(__name__)


async def await_definitions(connection: Connection, kinds: Iterable[str]) -> None:
    """Return once every kind (plural) is served; tells once what it waits for."""
    wanted = set(kinds)
    told = ""
    while True:
        try:
            served = await _served(connection)
            waiting = f"the API server does not serve {', '.join(sorted(wanted - served))} yet"
        except (Unavailable, Refused) as fault:
            served, waiting = set(), f"the API server cannot be asked: {fault}"
        if wanted <= served:
            return
        if waiting != told:
            _log.warning("%s: `kubectl apply --server-side -f crds/`; waiting", waiting)
            told = waiting
        await asyncio.sleep(LOOK_EVERY_S)


async def _served(connection: Connection) -> set[str]:
    try:
        answer = await connection.read(Call(method="GET", path=f"/apis/{GROUP}/{VERSION}"))
    except Gone:
        return set()
    return {resource["name"] for resource in answer.get("resources", [])}
