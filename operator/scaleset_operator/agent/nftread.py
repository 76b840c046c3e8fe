"""What nft prints in JSON about our table, as values.

Must not know how nft is run, or what is wanted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from scaleset_operator.agent.desired import Block
from scaleset_operator.agent.nftframe import RULES_OF, RULES_OF_WAY, SETS, WAY
from scaleset_operator.agent.nftrules import Claim, Standing

Things = Iterable[Mapping[str, Any]]
"""What stands under `nftables` in one answer."""


def standing(frame: Things, elements: Mapping[str, Things]) -> Standing:
    """Reads our table.

    Args:
        frame: the listing of the table; elements in it are not looked at.
        elements: the listing of each of its sets and maps that we read, by name.
    """
    things = list(frame)
    chains = {chain["name"] for chain in _of_kind("chain", things)}
    sets = {found["name"]: kind for kind in ("set", "map") for found in _of_kind(kind, things)}
    rules = Counter(rule["chain"] for rule in _of_kind("rule", things))
    ways = {name for name in chains if name.startswith(WAY)}
    wanted = {**RULES_OF, **dict.fromkeys(ways, RULES_OF_WAY)}
    if {name: rules[name] for name in chains} != wanted or sets != SETS:
        # Its elements may be of another form, and are made anew; what was lost is found by apply.
        return Standing(exists=True, chains=frozenset(chains), sets=sets)
    told = {name: list(_elements(listing)) for name, listing in elements.items()}
    return Standing(
        exists=True,
        intact=True,
        chains=frozenset(chains),
        sets=sets,
        blocks={IPv4Address(key): _block(value["concat"]) for key, value in told["blocks"]},
        ways={IPv4Address(key): _idle(value) for key, value in told["ways"]},
        inside=frozenset(map(_network, told["inside"])),
        reclaimed=frozenset(_claim(element["concat"]) for element in told["reclaimed"]),
        drops=counters(elements["exhausted"]),
        denials=counters(elements["denied"]),
    )


def counters(listing: Things) -> dict[IPv4Address, int]:
    """Packets by instance, of a set whose elements count."""
    counted = (element["elem"] for element in _elements(listing))
    return {IPv4Address(one["val"]): int(one["counter"]["packets"]) for one in counted}


def _of_kind(kind: str, things: Things) -> Iterator[Mapping[str, Any]]:
    return (thing[kind] for thing in things if kind in thing)


def _elements(listing: Things) -> Iterator[Any]:
    for thing in listing:
        for kind in ("set", "map"):
            yield from thing.get(kind, {}).get("elem", ())


def _idle(verdict: Mapping[str, Any]) -> int:
    return int(verdict["goto"]["target"].removeprefix(WAY))


def _network(element: Any) -> IPv4Network:
    if isinstance(element, str):
        return IPv4Network(element)
    prefix = element["prefix"]
    return IPv4Network((prefix["addr"], prefix["len"]))


def _claim(parts: list[Any]) -> Claim:
    address, frontend, first, last = parts
    block = Block(frontend=IPv4Address(frontend), first=first, last=last)
    return IPv4Address(address), block


def _block(parts: list[Any]) -> Block:
    frontend, ports = parts
    first, last = (ports, ports) if isinstance(ports, int) else ports["range"]
    return Block(frontend=IPv4Address(frontend), first=first, last=last)
