"""The kernel's words for tracked flows: netlink messages of conntrack, made and read.

Must not know sockets, or which flow is whose. Numbers in attributes are big-endian, those of the
netlink frame itself are the machine's.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from socket import AF_INET, IPPROTO_TCP, IPPROTO_UDP
from typing import Final

ERROR: Final = 2
DONE: Final = 3
REQUEST: Final = 0x1
ACKNOWLEDGE: Final = 0x4
DUMP: Final = 0x300
NEW_FLOW: Final = 0x100
"""The type of a message that tells of a flow."""
_GET: Final = 0x101
_DELETE: Final = 0x102
_NESTED: Final = 0x8000
_TYPE_MASK: Final = 0x3FFF

_HEADER: Final = struct.Struct("=IHHII")
_FAMILY: Final = struct.Struct("=BBH")
_ATTRIBUTE: Final = struct.Struct("=HH")
_BODY: Final = _HEADER.size + _FAMILY.size

_ORIGINAL, _REPLY, _PROTOCOL_INFO, _TIMEOUT, _ID, _FILTER = 1, 2, 4, 7, 12, 25
_ADDRESSES, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_FILTER_ORIGINAL, _FILTER_REPLY = 1, 2
_FILTER_DESTINATION: Final = 1 << 1
_TCP, _TCP_STATE = 1, 1
_OVER: Final = frozenset({7, 8})
"""TCP states in which both sides have closed: TIME_WAIT and CLOSE; their port can be had again."""

PROTOCOLS: Final = frozenset({IPPROTO_TCP, IPPROTO_UDP})


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A tracked flow of TCP or UDP, as it was before translation and as the far end sees it.

    Attributes:
        id: the kernel's name for it, not used again while it lives.
        outer: the address that the far end sees.
        outer_port: the source port that the far end sees.
        expires: seconds until it is forgotten, if nothing comes.
        over: whether both sides have closed it, so that its port can be had again.
    """

    id: int
    protocol: int
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    far_end: IPv4Address
    far_port: int
    outer: IPv4Address
    outer_port: int
    expires: int
    over: bool


def dump(sequence: int, outer: IPv4Address) -> bytes:
    """Asks for all flows that the far ends see coming from this address.

    Kernels before 5.8 do not know the filter and tell all; so who reads looks for himself.
    """
    wanted = _nested(_REPLY, _nested(_ADDRESSES, _attribute(_DESTINATION, outer.packed)))
    flags = _attribute(_FILTER_ORIGINAL, struct.pack("=I", 0))
    flags += _attribute(_FILTER_REPLY, struct.pack("=I", _FILTER_DESTINATION))
    return _message(_GET, REQUEST | DUMP, sequence, wanted + _nested(_FILTER, flags))


def deletion(sequence: int, flow: Flow) -> bytes:
    """Ends this very flow, and no later one that has its addresses and ports."""
    addresses = _attribute(_SOURCE, flow.far_end.packed)
    addresses += _attribute(_DESTINATION, flow.outer.packed)
    ports = _attribute(_NUMBER, bytes([flow.protocol]))
    ports += _attribute(_SOURCE_PORT, struct.pack("!H", flow.far_port))
    ports += _attribute(_DESTINATION_PORT, struct.pack("!H", flow.outer_port))
    reply = _nested(_REPLY, _nested(_ADDRESSES, addresses) + _nested(_PROTOCOL, ports))
    name = _attribute(_ID, struct.pack("!I", flow.id))
    return _message(_DELETE, REQUEST | ACKNOWLEDGE, sequence, reply + name)


def messages(received: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Gives the type, the sequence number and the body of each message in a datagram."""
    at = 0
    while at + _HEADER.size <= len(received):
        length, kind, _, sequence, _ = _HEADER.unpack_from(received, at)
        if length < _HEADER.size:
            return
        yield kind, sequence, received[at + _HEADER.size : at + length]
        at += _aligned(length)


def error_of(body: bytes) -> int:
    """The errno of an acknowledgement; 0 for done."""
    number: int = struct.unpack_from("=i", body)[0]
    return -number


def flow_of(body: bytes) -> Flow | None:
    """Reads a flow; None where it is neither TCP nor UDP over IPv4."""
    if body[0] != AF_INET:
        return None
    told = _attributes(body[_FAMILY.size :])
    original, reply = _tuple(told[_ORIGINAL]), _tuple(told[_REPLY])
    protocol = original[0]
    if protocol not in PROTOCOLS:
        return None
    return Flow(
        id=_number(told[_ID]),
        protocol=protocol,
        source=original[1],
        source_port=original[2],
        destination=original[3],
        destination_port=original[4],
        far_end=reply[1],
        far_port=reply[2],
        outer=reply[3],
        outer_port=reply[4],
        expires=_number(told.get(_TIMEOUT, b"\0")),
        over=_tcp_state(told.get(_PROTOCOL_INFO, b"")) in _OVER,
    )


def _tuple(value: bytes) -> tuple[int, IPv4Address, int, IPv4Address, int]:
    parts = _attributes(value)
    addresses, protocol = _attributes(parts[_ADDRESSES]), _attributes(parts[_PROTOCOL])
    return (
        protocol[_NUMBER][0],
        IPv4Address(addresses[_SOURCE]),
        _number(protocol.get(_SOURCE_PORT, b"\0")),
        IPv4Address(addresses[_DESTINATION]),
        _number(protocol.get(_DESTINATION_PORT, b"\0")),
    )


def _tcp_state(value: bytes) -> int:
    tcp = _attributes(value).get(_TCP, b"")
    return _number(_attributes(tcp).get(_TCP_STATE, b"\0"))


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _attributes(value: bytes) -> dict[int, bytes]:
    found = {}
    at, end = 0, len(value)
    while at + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(value, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = value[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _message(kind: int, flags: int, sequence: int, attributes: bytes) -> bytes:
    body = _FAMILY.pack(AF_INET, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body
