"""Our prober with the operator's side of its link, and nothing else of the operator.

The link is what the operator runs: it starts the prober process and takes in every outcome.
"""

from __future__ import annotations

import asyncio
import sys
from ipaddress import IPv4Address

import uvloop

from scaleset_operator.adapters.prober.evidence import TargetSpec
from scaleset_operator.adapters.prober.link import ProberLink
from scaleset_operator.api.healthprobe import Protocol


async def probe(first: str, count: int, port: int, interval: float) -> None:
    """Probe `count` addresses from `first` on, for ever."""
    link = ProberLink(on_change=lambda _: None)
    link.start()
    for number in range(count):
        spec = TargetSpec(
            pod_uid=f"uid-{number}",
            ip=str(IPv4Address(first) + number),
            probe_key="bench",
            protocol=Protocol.HTTP,
            port=port,
            path="/healthz",
            interval=interval,
            timeout=2 * interval + 1,
        )
        link.set_target(number, spec)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(probe(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
