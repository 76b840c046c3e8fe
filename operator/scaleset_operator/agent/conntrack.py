"""The kernel's table of flows: read, and ended one by one, over netlink.

Not by the program `conntrack`, which reads the whole table for each flow that it deletes. Must not
know which flow is to end, or why.
"""

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from ipaddress import IPv4Address
from typing import Final

from scaleset_operator.agent import ctmessages
from scaleset_operator.agent.ctmessages import DONE, ERROR, NEW_FLOW, Flow

NETLINK_NETFILTER: Final = 12
TIMEOUT_S: Final = 10.0
"""For one answer of the kernel."""
RECEIVE: Final = 1 << 18
BATCH: Final = 64
"""Deletions sent at once; their answers must fit into the socket's buffer."""


class ConntrackError(RuntimeError):
    """The kernel refused, or did not answer."""


def netlink_socket() -> socket.socket:
    """A socket to the kernel, in the network namespace of the calling thread."""
    return socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
    )


class Conntrack:
    """The flows of one network namespace.

    Args:
        opened: gives a new socket to the kernel in it.
    """

    def __init__(self, opened: Callable[[], socket.socket] = netlink_socket) -> None:
        self._opened = opened

    def flows(self, outer: IPv4Address) -> list[Flow]:
        """The flows of TCP and UDP that far ends see coming from this address.

        Raises:
            ConntrackError: they could not be read.
        """
        try:
            with closing(self._opened()) as channel:
                channel.settimeout(TIMEOUT_S)
                channel.send(ctmessages.dump(1, outer))
                # By identity: a table that grows while it is read may tell of a flow twice.
                told = {flow.id: flow for flow in _told(channel) if flow.outer == outer}
        except OSError as error:
            message = f"the flows of {outer} could not be read: {error}"
            raise ConntrackError(message) from error
        return list(told.values())

    def end(self, flows: Sequence[Flow]) -> int:
        """Ends flows; says how many there were still.

        Raises:
            ConntrackError: not all were ended.
        """
        ended = 0
        try:
            with closing(self._opened()) as channel:
                channel.settimeout(TIMEOUT_S)
                for begin in range(0, len(flows), BATCH):
                    ended += _end(channel, flows[begin : begin + BATCH])
        except OSError as error:
            message = f"not all of {len(flows)} flows were ended: {error}"
            raise ConntrackError(message) from error
        return ended


def _told(channel: socket.socket) -> Iterator[Flow]:
    while True:
        for kind, _, body in ctmessages.messages(channel.recv(RECEIVE)):
            if kind == DONE:
                return
            if kind == ERROR:
                raise _error(ctmessages.error_of(body))
            flow = ctmessages.flow_of(body) if kind == NEW_FLOW else None
            if flow is not None:
                yield flow


def _end(channel: socket.socket, flows: Sequence[Flow]) -> int:
    channel.send(b"".join(ctmessages.deletion(at, flow) for at, flow in enumerate(flows)))
    ended = answers = 0
    while answers < len(flows):
        for kind, _, body in ctmessages.messages(channel.recv(RECEIVE)):
            if kind != ERROR:
                continue
            number = ctmessages.error_of(body)
            if number not in {0, errno.ENOENT}:
                raise _error(number)
            answers += 1
            ended += number == 0
    return ended


def _error(number: int) -> OSError:
    return OSError(number, errno.errorcode.get(number, "unknown error"))
