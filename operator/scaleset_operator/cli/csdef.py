"""LoadBalancerProbes of an Azure service definition (.csdef) as HealthProbes (P-01 to P-09, P-32).

Pure: bytes in, values out. What HealthProbe does not allow is refused here with its line, so that
nothing half-right reaches a cluster. Must not know: files, terminals, the API server.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scaleset_operator.api.base import API_VERSION, MAX_NAME_LENGTH, SUBDOMAIN_PATTERN
from scaleset_operator.api.healthprobe import (
    DEFAULT_INTERVAL_SECONDS,
    DEFAULT_TIMEOUT_SECONDS,
    MAX_PATH_LENGTH,
    MAX_PORT,
    MAX_PROBE_SECONDS,
    MIN_INTERVAL_SECONDS,
    MIN_TIMEOUT_SECONDS,
    Protocol,
)
from scaleset_operator.cli.csdef_xml import (
    ROOT,
    Element,
    UnreadableDefinitionError,
    elements,
)

PROBE_PATH: Final = (ROOT, "LoadBalancerProbes", "LoadBalancerProbe")
USE: Final = "loadBalancerProbe"
"""The attribute by which an endpoint names its probe."""
NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "port": (1, MAX_PORT),
    "intervalInSeconds": (MIN_INTERVAL_SECONDS, MAX_PROBE_SECONDS),
    "timeoutInSeconds": (MIN_TIMEOUT_SECONDS, MAX_PROBE_SECONDS),
}
"""Attribute -> least and greatest value; the names are those of the fields (P-32)."""
ATTRIBUTES: Final = ("name", "protocol", "path", *NUMBERS)

_PATH: Final = re.compile(r"/[^\s#]*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_DIGITS: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """Something to say about a line: a fault that refuses the file, or what was changed.

    Attributes:
        line: from 1.
    """

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProbe:
    """One probe of the definition.

    Attributes:
        source: its name there.
        users: the endpoints that name it, as role/endpoint.
        spec: a HealthProbe's spec; what the definition leaves out is left out (P-09).
    """

    source: str
    line: int
    name: str
    users: tuple[str, ...]
    spec: Mapping[str, str | int]

    def manifest(self, namespace: str | None) -> dict[str, Any]:
        """The HealthProbe; without a namespace kubectl's own decides."""
        metadata = {"name": self.name} | ({"namespace": namespace} if namespace else {})
        return {
            "apiVersion": API_VERSION,
            "kind": "HealthProbe",
            "metadata": metadata,
            "spec": dict(self.spec),
        }

    def heading(self) -> str:
        """Where it comes from, on one line whatever its name holds."""
        used = f"; used by {_quote(', '.join(self.users))}" if self.users else ""
        return f"LoadBalancerProbe {_quote(self.source)}, line {self.line}{used}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a definition came to. With a fault in it, nothing of it should be used."""

    probes: tuple[ImportedProbe, ...] = ()
    remarks: tuple[Remark, ...] = ()
    faults: tuple[Remark, ...] = ()


@dataclass(slots=True)
class _Findings:
    """What is said while one file is read."""

    remarks: list[Remark] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)


def convert(data: bytes) -> Definition:
    """Read a service definition.

    Returns:
        The probes in order, what was changed in them, and every fault there is, with its line.
    """
    try:
        found = list(elements(data))
    except UnreadableDefinitionError as fault:
        return Definition(faults=(Remark(fault.line, str(fault)),))
    said = _Findings()
    users = _users(found)
    probes = [_probe(e, users, said) for e in found if e.path == PROBE_PATH]
    _check_names(probes, users, said)
    if not probes:
        said.faults.append(Remark(1, "it defines no LoadBalancerProbe: there is nothing to import"))
    return Definition(
        probes=tuple(probes),
        remarks=tuple(sorted(said.remarks)),
        faults=tuple(sorted(said.faults)),
    )


def _users(found: Iterable[Element]) -> dict[str, list[Remark]]:
    """Name of a probe -> the endpoints that name it, with their lines."""
    users: dict[str, list[Remark]] = {}
    for element in found:
        probe = element.attributes.get(USE)
        if probe is not None:
            own = element.attributes.get("name", element.path[-1])
            who = f"{element.owner}/{own}" if element.owner else own
            users.setdefault(probe, []).append(Remark(element.line, who))
    return users


def _check_names(
    probes: Iterable[ImportedProbe], users: Mapping[str, list[Remark]], said: _Findings
) -> None:
    """A name stands for one probe, there (P-01) and here; and whom an endpoint names exists."""
    seen: dict[str, ImportedProbe] = {}
    for probe in probes:
        first = seen.setdefault(probe.name, probe) if probe.name else probe
        if first is not probe:
            text = f"{_who(probe.source)}: name {_quote(probe.source)} stands on line {first.line}"
            if first.source != probe.source:
                text = (
                    f"{_who(probe.source)}: its HealthProbe would be named {probe.name}, as that "
                    f"of {_quote(first.source)} on line {first.line}"
                )
            said.faults.append(Remark(probe.line, f"{text}: names must be unique"))
    defined = {probe.source for probe in probes}
    for name, where in users.items():
        for user in where if name not in defined else ():
            said.remarks.append(
                Remark(user.line, f"{_quote(user.text)} names {_who(name)}, which is not defined")
            )


