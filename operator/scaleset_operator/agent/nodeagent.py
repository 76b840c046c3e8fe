"""The agent of one node: makes rules and pods into a data plane, reads it, and says so.

Nothing here waits for the API server: what is known is handed in. Must not know where it comes
from, or the client. `see`, `read` and `pause` each have one caller at a time.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Final, TypeVar

from scaleset_operator.agent.assignment import Assignment, assigned
from scaleset_operator.agent.conntrack import ConntrackError
from scaleset_operator.agent.heldaddresses import held_networks, holds
from scaleset_operator.agent.lastknown import Known, LastKnown
from scaleset_operator.agent.members import Member
from scaleset_operator.agent.nft import NftError
from scaleset_operator.agent.pausedesk import PauseDesk
from scaleset_operator.agent.plane import Plane
from scaleset_operator.agent.readings import Readings
from scaleset_operator.api.agentreport import MAX_REPORTED, AgentReport, RuleReport

_FAULTS: Final = (NftError, ConntrackError)
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(kw_only=True)
class Tally:
    """What the agent has done since it started.

    Attributes:
        changes: transactions that changed a rule or an element.
        failures: attempts that changed nothing, for nft or conntrack did not carry them out.
        ended: flows that were ended, for their ports were reclaimed.
        readings: times that usage was read.
    """

    changes: int = 0
    failures: int = 0
    ended: int = 0
    readings: int = 0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the agent works with.

    Attributes:
        fib_trie: gives the kernel's table of routes, as /proc/net/fib_trie has it.
        inside: networks that count as inside the cluster.
    """

    plane: Plane
    desk: PauseDesk
    last: LastKnown
    fib_trie: Callable[[], str]
    inside: Sequence[IPv4Network]


class NodeAgent:
    """Carries out on one node what the rules' allocations say.

    Attributes:
        tally: what it has done.
        fault: what keeps it from its work; empty where nothing does.
    """

    def __init__(self, parts: Parts, *, node: str, version: str) -> None:
        self._parts = parts
        self._node = node
        self._version = version
        self._assignment = Assignment()
        self._carried_out = Assignment()
        self._readings = Readings()
        self.tally = Tally()
        self.fault = ""

    def recall(self) -> Known | None:
        """What was last known before a restart, and so stands; None where there is nothing."""
        return self._parts.last.read()

    def see(self, known: Known) -> None:
        """Makes the data plane so; what cannot be done now is tried again by the next call."""
        self._parts.last.keep(known)
        try:
            networks = held_networks(self._parts.fib_trie())
        except OSError as error:
            self._failed(f"the node's own addresses cannot be read: {error}")
            return

        def is_held(address: IPv4Address) -> bool:
            return holds(networks, address)

        self._assignment = assigned(known.members, known.rules, is_held, self._parts.inside)
        self._carry_out()

    def read(self) -> None:
        """Reads what each instance uses."""
        if not self._carried_out.desired.outlets:
            self._readings.note({})
            return
        try:
            self._readings.note(self._parts.plane.observe(self._carried_out.desired))
        except _FAULTS as error:
            self._failed(f"usage cannot be read: {error}")
            return
        self.tally.readings += 1

    def pause(self, members: Iterable[Member]) -> None:
        """Begins and ends the pauses that are asked for."""
        self._parts.desk.look(members)

    def sweep(self) -> None:
        """Thaws what is overdue; needs to know nothing."""
        self._parts.desk.sweep()

    def remove(self) -> bool:
        """Takes all of ours away, and thaws; says whether there were rules.

        Raises:
            NftError: the rules may still stand.
        """
        self._parts.desk.thaw_all()
        self._assignment = self._carried_out = Assignment()
        return self._parts.plane.remove()

    def report(self) -> AgentReport:
        """All there is to say."""
        stands = self._carried_out
        programs = {name: one.program for name, one in stands.rules.items()}
        rules = {
            name: one if programs.get(name) == one.program else _not_yet(one, self.fault)
            for name, one in self._assignment.rules.items()
        }
        return AgentReport(
            version=self._version,
            node=self._node,
            frontends=stands.frontends,
            rules=_first(rules.items()),
            instances=_first(self._readings.reports(stands.desired.outlets).items()),
            pauses=_first(self._parts.desk.answers().items()),
            message=self.fault,
        )

    def outlets(self) -> int:
        """Instances whose way out stands in the node's rules."""
        return len(self._carried_out.desired.outlets)

    def refused(self) -> int:
        """Flows that found no port, of all instances that are here."""
        return self._readings.total_refused()

    def paused(self) -> int:
        """Pods that stand still."""
        return sum(one.state == "Paused" for one in self._parts.desk.answers().values())

    def _carry_out(self) -> None:
        wanted = self._assignment
        try:
            if not wanted.desired.outlets and not self._parts.plane.stands():
                self._carried_out, self.fault = wanted, ""
                return
            applied = self._parts.plane.apply(wanted.desired)
        except _FAULTS as error:
            self._failed(str(error))
            return
        if applied.refused is not None:
            self._failed(applied.refused)
            return
        self._carried_out, self.fault = wanted, ""
        self.tally.ended += applied.ended
        if applied.changed:
            self.tally.changes += 1
            _log.info(
                "%d instances have their way out; %d flows on reclaimed ports were ended",
                len(wanted.desired.outlets),
                applied.ended,
            )

    def _failed(self, fault: str) -> None:
        self.tally.failures += 1
        if fault != self.fault:
            _log.error("%s", fault)
        self.fault = fault


def _not_yet(rule: RuleReport, fault: str) -> RuleReport:
    return RuleReport(message=rule.message or fault or "it is not carried out yet")


def _first(items: Iterable[tuple[str, T]]) -> dict[str, T]:
    """No more than a report holds."""
    return dict(islice(sorted(items, key=lambda item: item[0]), MAX_REPORTED))
