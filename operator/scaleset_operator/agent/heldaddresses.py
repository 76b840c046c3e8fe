"""Which addresses the kernel takes for its own, from its own table of routes.

The table, not a socket bound for trial: where net.ipv4.ip_nonlocal_bind is on, any can be bound.
Must not know what the addresses are for.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

FIB_TRIE: Final = Path("/proc/net/fib_trie")
_PLACE: Final = re.compile(r"^\s*(?:\|--|\+--)\s+([0-9.]+)")
_LOCAL: Final = re.compile(r"^\s*/([0-9]+)\s+host LOCAL\b")
_LOOPBACK: Final = IPv4Network("127.0.0.0/8")


def held_networks(fib_trie: str) -> frozenset[IPv4Network]:
    """What is delivered on this machine: single addresses, and whole networks routed to it.

    Args:
        fib_trie: what /proc/net/fib_trie says.
    """
    return frozenset(network for network in _local(fib_trie) if not network.subnet_of(_LOOPBACK))


def holds(networks: frozenset[IPv4Network], address: IPv4Address) -> bool:
    """Whether an address is among these."""
    return any(address in network for network in networks)


def _local(fib_trie: str) -> Iterator[IPv4Network]:
    place = ""
    for line in fib_trie.splitlines():
        if (named := _PLACE.match(line)) is not None:
            place = named[1]
        elif (local := _LOCAL.match(line)) is not None and place:
            yield IPv4Network((place, int(local[1])), strict=False)
