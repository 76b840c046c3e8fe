"""A peer: many addresses probed with aiohttp, one task each, one connection for each probe.

It must not know the operator; it is what one would write in an afternoon.
"""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress
from ipaddress import IPv4Address

import aiohttp

_GOOD = 200


async def _watch(
    session: aiohttp.ClientSession, url: str, interval: float, found: dict[str, bool]
) -> None:
    await asyncio.sleep(random.random() * interval)  # noqa: S311 - no secret
    while True:
        begun = asyncio.get_running_loop().time()
        found[url] = False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(url, allow_redirects=False) as answer:
                await answer.read()
                found[url] = answer.status == _GOOD
        passed = asyncio.get_running_loop().time() - begun
        await asyncio.sleep(max(0.0, interval - passed))


async def probe(first: str, count: int, port: int, interval: float) -> None:
    """Probe `count` addresses from `first` on, for ever."""
    found: dict[str, bool] = {}
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=interval)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        urls = (f"http://{IPv4Address(first) + i}:{port}/healthz" for i in range(count))
        await asyncio.gather(*(_watch(session, url, interval, found) for url in urls))


if __name__ == "__main__":
    asyncio.run(probe(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
