"""What the tests in network namespaces do: apply rules, open flows, look at the far end.

Must not know what any test expects.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.agent.conntrack import Conntrack, netlink_socket
from scaleset_operator.agent.desired import Block, Desired, Outlet
from scaleset_operator.agent.nft import Nft
from scaleset_operator.agent.plane import Applied, Plane
from tests.support.namespaces import FRONTENDS, SERVERS, Net, client

if TYPE_CHECKING:
    import socket
    from ipaddress import IPv4Address

    from scaleset_operator.agent.ctmessages import Flow as Tracked
    from scaleset_operator.agent.usage import Usage

PATIENCE_S: Final = 5.0
FRUITLESS_S: Final = 0.3
"""How long a flow that is to fail is waited for: a way of less than a millisecond."""
FIRST_PORT: Final = 1024
IDLE: Final = timedelta(minutes=4)


def block_of(number: int, size: int, *, first: int = FIRST_PORT) -> Block:
    """The block of client `number`, where each has so many ports."""
    begin = first + (number - 1) * size
    return Block(frontend=FRONTENDS[0], first=begin, last=begin + size - 1)


def outlet(
    number: int, block: Block | None, *, idle: timedelta = IDLE, denied: bool = False
) -> Outlet:
    """The way out of client `number`."""
    return Outlet(
        name=f"web-{number}", address=client(number), block=block, idle=idle, denied=denied
    )


def pool(instances: int, size: int, *, idle: timedelta = IDLE) -> Desired:
    """Clients 1 to `instances`, each with so many ports."""
    return Desired(
        outlets=tuple(
            outlet(number, block_of(number, size), idle=idle) for number in range(1, instances + 1)
        )
    )


class Flow:
    """A flow that stands: both ends, and where the far end sees it come from."""

    def __init__(
        self, near: socket.socket, far: socket.socket, seen: tuple[str, int], protocol: str
    ) -> None:
        self.near = near
        self.far = far
        self.seen = seen
        self.protocol = protocol

    @property
    def port(self) -> int:
        """The source port that the far end sees."""
        return self.seen[1]

    def lives(self, patience: float = PATIENCE_S) -> bool:
        """Whether something gets there, from the same place, and back."""
        try:
            self.near.settimeout(patience)
            self.far.settimeout(patience)
            self.near.send(b"there")
            if self.protocol == "tcp":
                assert self.far.recv(100) == b"there"
                self.far.send(b"back")
            else:
                told, seen = self.far.recvfrom(100)
                assert told == b"there"
                self.far.sendto(b"back", seen)
                if seen != self.seen:
                    return False
            return self.near.recv(100) == b"back"
        except OSError:
            return False

    def is_dead(self) -> bool:
        """Whether nothing gets through any more."""
        return not self.lives(FRUITLESS_S)

    def close(self) -> None:
        """Closes both ends, the near one first."""
        self.near.close()
        if self.protocol == "tcp":
            assert self.far.recv(100) == b""
            self.far.close()


class Gateway:
    """A gateway with the plane under test, and the far end's listeners."""

    def __init__(self, rooms: Net) -> None:
        self.rooms = rooms
        self.plane = self.restarted()
        self._listening: dict[tuple[IPv4Address, int, str], socket.socket] = {}

    def restarted(self) -> Plane:
        """A plane that knows nothing, as after a start of the agent."""
        return Plane(self.nft(), self.conntrack())

    def nft(self) -> Nft:
        """nft in the gateway."""
        return Nft(self.rooms.gateway.prefix)

    def flows(self, outer: IPv4Address) -> list[Tracked]:
        """What the gateway's kernel knows of flows from this address."""
        return self.conntrack().flows(outer)

    def conntrack(self) -> Conntrack:
        """The gateway's flows."""
        return Conntrack(lambda: self.rooms.gateway.call(netlink_socket))

    def apply(self, desired: Desired) -> Applied:
        """Applies, and wants it done."""
        applied = self.plane.apply(desired)
        assert applied.refused is None
        return applied

    def usage(self, desired: Desired, number: int) -> Usage:
        """What client `number` uses."""
        return self.plane.observe(desired)[f"web-{number}"]

    def ruleset(self) -> str:
        """Everything that nft tells of the gateway."""
        return self.rooms.gateway.run("nft", "-j", "list", "ruleset")

    def listener(self, protocol: str, server: IPv4Address, port: int) -> socket.socket:
        """The far end at this address and port."""
        key = (server, port, protocol)
        if key not in self._listening:
            room = self.rooms.server
            make: Any = self.rooms.tcp if protocol == "tcp" else self.rooms.udp
            self._listening[key] = make(room, server, port)
            self._listening[key].settimeout(PATIENCE_S)
            if protocol == "tcp":
                self._listening[key].listen(256)
        return self._listening[key]

    def flow(
        self,
        number: int,
        *,
        protocol: str = "tcp",
        server: IPv4Address = SERVERS[0],
        port: int = 80,
        patience: float = PATIENCE_S,
    ) -> Flow | None:
        """Opens a flow of client `number`; None where it got no answer."""
        listener = self.listener(protocol, server, port)
        make: Any = self.rooms.tcp if protocol == "tcp" else self.rooms.udp
        near: socket.socket = make(self.rooms.clients, client(number))
        near.settimeout(patience)
        try:
            near.connect((str(server), port))
            if protocol == "udp":
                listener.settimeout(patience)
                near.send(b"hello")
                _, seen = listener.recvfrom(100)
                listener.settimeout(PATIENCE_S)
                return Flow(near, listener, seen, protocol)
        except TimeoutError:
            near.close()
            return None
        far, seen = listener.accept()
        self.rooms.keep(far)
        far.settimeout(PATIENCE_S)
        near.settimeout(PATIENCE_S)
        return Flow(near, far, seen, protocol)

    def opened(self, number: int, **where: Any) -> Flow:
        """Opens a flow that must come about."""
        made = self.flow(number, **where)
        assert made is not None, f"client {number} got no answer"
        return made

    def refused(self, number: int, **where: Any) -> bool:
        """Whether a new flow comes to nothing."""
        return self.flow(number, patience=FRUITLESS_S, **where) is None
