"""The environment and the command line, read once into one frozen value.

Each option of `run` may also stand in a variable of the environment; the command line wins.
"""

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, TypeVar

DEFAULT_PORT: Final = 8081
"""Not 8080: that is what instances serve most often, and on one machine the operator would stand
in their way, or answer for them on loopback."""
PREFIX: Final = "SCALESET_RUN_"
"""Of the variables. Not SCALESET_OPERATOR_: Kubernetes puts SCALESET_OPERATOR_PORT into the
environment of every pod beside a Service of that name."""
DEFAULT_PLACEHOLDER: Final = "registry.k8s.io/pause:3.10.1"
"""What every node of Kubernetes has, for its own use."""
DEFAULT_LEASE: Final = "scaleset-operator"
LEVELS: Final = ("debug", "info", "warning", "error")
_HIGHEST_PORT: Final = 65_535
_SWITCH: Final = {"true": True, "false": False}
_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
T = TypeVar("T")


class BadSettingError(ValueError):
    """A setting that cannot be used; the message names it, its value and what is allowed."""


class LogFormat(StrEnum):
    """How a line of the log looks."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this operator runs.

    Attributes:
        namespaces: those it serves; empty means all.
        address: on which metrics and health are served, an IP literal; empty means all there are.
        port: likewise; taken, a free one is used and logged.
        events_port: on which instances may ask for scheduled events; None for nowhere.
        log_format: auto is text on a terminal and JSON elsewhere.
        log_level: the least level that is logged, one of LEVELS.
        leader_elect: whether this is one of several replicas, of which one leads.
        lease_namespace: of their Lease, and lease_name its name.
        vantage_secret: file with what the replicas share, so that they vote; empty for no votes.
        pod_namespace: of the pod this process runs in, and pod_name its name; empty outside of one,
            or where the manifest does not tell.
        record: file to which what the loop had and did is added; empty for none.
        notifications_dir: folder that says where audiences are reached; empty for nowhere.
    """

    namespaces: tuple[str, ...] = ()
    address: str = ""
    port: int = DEFAULT_PORT
    events_port: int | None = None
    log_format: LogFormat = LogFormat.AUTO
    log_level: str = "info"
    leader_elect: bool = False
    lease_namespace: str = "default"
    lease_name: str = DEFAULT_LEASE
    vantage_secret: str = ""
    pod_namespace: str = ""
    pod_name: str = ""
    record: str = ""
    placeholder_image: str = DEFAULT_PLACEHOLDER
    notifications_dir: str = ""


_EPILOG: Final = (
    f"Each option may also be given as a variable: {PREFIX}NAMESPACE (several with commas), "
    f"{PREFIX}METRICS_ADDRESS, {PREFIX}PORT, {PREFIX}EVENTS_PORT, {PREFIX}LOG_FORMAT, "
    f"{PREFIX}LOG_LEVEL, {PREFIX}LEADER_ELECT (true or false), {PREFIX}LEADER_ELECT_NAMESPACE, "
    f"{PREFIX}LEADER_ELECT_NAME, {PREFIX}VANTAGE_SECRET_FILE, {PREFIX}RECORD, "
    f"{PREFIX}PLACEHOLDER_IMAGE, {PREFIX}NOTIFICATIONS_DIR. In a pod, "
    "POD_NAMESPACE and POD_NAME tell which one, so that a NetworkPolicy in the prober's way can be "
    "named."
)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    parser.add_argument(
        "--namespace",
        "-n",
        action="append",
        metavar="NAME",
        help="serve this namespace only; may be given several times (default: all)",
    )
    _add_port_options(parser)
    parser.add_argument(
        "--log-format",
        metavar="FORMAT",
        help=f"{_listed(tuple(LogFormat))}; auto, the default, is text on a terminal and JSON "
        "elsewhere",
    )
    parser.add_argument("--log-level", metavar="LEVEL", help=f"{_listed(LEVELS)} (default info)")
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="the same as --log-level debug"
    )
    _add_replica_options(parser)
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="add what the operator saw and did to this file, for `kubectl scaleset simulate "
        "--replay`; it grows without end, and holds pod templates",
    )
    parser.add_argument(
        "--placeholder-image",
        metavar="IMAGE",
        help="what pods run that hold a place for an instance on an updated node; it is never "
        f"asked anything, and need not even start (default {DEFAULT_PLACEHOLDER})",
    )
    parser.add_argument(
        "--notifications-dir",
        metavar="PATH",
        help="folder with a file for each audience of maintenance: NAME.url and NAME.token for a "
        "webhook, NAME.apprise for apprise (default: audiences have the Events of the cluster)",
    )
    parser.epilog = _EPILOG