def _probe(element: Element, users: Mapping[str, list[Remark]], said: _Findings) -> ImportedProbe:
    """One probe; what is wrong with it goes among the faults."""
    given = element.attributes
    one = _One(element.line, given.get("name", ""), said)
    for unknown in sorted(given.keys() - set(ATTRIBUTES)):
        one.refuse(f"attribute {_quote(unknown)} is not known", ", ".join(ATTRIBUTES))
    name = one.name()
    spec: dict[str, str | int] = {}
    protocol = one.protocol(given.get("protocol"))
    if protocol is not None:
        spec["protocol"] = protocol.value
    path = one.path(given.get("path"), protocol)
    if path is not None:
        spec["path"] = path
    for attribute, bounds in NUMBERS.items():
        number = one.number(attribute, given.get(attribute), bounds)
        if number is not None:
            spec[attribute] = number
    one.compare(spec)
    return ImportedProbe(
        source=one.source,
        line=element.line,
        name=name,
        users=tuple(user.text for user in users.get(one.source, ())),
        spec=spec,
    )


@dataclass(frozen=True, slots=True)
class _One:
    """The reading of one probe's attributes."""

    line: int
    source: str
    said: _Findings

    def refuse(self, what: str, allowed: str) -> None:
        """A fault."""
        text = f"{_who(self.source)}: {what}: allowed is {allowed}"
        self.said.faults.append(Remark(self.line, text))

    def remark(self, what: str) -> None:
        """Something changed, or to be known."""
        self.said.remarks.append(Remark(self.line, f"{_who(self.source)}: {what}"))

    def name(self) -> str:
        """The HealthProbe's name; empty where none can be made."""
        name = kubernetes_name(self.source)
        if not name or len(name) > MAX_NAME_LENGTH:
            what = f"name is {_quote(self.source)}" if self.source else "name is missing"
            self.refuse(what, f"1 to {MAX_NAME_LENGTH} characters with a letter or digit in them")
            return ""
        if name != self.source:
            self.remark(f"name is {name} now: Kubernetes allows lower-case letters, digits, - .")
        return name

    def protocol(self, given: str | None) -> Protocol | None:
        """Case is not minded, for older tools wrote both (P-02)."""
        try:
            protocol = Protocol((given or "").lower())
        except ValueError:
            what = "protocol is missing" if given is None else f"protocol is {_quote(given)}"
            self.refuse(what, " or ".join(Protocol))
            return None
        if protocol.value != given:
            self.remark(f"protocol {given} is written {protocol.value}")
        return protocol

    def path(self, given: str | None, protocol: Protocol | None) -> str | None:
        """Required with http, refused with tcp, and never invented (P-03)."""
        if given is None:
            if protocol is Protocol.HTTP:
                self.refuse("path is missing", "a path such as /healthz with protocol http")
            return None
        if protocol is Protocol.TCP:
            self.refuse(f"path is {_quote(given)}", "no path with protocol tcp")
            return None
        path = given if given.startswith("/") else f"/{given}"
        wrong = not given or _SCHEME.match(given) or not _PATH.fullmatch(path)
        if wrong or len(path) > MAX_PATH_LENGTH:
            allowed = f"a path of at most {MAX_PATH_LENGTH} characters, without host, blanks and #"
            self.refuse(f"path is {_quote(given)}", allowed)
            return None
        if path != given:
            self.remark(f"path {_quote(given)} is written {_quote(path)}")
        return path

    def number(self, attribute: str, given: str | None, bounds: tuple[int, int]) -> int | None:
        """An integer within its bounds; None where it is left out or wrong."""
        if given is None:
            return None
        least, greatest = bounds
        text = given.strip(" \t\r\n")
        number = int(text) if _DIGITS.fullmatch(text) else None
        if number is None or not least <= number <= greatest:
            self.refuse(f"{attribute} is {_quote(given)}", f"an integer of {least} to {greatest}")
            return None
        return number

    def compare(self, spec: Mapping[str, str | int]) -> None:
        """Two attempts should fit into the timeout (P-10): said, not refused."""
        interval = int(spec.get("intervalInSeconds", DEFAULT_INTERVAL_SECONDS))
        timeout = int(spec.get("timeoutInSeconds", DEFAULT_TIMEOUT_SECONDS))
        if 2 * interval >= timeout:
            self.remark(
                f"two attempts {interval}s apart do not fit into a timeout of {timeout}s: "
                "a good instance may leave rotation"
            )


def kubernetes_name(source: str) -> str:
    """The name nearest to this one that an object may have; empty where nothing is left."""
    parts = re.sub(r"[^a-z0-9.]+", "-", source.lower()).split(".")
    name = ".".join(part for part in (part.strip("-") for part in parts) if part)
    return name if re.fullmatch(SUBDOMAIN_PATTERN.removeprefix("^").removesuffix("$"), name) else ""


def _who(source: str) -> str:
    return f"LoadBalancerProbe {_quote(source)}" if source else "LoadBalancerProbe"


def _quote(text: str) -> str:
    """On one line, whatever it holds, and not endless."""
    return json.dumps(text if len(text) <= MAX_NAME_LENGTH else f"{text[:MAX_NAME_LENGTH]}…")
