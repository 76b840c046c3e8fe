"""`python bench/outbound.py`: what the node agent's rules cost, in network namespaces of its own.

Three figures: how long a change for 1,000 instances takes, how large the rules are, and how much
goes through with and without them, in rounds that alternate. Must not know: the API server.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).resolve().parents[1]
# Started as a file: its own folder is on the path, and its parent has to be.
sys.path[:0] = [str(ROOT), str(ROOT / "operator")]

from bench import machine  # noqa: E402
from scaleset_operator.agent.conntrack import Conntrack, netlink_socket  # noqa: E402
from scaleset_operator.agent.desired import Block, Desired, Outlet  # noqa: E402
from scaleset_operator.agent.nft import Nft  # noqa: E402
from scaleset_operator.agent.plane import Plane  # noqa: E402
from tests.support.namespaces import FRONTENDS, SERVERS, Net, client, net, why_not  # noqa: E402

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

INSTANCES: Final = 1_000
PORTS: Final = 32
"""Each, at the last row of the source's table."""
FIRST: Final = 1_024
PLENTY: Final = 1_024
CHUNK: Final = 1 << 16
PORT: Final = 5_001
Figures = dict[str, float]


def main() -> int:
    """Measure, print and write; returns 0, or 1 where there can be no namespaces."""
    arguments = _arguments()
    why = why_not()
    if why:
        print(f"not measured: {why}")
        return 1
    with net(2) as rooms:
        gateway = rooms.gateway
        plane = Plane(Nft(gateway.prefix), Conntrack(lambda: gateway.call(netlink_socket)))
        figures = _changes(plane, rooms)
        figures |= _throughput(plane, rooms, arguments.rounds, arguments.seconds)
    for name, value in figures.items():
        print(f"{name:<36} {value:12.3f}")
    path = Path(arguments.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"schema": 1, "conditions": machine.describe(), "figures": figures}
    path.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one round (default 2)")
    default = str(ROOT / "bench" / "results" / "outbound.json")
    parser.add_argument("--output", default=default, metavar="FILE", help="of the JSON")
    return parser.parse_args()


def _pool(size: int, instances: int = INSTANCES) -> Desired:
    """Clients 1 to `instances`; all but the first two exist in the rules alone."""
    return Desired(
        outlets=tuple(
            Outlet(name=f"web-{at}", address=client(at), block=_block(at, size))
            for at in range(1, instances + 1)
        )
    )


def _block(at: int, size: int) -> Block:
    first = FIRST + (at - 1) * PORTS
    return Block(frontend=FRONTENDS[0], first=first, last=first + size - 1)


def _changes(plane: Plane, rooms: Net) -> Figures:
    whole, halved = _pool(PORTS), _pool(PORTS // 2)
    figures = {
        "all_from_nothing_seconds": _timed(lambda: plane.apply(whole)),
        "nothing_changed_seconds": _timed(lambda: plane.apply(whole)),
        "all_halved_seconds": _timed(lambda: plane.apply(halved)),
        "all_doubled_seconds": _timed(lambda: plane.apply(whole)),
        "one_leaves_seconds": _timed(lambda: plane.apply(_pool(PORTS, INSTANCES - 1))),
        "one_joins_seconds": _timed(lambda: plane.apply(whole)),
        "reading_seconds": _timed(lambda: plane.observe(whole)),
    }
    text = rooms.gateway.run("nft", "list", "table", "ip", "scaleset_outbound")
    rules = rooms.gateway.run("nft", "-t", "list", "table", "ip", "scaleset_outbound")
    return figures | {
        "rule_set_bytes": len(text),
        "rule_set_lines_without_elements": len(rules.splitlines()),
    }


def _timed(done: Callable[[], object]) -> float:
    begun = time.perf_counter()
    done()
    return time.perf_counter() - begun


def _throughput(plane: Plane, rooms: Net, rounds: int, seconds: float) -> Figures:
    """Bytes per second through the gateway, and flows opened per second; pairs of rounds."""
    # Flows that come as fast as they can to one place need more ports than one row gives them.
    block = Block(frontend=FRONTENDS[1], first=FIRST, last=FIRST + 50 * PLENTY - 1)
    busy = Outlet(name="web-1", address=client(1), block=block)
    pool = Desired(outlets=(busy, *_pool(PORTS).outlets[1:]))
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for side in ("without", "with"):
            if side == "with":
                plane.apply(pool)
            else:
                plane.remove()
            rates.setdefault(f"mbit_{side}", []).append(_poured(rooms, seconds))
            rates.setdefault(f"flows_{side}", []).append(_opened(rooms, seconds))
    figures = {f"{name}_per_second": statistics.median(told) for name, told in rates.items()}
    for what in ("mbit", "flows"):
        pairs = zip(rates[f"{what}_with"], rates[f"{what}_without"], strict=True)
        figures[f"{what}_ratio"] = statistics.median(one / other for one, other in pairs)
    return figures


def _poured(rooms: Net, seconds: float) -> float:
    """Megabits per second of one flow."""
    with _listening(rooms) as listener, _connected(rooms) as near:
        far, _ = listener.accept()
        with far:
            got = [0]
            sink = threading.Thread(target=_drain, args=(far, got))
            sink.start()
            begun, chunk = time.perf_counter(), bytes(CHUNK)
            while time.perf_counter() - begun < seconds:
                near.sendall(chunk)
            near.close()
            sink.join()
            return got[0] * 8 / 1e6 / (time.perf_counter() - begun)


def _opened(rooms: Net, seconds: float) -> float:
    """Flows per second, each opened, and closed by both sides before the next."""
    opened = 0
    with _listening(rooms) as listener:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            with _connected(rooms) as near:
                far, _ = listener.accept()
                far.close()
                near.recv(1)
            opened += 1
        return opened / (time.perf_counter() - begun)


def _drain(far: socket.socket, got: list[int]) -> None:
    while chunk := far.recv(CHUNK):
        got[0] += len(chunk)


@contextmanager
def _listening(rooms: Net) -> Iterator[socket.socket]:
    with rooms.tcp(rooms.server, SERVERS[0], PORT) as listener:
        listener.listen()
        yield listener


@contextmanager
def _connected(rooms: Net) -> Iterator[socket.socket]:
    with rooms.tcp(rooms.clients, client(1)) as near:
        near.connect((str(SERVERS[0]), PORT))
        yield near


if __name__ == "__main__":
    sys.exit(main())
