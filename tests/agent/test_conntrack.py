"""A kernel that refuses, or says nothing."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from scaleset_operator.agent import conntrack
from scaleset_operator.agent.conntrack import Conntrack, ConntrackError
from tests.agent.test_ctmessages import FLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def answer(kind: int, number: int = 0) -> bytes:
    """A message of the kernel: an acknowledgement, or an error."""
    body = struct.pack("=i", -number) + bytes(16)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def kernel(*answers: bytes) -> Callable[[], socket.socket]:
    """One that has its answers ready, whatever is asked."""

    def opened() -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for one in answers:
            theirs.send(one)
        kept.append(theirs)
        return ours

    return opened


kept: list[socket.socket] = []


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """Closes the kernels' ends."""
    yield
    while kept:
        kept.pop().close()


def test_flows_that_may_not_be_read_are_told() -> None:
    with pytest.raises(ConntrackError, match=r"flows of 192\.0\.2\.10 could not be read.*EPERM"):
        Conntrack(kernel(answer(2, errno.EPERM))).flows(IPv4Address("192.0.2.10"))


def test_a_kernel_that_says_nothing_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conntrack, "TIMEOUT_S", 0.05)
    with pytest.raises(ConntrackError, match="timed out"):
        Conntrack(kernel()).flows(IPv4Address("192.0.2.10"))


def test_flows_that_could_not_be_ended_are_told() -> None:
    """One was gone by itself; the third was refused."""
    answers = [answer(2), answer(2, errno.ENOENT), answer(3), answer(2, errno.EBUSY)]
    with pytest.raises(ConntrackError, match=r"not all of 3 flows were ended: .*EBUSY"):
        Conntrack(kernel(*answers)).end([FLOW, FLOW, FLOW])


def test_a_flow_that_is_gone_is_not_counted_as_ended() -> None:
    assert Conntrack(kernel(answer(2, errno.ENOENT) + answer(2))).end([FLOW, FLOW]) == 1
