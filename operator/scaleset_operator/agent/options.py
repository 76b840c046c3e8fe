"""The command line and environment of `scaleset-operator agent`, as one frozen value.

Each option but the acts may also stand in a variable of the environment; the command line wins.
Must not know what becomes of it.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError, ip_address
from pathlib import Path
from typing import Final

from scaleset_operator.agent.podgroups import guard_homes

PREFIX: Final = "SCALESET_AGENT_"
DEFAULT_PORT: Final = 8083
"""The agent shares the node's ports; those of the operator may be taken there too."""
DEFAULT_STATE: Final = "/var/lib/scaleset-agent"
DEFAULT_CGROUPS: Final = "/sys/fs/cgroup"
PRIVATE: Final = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16"
"""What no address of the internet is, and so is inside unless told otherwise: pods, Services,
nodes, and what answers on the node itself."""
ALWAYS_INSIDE: Final = (IPv4Network("127.0.0.0/8"), IPv4Network("224.0.0.0/4"))
_HIGHEST_PORT: Final = 65_535
AUTO: Final = "auto"
LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How this agent runs.

    Attributes:
        node: whose agent it is.
        namespace: the operator's, in which the agent's Lease stands.
        inside: networks inside the cluster: neither translated nor denied.
        state: folder on the node for what is to outlive the agent's container.
        cgroups: root of the node's control groups.
        homes: control groups that the guard of a pause moves into.
        address: on which metrics and health are served, an IP literal; empty means all there are.
        port: likewise.
        log_level: the least level that is logged.
        uninstall: whether to take everything away instead of running.
        stay: whether to wait for a signal after that.
    """

    node: str
    namespace: str
    inside: tuple[IPv4Network, ...]
    state: Path
    cgroups: Path
    homes: tuple[Path, ...] = ()
    address: str = ""
    port: int = DEFAULT_PORT
    log_level: str = "info"
    uninstall: bool = False
    stay: bool = False


def add_agent_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Declare the options of `agent`; argparse checks what stands in the environment likewise."""
    _add_place_options(parser, environment)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=_told(environment, "STATE_DIR", DEFAULT_STATE),
        metavar="PATH",
        help="folder on the node for what is to outlive the agent's container: what it last knew, "
        f"and the records of pauses (default {DEFAULT_STATE})",
    )
    _add_pause_options(parser, environment)
    _add_serving_options(parser, environment)
    parser.add_argument(
        "--uninstall",
        action="store_true",
        help="take away all rules and end all pauses instead of running",
    )
    parser.add_argument(
        "--stay",
        action="store_true",
        help="after --uninstall: wait until stopped, as a DaemonSet wants it",
    )
    parser.epilog = (
        f"Each option but the last two may also be given as a variable, {PREFIX}NODE and so on. "
        "Stopped or killed, the agent leaves its rules as they stand: no flow notices."
    )


def _told(environment: Mapping[str, str], name: str, otherwise: str = "") -> str:
    return environment.get(f"{PREFIX}{name}") or otherwise


def _add_place_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    parser.add_argument(
        "--node",
        default=_told(environment, "NODE", environment.get("NODE_NAME", "")),
        metavar="NAME",
        help="the node it runs on (default: NODE_NAME)",
    )
    namespace = environment.get("POD_NAMESPACE") or "default"
    parser.add_argument(
        "--namespace",
        "-n",
        default=_told(environment, "NAMESPACE", namespace),
        metavar="NAME",
        help="the operator's namespace, in which the agent reports (default: POD_NAMESPACE)",
    )
    parser.add_argument(
        "--inside",
        type=_networks,
        default=_told(environment, "INSIDE", PRIVATE),
        metavar="NETWORKS",
        help="networks inside the cluster, with commas: what goes there keeps its own address and "
        f"is never denied; must hold those of all pods and nodes (default {PRIVATE})",
    )


def _add_pause_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    parser.add_argument(
        "--cgroup-root",
        type=Path,
        default=_told(environment, "CGROUP_ROOT", DEFAULT_CGROUPS),
        metavar="PATH",
        help=f"root of the node's control groups (default {DEFAULT_CGROUPS})",
    )
    parser.add_argument(
        "--guard-homes",
        default=_told(environment, "GUARD_HOMES"),
        metavar="PATHS",
        help="control groups, with commas, that the guard of a pause moves into, so that nobody "
        "who ends the agent's container ends the guard; auto for such as the node itself has "
        "(default: none)",
    )


def _add_serving_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    parser.add_argument(
        "--metrics-address",
        type=_address,
        default=_told(environment, "METRICS_ADDRESS"),
        metavar="IP",
        help="address on which /metrics, /healthz and /readyz are served (default: all)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=_told(environment, "PORT", str(DEFAULT_PORT)),
        help=f"port of /metrics, /healthz and /readyz (default {DEFAULT_PORT}; if it is taken, a "
        "free one, which is logged)",
    )
    parser.add_argument(
        "--log-level",
        type=_level,
        default=_told(environment, "LOG_LEVEL", "info"),
        metavar="LEVEL",
        help=f"{', '.join(LEVELS)} (default info)",
    )


def from_agent_arguments(arguments: argparse.Namespace) -> AgentOptions:
    """The options as given.

    Raises:
        ValueError: one that is needed is missing; the message names it.
    """
    if not arguments.node:
        message = "--node is needed: the name of the node (or the variable NODE_NAME)"
        raise ValueError(message)
    return AgentOptions(
        node=arguments.node,
        namespace=arguments.namespace,
        inside=(*ALWAYS_INSIDE, *arguments.inside),
        state=arguments.state_dir,
        cgroups=arguments.cgroup_root,
        homes=_homes(arguments.guard_homes, arguments.cgroup_root),
        address=arguments.metrics_address,
        port=arguments.port,
        log_level=arguments.log_level,
        uninstall=arguments.uninstall,
        stay=arguments.stay,
    )


def _networks(text: str) -> tuple[IPv4Network, ...]:
    try:
        return tuple(IPv4Network(part.strip()) for part in text.split(",") if part.strip())
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        message = f"{text!r}: {error}; allowed are IPv4 networks such as 10.0.0.0/8, with commas"
        raise argparse.ArgumentTypeError(message) from error


def _homes(text: str, root: Path) -> tuple[Path, ...]:
    if text.strip() == AUTO:
        return guard_homes(root)
    return tuple(Path(part.strip()) for part in text.split(",") if part.strip())


def _address(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError as error:
        message = f"{text!r} is no IP address"
        raise argparse.ArgumentTypeError(message) from error


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _HIGHEST_PORT:
        message = f"{text!r} is no port; allowed: 1 to {_HIGHEST_PORT}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        message = f"{text!r} is no level; allowed: {', '.join(LEVELS)}"
        raise argparse.ArgumentTypeError(message)
    return text.lower()
