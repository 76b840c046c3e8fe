"""Outside the cluster: a server there, addresses of nodes that flows leave from, and flows to it.

The server is a container on the network of the nodes: a network namespace of its own, which no
kubelet knows. Must not know where flows ought to come from.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from localcluster.kind import config, loading
from tests.integration.waiting import eventually
from tests.kind.pods import process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.commands import Commands
    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

NAME: Final = "scaleset-outside"
NETWORK: Final = "kind"
PORT: Final = 7000
PROGRAM: Final = Path(__file__).with_name("far_end.py")
FROM_THE_TOP: Final = 16
"""Front-end addresses are the last ones of the network: the engine gives out the first."""
PATIENCE_S: Final = 5
"""For a flow to come about; one that finds no port never does."""
LASTS_S: Final = 120
OPEN: Final = """\
for ((i = 0; i < $4; i++)); do
    exec {flow}<>"/dev/$1/$2/$3" || exit
    if [ "$1" = udp ]; then echo >&$flow; fi
    dd bs=100 count=1 status=none <&$flow
done
"""
"""Opens flows, one beside the other, and prints what each is told first: a datagram is read at
once, or lost."""


class Seen(NamedTuple):
    """Where the server sees a flow come from."""

    address: str
    port: int


class Running:
    """A flow of an instance that goes on by itself on its node."""

    def __init__(self, world: KindWorld, pod: Json, file: str) -> None:
        self._look = partial(world.room.on_node, pod, "cat", file)

    def seen(self) -> Seen:
        """Where it comes from."""
        return _seen(eventually(self._look, "the flow came about").splitlines()[0])

    def is_alive(self) -> bool:
        """Whether something still arrives by it."""
        before = len(self._look())
        return bool(eventually(lambda: len(self._look()) > before, "something arrives", seconds=20))


class Outside:
    """What is outside while a `with outside(...)` lasts.

    Attributes:
        address: of the server.
        fronts: node -> a front-end address that it holds.
    """

    def __init__(self, address: str, fronts: dict[str, str]) -> None:
        self.address = address
        self.fronts = fronts

    def flows(self, world: KindWorld, pod: Json, count: int, protocol: str = "tcp") -> list[Seen]:
        """Have an instance open so many at once; gives those that came about, as the server does.

        Args:
            world: of the instance.
            pod: the instance; they are made in its network namespace, by programs of its node.
            count: how many; they are all closed before this returns.
            protocol: tcp or udp.
        """
        asked = ("bash", "-c", OPEN, "open", protocol, self.address, str(PORT), str(count))
        within = ("timeout", str(PATIENCE_S), "nsenter", f"--net={_door(world, pod)}", *asked)
        # Not all may come about, which is for the caller to say.
        said = world.room.on_node(pod, "sh", "-c", '"$@" || true', "sh", *within)
        return [_seen(line) for line in said.splitlines() if line != "."]

    def running(self, world: KindWorld, pod: Json) -> Running:
        """Have an instance open one that goes on."""
        file = f"/tmp/flow-{pod['metadata']['uid']}"  # noqa: S108 - of a node of the test's own
        asked = f"exec 3<>/dev/tcp/{self.address}/{PORT}; cat <&3"
        argv = ("timeout", str(LASTS_S), "nsenter", f"--net={_door(world, pod)}", "bash", "-c")
        apart = 'file=$1; shift; setsid "$@" >"$file" 2>&1 </dev/null &'
        world.room.on_node(pod, "sh", "-c", apart, "sh", file, *argv, asked)
        return Running(world, pod, file)


@contextmanager
def outside(cluster: KindCluster, image: str) -> Iterator[Outside]:
    """Makes the server and gives each worker an address more; takes all of it away at the end.

    Args:
        cluster: whose nodes reach it.
        image: one with Python.
    """
    run = cluster.docker(loading.up(cluster))
    _, *workers = config.nodes()
    top = _subnet(run).broadcast_address - FROM_THE_TOP
    fronts = {node: str(top + at) for at, node in enumerate(workers)}
    run.succeeds("docker", "rm", "--force", NAME)
    for node, front in fronts.items():
        _address(run, "replace", node, front)
    try:
        run(
            *("docker", "run", "--detach", "--name", NAME, "--network", NETWORK),
            *("--entrypoint", "python3", image, "-c", PROGRAM.read_text(encoding="utf-8")),
            str(PORT),
        )
        (found,) = json.loads(run("docker", "inspect", NAME))
        address = IPv4Address(found["NetworkSettings"]["Networks"][NETWORK]["IPAddress"])
        yield Outside(str(address), fronts)
    finally:
        for node, front in fronts.items():
            _address(run, "delete", node, front)
        run("docker", "rm", "--force", NAME)


def _address(run: Commands, verb: str, node: str, address: str) -> None:
    run("docker", "exec", node, "ip", "address", verb, f"{address}/32", "dev", "eth0")


def _subnet(run: Commands) -> IPv4Network:
    said = run("docker", "network", "inspect", "--format", "{{json .IPAM.Config}}", NETWORK)
    subnets = [one["Subnet"] for one in json.loads(said)]
    return IPv4Network(next(subnet for subnet in subnets if ":" not in subnet))


def _door(world: KindWorld, pod: Json) -> str:
    """The instance's network namespace, on its node."""
    return f"/proc/{process(pod, partial(world.room.on_node, pod))}/ns/net"


def _seen(line: str) -> Seen:
    address, port = line.split()
    return Seen(address, int(port))
