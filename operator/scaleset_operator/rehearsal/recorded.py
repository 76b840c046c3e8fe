"""The ports over what was recorded: whoever asks is answered as the recorded operator was.

Must not know: when inputs are fed, or what is made of the answers.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from scaleset_operator.api.base import Reason
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Evidence, Instance, Neighbour, ProberView
from scaleset_operator.core.plan import CreateInstance
from scaleset_operator.core.policies import Policy, ProberPlace
from scaleset_operator.reconciler.ports import (
    Conflict,
    Created,
    Key,
    Owner,
    Pods,
    ProbeTarget,
    Refused,
    for_rotation,
)
from scaleset_operator.reconciler.relocations import Reported
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.cluster import FakeCluster


@dataclass(slots=True)
class Seen:
    """The inputs as of now.

    Attributes:
        evidence: name of an instance, or of its second watch -> what was found.
        refused: set -> why its template is refused, if it is.
        votes: name of an instance -> when another prober heard it.
        policies: namespace -> its NetworkPolicies; None where they could not be read.
        reports: node -> what its agent reports; None for nothing.
        labels: node -> of its labels those that windows ask for.
    """

    evidence: dict[str, Evidence] = field(default_factory=dict)
    prober: ProberView = field(default_factory=ProberView)
    fresh: dict[Key, bool] = field(default_factory=dict)
    budgets: dict[Key, Disruption] = field(default_factory=dict)
    refused: dict[Key, tuple[Reason, str]] = field(default_factory=dict)
    votes: dict[str, datetime] = field(default_factory=dict)
    policies: dict[str, tuple[Policy, ...] | None] = field(default_factory=dict)
    place: ProberPlace = field(default_factory=ProberPlace)
    reports: dict[str, Reported | None] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    leads: bool = True


class RecordedClock:
    """The port `Clock`: within a turn, what was asked or written took as long as it was recorded.

    Attributes:
        looks: when the turn that is being taken looked again.
        asked: whether anything was since it looked last.
        looked: how often it has looked again.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.looks: list[datetime] = []
        self.asked = False
        self.looked = 0

    def begin(self, looks: Iterable[datetime]) -> None:
        """Another turn is taken, which looks again at these times."""
        self.looks, self.asked, self.looked = list(looks), False, 0

    def now(self) -> datetime:
        """See the port."""
        if self.asked and self.looks:
            self.looked += 1
            self._clock.advance_to(max(self.looks.pop(0), self._clock.now()))
        self.asked = False
        return self._clock.now()

    def boottime_ns(self) -> int:
        """See the port."""
        return self._clock.boottime_ns()


class RecordedProbes:
    """The port `Probes`: says what was recorded, under the names of the instances."""

    def __init__(self, server: FakeApiServer, seen: Seen) -> None:
        self._server = server
        self._seen = seen

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """See the port; what was watched is recorded."""

    def evidence(self, watch: str) -> Evidence | None:
        """See the port."""
        uid, slash, second = watch.partition("/")
        pod = self._server.find(uid)
        return None if pod is None else self._seen.evidence.get(pod.name + slash + second)

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """See the port."""
        found = self.evidence(pod_uid) or self.evidence(for_rotation(pod_uid))
        if found is None:
            return None
        since = found.watched_since if found.last_ended is None else None
        return Neighbour(
            uid=pod_uid, silent=found.silent, last_ended=found.last_ended, watched_since=since
        )

    def view(self) -> ProberView:
        """See the port."""
        return self._seen.prober


class RecordedCluster(FakeCluster):
    """The port `Cluster` over the cluster in memory; what others refused is refused again.

    Attributes:
        seen: the inputs as of now.
        time: is told whenever the API server is asked.
        refusals: names whose create was not let through at first -> by which errors, in order.
    """

    seen: Seen
    refusals: dict[str, list[str]]
    time: RecordedClock

    def pods(self, owner: Owner) -> Pods:
        """See the port."""
        return replace(super().pods(owner), fresh=self.seen.fresh.get(owner.key, True))

    def disruption(
        self,
        owner: Owner,
        names: Collection[str],  # noqa: ARG002 - the port's signature
    ) -> Disruption:
        """See the port."""
        return self.seen.budgets.get(owner.key, Disruption())

    async def read_instance(self, owner: Owner, name: str) -> Instance | None:
        """See the port."""
        self.time.asked = True
        return await super().read_instance(owner, name)

    async def list_instances(self, owner: Owner) -> None:
        """See the port."""
        self.time.asked = True
        await super().list_instances(owner)

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """See the port."""
        self.time.asked = True
        return await super().record_status(owner, status)

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        refused = self.seen.refused.get(owner.key)
        if refused is not None:
            raise Refused(*refused)

    async def create_instance(
        self, owner: Owner, action: CreateInstance, not_after: int
    ) -> Created:
        """See the port."""
        waiting = self.refusals.get(action.name)
        if waiting:
            fault = waiting.pop(0)
            words = f"{action.name}: as it was recorded"
            raise (
                Conflict(words) if fault == "Conflict" else Refused(Reason.CREATE_FORBIDDEN, words)
            )
        return await super().create_instance(owner, action, not_after)


class RecordedOutlook:
    """The ports `Vantage`, `Policies` and `Leadership`: they say what was recorded."""

    def __init__(self, server: FakeApiServer, seen: Seen) -> None:
        self._server = server
        self._seen = seen

    def votes(self, pod_uid: str) -> datetime | None:
        """See the port."""
        pod = self._server.find(pod_uid)
        return None if pod is None else self._seen.votes.get(pod.name)

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """See the port."""
        return self._seen.policies.get(namespace)

    async def place(self) -> ProberPlace:
        """See the port."""
        return self._seen.place

    def leads(self) -> bool:
        """See the port."""
        return self._seen.leads