def _add_port_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics-address",
        metavar="IP",
        help="address on which /metrics, /healthz and /readyz are served (default: all of the "
        "machine or pod, for Prometheus and the kubelet ask from outside)",
    )
    parser.add_argument(
        "--port",
        help=f"port of /metrics, /healthz and /readyz (default {DEFAULT_PORT}; if it is taken, a "
        "free one, which is logged)",
    )
    parser.add_argument(
        "--events-port",
        metavar="PORT",
        help="port on which instances may ask, from inside, for scheduled events of their set, "
        "such as terminate notices, and approve them (default: none)",
    )


def _add_replica_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--leader-elect",
        action="store_const",
        const="true",
        help="one of several replicas leads, by a Lease; the others stand by, warm, and write "
        "nothing (default: off, the only one)",
    )
    parser.add_argument(
        "--leader-elect-namespace",
        metavar="NAME",
        help="namespace of the Lease (default: POD_NAMESPACE, else default)",
    )
    parser.add_argument(
        "--leader-elect-name",
        metavar="NAME",
        help=f"name of the Lease (default {DEFAULT_LEASE}); operators of other namespaces that "
        "share this one need another",
    )
    parser.add_argument(
        "--vantage-secret-file",
        metavar="PATH",
        help="file with a secret that all replicas share, 16 bytes or more: the leader then asks "
        "a standby about instances that are silent to it, and what the standby hears is not "
        "repaired (default: no votes)",
    )


def from_arguments(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """The settings that these parsed arguments and this environment mean.

    Raises:
        BadSettingError: one of them cannot be used.
    """
    given = _Given(vars(arguments), environment)
    level = given.read("log_level", _level, "info")
    return Settings(
        namespaces=_namespaces(arguments, environment),
        address=given.read("metrics_address", _address, ""),
        port=given.read("port", _port, DEFAULT_PORT),
        events_port=given.read("events_port", _port, None),
        log_format=given.read("log_format", _format, LogFormat.AUTO),
        log_level="debug" if arguments.verbose else level,
        leader_elect=given.read("leader_elect", _switch, default=False),
        lease_namespace=given.read(
            "leader_elect_namespace", _name, environment.get("POD_NAMESPACE") or "default"
        ),
        lease_name=given.read("leader_elect_name", _name, DEFAULT_LEASE),
        vantage_secret=given.read("vantage_secret_file", str, ""),
        pod_namespace=environment.get("POD_NAMESPACE", ""),
        pod_name=environment.get("POD_NAME", ""),
        record=given.read("record", str, ""),
        placeholder_image=given.read("placeholder_image", str, DEFAULT_PLACEHOLDER),
        notifications_dir=given.read("notifications_dir", str, ""),
    )


class _Given:
    """What was given for each option, with where it stands."""

    def __init__(self, options: Mapping[str, str | None], environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment

    def read(self, option: str, convert: Callable[[str], T], default: T) -> T:
        """The option's value, else the variable's, else the default; an empty variable is none."""
        where, text = f"--{option.replace('_', '-')}", self._options[option]
        if text is None:
            where = PREFIX + option.upper()
            text = self._environment.get(where) or None
        if text is None:
            return default
        try:
            return convert(text)
        except ValueError as problem:
            message = f"{where}: {text!r} is not allowed; {problem}"
            raise BadSettingError(message) from problem


def _namespaces(arguments: argparse.Namespace, environment: Mapping[str, str]) -> tuple[str, ...]:
    where, given = "--namespace", list(arguments.namespace or ())
    if not given:
        where = f"{PREFIX}NAMESPACE"
        given = [name.strip() for name in environment.get(where, "").split(",") if name.strip()]
    for name in given:
        try:
            _name(name)
        except ValueError as problem:
            message = f"{where}: {name!r} is not allowed; {problem}"
            raise BadSettingError(message) from problem
    return tuple(given)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        message = "allowed is an IP address, such as 127.0.0.1 or ::1"
        raise ValueError(message) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        message = f"allowed is a number from 0 (any free one) to {_HIGHEST_PORT}"
        raise ValueError(message)
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        message = f"allowed are {_listed(tuple(_SWITCH))}"
        raise ValueError(message)
    return _SWITCH[text.lower()]


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        message = "allowed is a name of Kubernetes: small letters, digits, '-' and '.'"
        raise ValueError(message)
    return text


def _format(text: str) -> LogFormat:
    try:
        return LogFormat(text.lower())
    except ValueError:
        message = f"allowed are {_listed(tuple(LogFormat))}"
        raise ValueError(message) from None


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        message = f"allowed are {_listed(LEVELS)}"
        raise ValueError(message)
    return text.lower()


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
