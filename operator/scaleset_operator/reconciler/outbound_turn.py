"""One turn of one OutboundRule: who is in the pool, who has which ports, what is said of it.

Written on change only, by compare and swap on the very status the blocks were read from, so that
no two operators give one port to two instances. Must not know how ports are assigned.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from scaleset_operator.api.outboundrule import OutboundRule, OutboundRuleStatus
from scaleset_operator.core.outbound import Heard, RuleView, outbound_status
from scaleset_operator.core.pool import Member, claims_of, members_of, surplus_of
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.ports import Clock, Cluster, Conflict, Gone, Key
from scaleset_operator.reconciler.resources import Resources

KIND: Final = "OutboundRule"
RETRY: Final = timedelta(seconds=1)
REPORT_PAUSE: Final = timedelta(seconds=10)
"""Least time between two writes that change nothing an agent carries out."""
LOOK_AGAIN: Final = timedelta(minutes=1)
"""An agent that falls silent makes no event."""


class Agents(Protocol):
    """What the node agents report."""

    def heard(self) -> Mapping[str, Heard]:
        """Node -> its agent's last report, and whether it still answers."""
        ...


class NoAgents:
    """Nobody reports: everything is a plan (S-34)."""

    def heard(self) -> Mapping[str, Heard]:
        """See the port."""
        return {}


class OutboundReporter:
    """Takes the rules' turns, and writes their statuses."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        leadership: Leadership | None = None,
        agents: Agents | None = None,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._clock = clock
        self._leadership = leadership or Alone()
        self._agents = agents or NoAgents()
        self._written: dict[Key, datetime] = {}

    async def turn(self, key: Key) -> datetime | None:
        """Take one rule's turn; returns when to look again."""
        rule = self._resources.rules.get(key)
        if rule is None or rule.metadata.deletion_timestamp is not None:
            self._written.pop(key, None)
            return None
        if not self._leadership.leads() or not self._resources.rules.heard:
            return None  # Everybody is woken when that changes.
        now = self._clock.now()
        view = self._view(rule)
        if view is None:
            return now + RETRY
        status = outbound_status(view, now)
        if status == rule.status:
            return now + LOOK_AGAIN
        due = self._written.get(key, now - REPORT_PAUSE) + REPORT_PAUSE
        if now < due and _acts(status) == _acts(rule.status):
            return due
        try:
            version = await self._cluster.record_report(
                KIND,
                key,
                rule.metadata.resource_version,
                status.model_dump(mode="json", by_alias=True, exclude_none=True),
            )
        except Conflict:
            return now + RETRY
        except Gone:
            return None
        self._written[key] = now
        self._resources.rules.put_status(key, status, version)
        return now + LOOK_AGAIN

    def _view(self, rule: OutboundRule) -> RuleView | None:
        """What there is to decide on; None while a cache does not show the present.

        A pod that a lagging cache has not seen would lose its ports to another.
        """
        selected = list(self._resources.sets_of(rule))
        everything = self._resources.rules.all()
        claims = claims_of(rule, everything, [known.resource for known in selected])
        owned = {name for name, _ in claims.sets}
        mine = [known for known in selected if known.key.name not in owned]
        pods = [self._cluster.pods(known.owner) for known in mine]
        if not all(view.fresh for view in pods):
            return None
        members = members_of(one for view in pods for one in view.instances)
        specs = [known.resource.spec for known in mine]
        return RuleView(
            rule=rule,
            members=(*self._unread(rule), *members),
            wanted=sum(spec.replicas for spec in specs),
            surplus=sum(map(surplus_of, specs)),
            claims=claims,
            agents=self._agents.heard(),
        )

    def _unread(self, rule: OutboundRule) -> Iterator[Member]:
        """Who holds ports and belongs to a set that cannot be read now: it keeps them."""
        unread = {
            key.name
            for kind, key in self._resources.unreadable
            if kind == "ScaleSet" and key.namespace == rule.metadata.namespace
        }
        for row in rule.status.allocations:
            if row.instance.rpartition("-")[0] in unread:
                yield Member(name=row.instance, created=self._clock.now())


def _acts(status: OutboundRuleStatus) -> tuple[object, ...]:
    """What agents carry out, and what is to be known at once."""
    blocks = [(r.instance, r.frontend_ip, r.first_port, r.last_port) for r in status.allocations]
    said = [(c.type, c.status) for c in status.conditions]
    return (blocks, status.denied, status.observed_generation, status.unallocated, said)
