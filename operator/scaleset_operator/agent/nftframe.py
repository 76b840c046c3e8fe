"""The frame of our nftables table: its sets, chains and rules, which no instance changes.

In nft's text form, for its JSON of 1.0 cannot say that a map leads to a range of ports. Must not
know any instance, or how nft is run.

How a flow goes through it. `translate` gives it a source port of its instance's block; the kernel
hands a port out once per destination, port and protocol, and leaves a flow that found none with a
port in use, to be dropped when it is confirmed. `settle` sees each new flow after that: it sets the
idle time-out, and counts the live flows on the very port and destination that this one was given.
A second one means that no port was free; it is dropped here, where its instance can be counted.
"""

from collections.abc import Mapping
from typing import Final

FAMILY: Final = "ip"
TABLE: Final = "scaleset_outbound"
LAYOUT: Final = "layout_1"
"""An empty chain that names the frame's form; to be counted up with each change of FRAME."""

CLOSING_S: Final = {"fin_wait": 120, "close_wait": 60, "last_ack": 30, "time_wait": 1, "close": 1}
"""How long a TCP flow that is being closed may keep its port, at most: the kernel's own times, but
for the last two, in which both sides have closed and the port is free (S-19). Zero would leave late
packets of the flow without a translation."""
UNANSWERED_S: Final = {"retrans": 300, "unack": 300}
"""How long data may be without an answer, at most: the kernel's own times."""

MAX_FLOWS: Final = 1_048_576
"""Flows whose ports are watched; beyond these, exhaustion is the same but not counted."""

FRAME: Final = f"""\
map blocks {{
    type ipv4_addr : interval ipv4_addr . inet_service
}}
map ways {{
    type ipv4_addr : verdict
}}
set inside {{
    type ipv4_addr
    flags interval
}}
set denied {{
    type ipv4_addr
    counter
}}
set exhausted {{
    type ipv4_addr
    counter
}}
set reclaimed {{
    type ipv4_addr . ipv4_addr . inet_service . inet_service
}}
set taken {{
    type ipv4_addr . inet_service . ipv4_addr . inet_service . inet_proto
    size {MAX_FLOWS}
    flags dynamic
}}
chain {LAYOUT} {{
}}
chain deny {{
    type filter hook forward priority filter - 10; policy accept;
    ct direction original ip saddr @denied ip daddr != @inside drop
}}
chain translate {{
    type nat hook postrouting priority srcnat - 10; policy accept;
    ip daddr @inside return
    ip protocol tcp snat ip to ip saddr map @blocks
    ip protocol udp snat ip to ip saddr map @blocks
}}
chain claim {{
    ip protocol {{ tcp, udp }} add @taken {{ ct reply ip daddr . ct reply proto-dst \
. ct reply ip saddr . ct reply proto-src . ip protocol ct count over 1 }} \
ct original ip saddr @exhausted drop
}}
chain settle {{
    type filter hook postrouting priority srcnat + 10; policy accept;
    ct status & confirmed == confirmed return
    ip daddr @inside return
    ct original ip saddr vmap @ways
}}
"""

RULES_OF: Final[Mapping[str, int]] = {LAYOUT: 0, "deny": 1, "translate": 3, "claim": 1, "settle": 3}
"""The frame's chains, and how many rules each has."""
SETS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("blocks", "ways"), "map"),
    **dict.fromkeys(("inside", "denied", "exhausted", "reclaimed", "taken"), "set"),
}
"""The frame's sets and maps, and which of the two each is."""
WAY: Final = "way_"
"""Before the seconds: the chain that sets an idle time-out."""
RULES_OF_WAY: Final = 3


def policies(idle: int) -> str:
    """The time-outs of flows that may be idle for so many seconds, and the chain that sets them."""
    tcp = {"established": idle}
    tcp |= {state: min(idle, most) for state, most in (CLOSING_S | UNANSWERED_S).items()}
    udp = {"unreplied": idle, "replied": idle}
    return (
        f"table {FAMILY} {TABLE} {{\n{_policy('tcp', idle, tcp)}{_policy('udp', idle, udp)}"
        f"chain {way(idle)} {{\n"
        f'    meta l4proto tcp ct timeout set "tcp_{idle}"\n'
        f'    meta l4proto udp ct timeout set "udp_{idle}"\n'
        "    goto claim\n}\n}"
    )


def way(idle: int) -> str:
    """The name of the chain for flows that may be idle for so many seconds."""
    return f"{WAY}{idle}"


def _policy(protocol: str, idle: int, times: Mapping[str, int]) -> str:
    said = ", ".join(f"{state} : {seconds}" for state, seconds in times.items())
    return (
        f"ct timeout {protocol}_{idle} {{\n    protocol {protocol}\n    l3proto ip\n"
        f"    policy = {{ {said} }}\n}}\n"
    )
