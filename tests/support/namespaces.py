"""Network namespaces of a test's own: clients, a gateway and a server, joined by cables.

Sockets are made in a namespace and used from the test itself, so there is no process to wait for.
Must not know the rules under test.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
import uuid
from contextlib import ExitStack, contextmanager
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CLONE_NEWNET: Final = 0x40000000
NEEDED: Final = {"ip": "iproute2", "nft": "nftables"}
"""Programs, and the Debian packages that have them."""
RUN_S: Final = 20.0

CLIENTS: Final = IPv4Network("10.9.0.0/16")
OUTSIDE: Final = IPv4Network("192.0.2.0/24")
FRONTENDS: Final = (IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11"))
SERVERS: Final = tuple(IPv4Address("192.0.2.100") + at for at in range(8))
_GATEWAY_INSIDE: Final = IPv4Address("10.9.255.254")
_GATEWAY_OUTSIDE: Final = IPv4Address("192.0.2.1")


def client(number: int) -> IPv4Address:
    """The address of a client, from 1 on."""
    return CLIENTS[number]


@cache
def why_not() -> str | None:
    """Why there can be no network namespaces here, in one line; None where there can."""
    missing = sorted(package for name, package in NEEDED.items() if shutil.which(name) is None)
    if missing:
        return f"install {' '.join(missing)}"
    if os.geteuid():
        return "they take root"
    name = f"try-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return " ".join(made.stderr.split())
    tried = subprocess.run(
        ["ip", "netns", "exec", name, "nft", "list", "ruleset"],
        capture_output=True,
        text=True,
        check=False,
    )
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return " ".join(tried.stderr.split()) if tried.returncode else None


class Room:
    """One network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ("ip", "netns", "exec", name)

    def run(self, *argv: str, sent: str = "") -> str:
        """Runs a program in it, and gives what it printed."""
        return run(*self.prefix, *argv, sent=sent)

    def call(self, made: Callable[[], socket.socket]) -> socket.socket:
        """Has a socket made in it, by a thread that ends with that; nobody else goes there."""
        sockets: list[socket.socket] = []
        faults: list[OSError] = []

        def enter() -> None:
            try:
                with Path("/run/netns", self.name).open("rb") as door:
                    library = ctypes.CDLL(None, use_errno=True)
                    if library.setns(door.fileno(), CLONE_NEWNET):
                        faults.append(OSError(ctypes.get_errno(), "setns"))
                        return
                sockets.append(made())
            except OSError as error:
                faults.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if faults:
            raise faults[0]
        return sockets[0]


class Net:
    """The three rooms; sockets made here go with them."""

    def __init__(self, clients: Room, gateway: Room, server: Room) -> None:
        self.clients = clients
        self.gateway = gateway
        self.server = server
        self._open = ExitStack()

    def tcp(self, room: Room, address: IPv4Address, port: int = 0) -> socket.socket:
        """A TCP socket at this address."""
        return self._at(room, socket.SOCK_STREAM, address, port)

    def udp(self, room: Room, address: IPv4Address, port: int = 0) -> socket.socket:
        """A UDP socket at this address."""
        return self._at(room, socket.SOCK_DGRAM, address, port)

    def keep(self, made: socket.socket) -> None:
        """Has one that was accepted close with the rooms."""
        self._open.enter_context(made)

    def close(self) -> None:
        """Closes every socket."""
        self._open.close()

    def _at(
        self, room: Room, kind: socket.SocketKind, address: IPv4Address, port: int
    ) -> socket.socket:
        made = room.call(lambda: socket.socket(socket.AF_INET, kind))
        self.keep(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), port))
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def net(clients: int) -> Iterator[Net]:
    """Makes the rooms with so many client addresses, and removes them whatever happens."""
    tag = uuid.uuid4().hex[:8]
    rooms = [Room(f"sso-{tag}-{part}") for part in ("clients", "gateway", "server")]
    with ExitStack() as undo:
        for room in rooms:
            run("ip", "netns", "add", room.name)
            undo.callback(run, "ip", "netns", "delete", room.name)
        made = Net(*rooms)
        undo.callback(made.close)
        _join(made.clients, made.gateway, "inner")
        _join(made.server, made.gateway, "outer")
        _address(made.clients, "inner", CLIENTS, map(client, range(1, clients + 1)))
        _address(made.gateway, "inner", CLIENTS, [_GATEWAY_INSIDE])
        _address(made.gateway, "outer", OUTSIDE, [_GATEWAY_OUTSIDE, *FRONTENDS])
        _address(made.server, "outer", OUTSIDE, SERVERS)
        run("ip", "-n", made.clients.name, "route", "add", "default", "via", str(_GATEWAY_INSIDE))
        run(
            *("ip", "-n", made.server.name, "route", "add", str(CLIENTS)),
            *("via", str(_GATEWAY_OUTSIDE)),
        )
        made.gateway.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield made


def _join(room: Room, gateway: Room, cable: str) -> None:
    run(
        *("ip", "link", "add", cable, "netns", room.name, "type", "veth"),
        *("peer", "name", cable, "netns", gateway.name),
    )
    for end in (room, gateway):
        for link in ("lo", cable):
            run("ip", "-n", end.name, "link", "set", link, "up")


def _address(
    room: Room, cable: str, network: IPv4Network, addresses: Iterable[IPv4Address]
) -> None:
    lines = [f"address add {address}/{network.prefixlen} dev {cable}\n" for address in addresses]
    run("ip", "-n", room.name, "-batch", "-", sent="".join(lines))


def run(*argv: str, sent: str = "") -> str:
    """Runs a program and gives what it printed; an end with an error fails the test."""
    done = subprocess.run(
        argv, input=sent, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout
