"""From what is wanted and what stands to one nftables transaction in our own table.

Must not know how nft is run, or what it prints.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Final, TypeVar

from scaleset_operator.agent.desired import Block, Desired
from scaleset_operator.agent.nftframe import FAMILY, FRAME, TABLE, policies, way

_OURS: Final = f"{FAMILY} {TABLE}"

Key = TypeVar("Key", IPv4Address, IPv4Network)

Claim = tuple[IPv4Address, Block]
"""Ports that an instance had."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What our table holds.

    Attributes:
        exists: whether there is such a table.
        intact: whether its frame is the one that we would make.
        chains: all its chains.
        sets: all its sets and maps, and which of the two each is.
        ways: each instance's idle time-out in seconds.
        reclaimed: who lost which ports, where the flows there have still to be ended.
        drops: flows that found no port, by instance, since the table stands.
        denials: packets of instances without a way out.
    """

    exists: bool = False
    intact: bool = False
    chains: frozenset[str] = frozenset()
    sets: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[IPv4Address, Block] = field(default_factory=dict)
    ways: Mapping[IPv4Address, int] = field(default_factory=dict)
    inside: frozenset[IPv4Network] = frozenset()
    reclaimed: frozenset[Claim] = frozenset()
    drops: Mapping[IPv4Address, int] = field(default_factory=dict)
    denials: Mapping[IPv4Address, int] = field(default_factory=dict)


def transaction(desired: Desired, standing: Standing) -> str:
    """The commands from `standing` to `desired`, to be carried out all or none; empty for none.

    What an instance loses is put into `reclaimed` by the same transaction, so that its flows there
    are ended by whoever comes next, whatever happens in between. They are to be ended, and the set
    cleared, before the next transaction.
    """
    there = standing if standing.intact else Standing()
    wanted = desired.translated()
    idles = {address: seconds_of(outlet.idle) for address, outlet in wanted.items()}
    blocks = {address: _ports(outlet.block) for address, outlet in wanted.items() if outlet.block}
    held = {address: _ports(block) for address, block in there.blocks.items()}
    lines = [
        *(() if there.intact else _frame_anew(standing)),
        *_new_policies(set(idles.values()), there),
        *_of_set("inside", set(collapse_addresses(desired.inside)), there.inside),
        *_of_set("denied", desired.denied(), there.denials.keys()),
        *_of_set("exhausted", wanted.keys(), there.drops.keys()),
        *_of_map("ways", _ways(idles), _ways(there.ways)),
        *_of_map("blocks", blocks, held),
        *_elements("add", "reclaimed", map(_claim, sorted(losses(desired, standing)))),
    ]
    return "".join(f"{line}\n" for line in lines)


def losses(desired: Desired, standing: Standing) -> frozenset[Claim]:
    """Who loses which ports on the way from `standing` to `desired` (S-07)."""
    wanted = desired.translated()
    return frozenset(
        (address, piece)
        for address, block in standing.blocks.items()
        for piece in block.without(wanted[address].block if address in wanted else None)
    )


def cleared(reclaimed: Iterable[Claim]) -> str:
    """The commands that take out of `reclaimed` what has been seen to."""
    return "".join(f"{line}\n" for line in _elements("delete", "reclaimed", map(_claim, reclaimed)))


def removal() -> str:
    """The commands that leave nothing of ours."""
    return f"delete table {_OURS}\n"


def seconds_of(idle: timedelta) -> int:
    """Whole seconds, never fewer than asked for."""
    return -(-idle // timedelta(seconds=1))


def _frame_anew(standing: Standing) -> Iterator[str]:
    """All of it but the policies: a flow whose policy goes falls back to the kernel's five days."""
    yield from (f"flush chain {_OURS} {name}" for name in sorted(standing.chains))
    yield from (f"delete {kind} {_OURS} {name}" for name, kind in sorted(standing.sets.items()))
    yield from (f"delete chain {_OURS} {name}" for name in sorted(standing.chains))
    yield f"table {_OURS} {{\n{FRAME}}}"


def _new_policies(idles: set[int], there: Standing) -> Iterator[str]:
    """Those without a chain yet; adding a policy once more changes nothing."""
    return (policies(idle) for idle in sorted(idles) if way(idle) not in there.chains)


def _ways(idles: Mapping[IPv4Address, int]) -> dict[IPv4Address, str]:
    return {address: f"goto {way(idle)}" for address, idle in idles.items()}


def _ports(block: Block) -> str:
    """As a map takes them: it wants a range even of one port."""
    return f"{block.frontend} . {block.first}-{block.last}"


def _claim(claim: Claim) -> str:
    """No packet is looked up in this set, so both ends stand as they are: that is quicker."""
    address, block = claim
    return f"{address} . {block.frontend} . {block.first} . {block.last}"


def _of_set(name: str, wanted: AbstractSet[Key], there: AbstractSet[Key]) -> Iterator[str]:
    yield from _elements("delete", name, map(str, sorted(there - wanted)))
    yield from _elements("add", name, map(str, sorted(wanted - there)))


def _of_map(
    name: str, wanted: Mapping[IPv4Address, str], there: Mapping[IPv4Address, str]
) -> Iterator[str]:
    gone = sorted(key for key, value in there.items() if wanted.get(key) != value)
    new = sorted(key for key, value in wanted.items() if there.get(key) != value)
    yield from _elements("delete", name, map(str, gone))
    yield from _elements("add", name, (f"{key} : {wanted[key]}" for key in new))


def _elements(verb: str, name: str, elements: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(elements)
    if listed:
        yield f"{verb} element {_OURS} {name} {{ {listed} }}"
