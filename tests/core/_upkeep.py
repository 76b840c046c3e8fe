"""A small world with windows, nodes and places, in which instances are maintained.

The scheduler, the budgets and the owners do what the story says. It must not know the rules.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenanceSummary
from scaleset_operator.api.maintenancestatus import Impact, RedeployStatus
from scaleset_operator.api.windowledger import AnnouncedOccurrence
from scaleset_operator.core.maintenance_acts import (
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.marks import said_of
from scaleset_operator.core.observed import Instance, Observed, Outcome
from scaleset_operator.core.plan import Action, CreateInstance, DeleteInstance
from scaleset_operator.core.windowview import Place, WindowView
from tests.core._stories import BOOT, LINGER, Story
from tests.support.builders import instance
from tests.support.fake_clock import T0

NEW = "node-new"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SELF_SERVICE = T0 + HOUR
SCHEDULED = T0 + 2 * HOUR
END = T0 + 6 * HOUR


def view(name: str = "patch", **fields: Any) -> WindowView:
    """A maintenance announced for later today: owners first in an hour, then four hours of work."""
    times = {
        "iteration": fields.pop("iteration", 1),
        "announced_time": T0 - timedelta(days=30),
        "pre_start_time": fields.pop("opens", SELF_SERVICE),
        "pre_end_time": fields.pop("closes", SCHEDULED),
        "start_time": fields.pop("start", SCHEDULED),
        "end_time": fields.pop("end", END),
        "share_percent": fields.pop("share", 100),
    }
    usual: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}-0123456789",
        "impact": Impact.REDEPLOY,
        "announced": AnnouncedOccurrence(**times),
        "pause_between": timedelta(0),
        "updated_nodes": frozenset({NEW}),
        "node_labels": (("maintenance/updated", "yes"),),
    }
    return WindowView(**{**usual, **fields})


@dataclass
class UpkeepStory(Story):
    """A set on old nodes, an updated node, and windows that may move one to the other.

    Attributes:
        windows: as the operator sees them.
        room: instances that the updated node still takes.
        refusing: instances whose eviction a budget refuses.
        sick: instances that never answer once they were moved.
        evicted: each eviction that was accepted: (time, name, UID).
        made: each create of a name that had been there before: (time, name).
    """

    windows: list[WindowView] = field(default_factory=list)
    room: int = 100
    refusing: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    evicted: list[tuple[datetime, str, str]] = field(default_factory=list)
    made: list[tuple[datetime, str]] = field(default_factory=list)
    linger: timedelta = LINGER
    held: int = 0

    def observe(self) -> Observed:
        until = self.now + timedelta(seconds=10)
        refused = dict.fromkeys(self.refusing & set(self.pods), ("budget web-pdb", until))
        seen = super().observe()
        asked = {name: why for name, why in refused.items() if name in self.tried}
        windows = tuple(sorted(self.windows, key=lambda v: v.announced.start_time))
        models = {pod.model for pod in self.pods.values()} | {e.model for e in self.entries}
        kept = self.outside.get("template_labels", dict.fromkeys(models, frozenset()))
        return replace(seen, windows=windows, not_evicted=asked, template_labels=kept)

    @property
    def tried(self) -> set[str]:
        """Whose eviction was refused a moment ago."""
        return {e.instance for e in self.entries if e.instance in self.refusing}

    @property
    def maintenance(self) -> MaintenanceSummary:
        return self.seen.status.maintenance or MaintenanceSummary()

    @property
    def entries(self) -> tuple[MaintenanceEntry, ...]:
        return self.maintenance.in_flight

    def said(self, name: str) -> RedeployStatus:
        return said_of(self.pods[name])

    def ask(self, *names: str, window: str = "patch") -> None:
        for name in names:
            self.change(name, maintenance_asked=window)

    def until(self, moment: datetime, step: timedelta = timedelta(seconds=5)) -> None:
        """Go on until then."""
        if moment > self.now:
            self.run(moment - self.now, step)

    def skip(self, moment: datetime) -> None:
        """No operator runs until then."""
        self.now = moment
        self._pass_time()

    def _carry_out(self, act: Action) -> None:
        match act:
            case HoldPlace():
                self.places[act.name] = Place(name=act.name, uid=f"uid-{act.name}", since=self.now)
            case ReleasePlace():
                place = self.places.pop(act.name, None)
                self.room += place is not None and place.node is not None
            case EvictInstance():
                self._evict(act)
            case PublishMaintenance():
                self._say(act)
            case DeleteInstance() if act.name in self.pods:
                super()._carry_out(act)
            case _:
                super()._carry_out(act)

    def _evict(self, act: EvictInstance) -> None:
        pod = self.pods.get(act.name)
        if pod is None or (pod.uid, pod.resource_version) != (act.uid, act.resource_version):
            return
        if act.not_after is not None and self.now > act.not_after:
            return
        if act.name not in self.refusing:
            self.evicted.append((self.now, pod.name, pod.uid))
            self.terminate(act.name)

    def _say(self, act: PublishMaintenance) -> None:
        pod = self.pods.get(act.name)
        if pod is None or pod.uid != act.uid:
            return
        if act.resource_version not in (None, pod.resource_version):
            return
        asked = "" if act.answered else pod.maintenance_asked
        said = {"mark": act.mark or "", "maintenance": act.status or ""}
        self.change(act.name, maintenance_asked=asked, **said)

    def _create(self, act: CreateInstance) -> None:
        if act.mark is None:
            super()._create(act)
            if act.node_labels and act.name in self.pods:
                self.change(act.name, node=NEW)
            return
        assert act.name not in self.pods, f"{act.name} is created beside its old pod"
        self.made.append((self.now, act.name))
        self.pods[act.name] = instance(
            number=act.instance_id,
            uid=f"uid-{act.name}-{len(self.made)}",
            update_domain=act.update_domain,
            model=act.model,
            created=self.now,
            started=None,
            health=None,
            mark=act.mark,
            maintenance=act.maintenance or "",
            own_labels=act.labels,
        )
        self.told.pop(act.name, None)

    def _pass_time(self) -> None:
        starting = {
            name: pod
            for name, pod in self.pods.items()
            if pod.started is None and not pod.renewing and self.now >= pod.created + BOOT
        }
        gone = {name for name, at in self.gone_at.items() if self.now >= at}
        starting = {name: pod for name, pod in starting.items() if name not in gone}
        super()._pass_time()
        for name, pod in starting.items():
            if pod.mark or pod.node == NEW:
                self.pods[name] = replace(self.pods[name], node=NEW)
            if name in self.sick and pod.mark:
                self._ail(name)
        for name, place in list(self.places.items()):
            if place.node is None and self.room > 0:
                self.room -= 1
                self.places[name] = replace(place, node=NEW)
            elif place.node is None:
                self.places[name] = replace(place, refused="0/2 nodes are available")

    def _ail(self, name: str) -> None:
        self.told[name] = [(self.pods[name].started or self.now, Outcome.WRONG_STATUS)]

    def terminate(self, name: str) -> None:
        self.pods[name] = replace(self.pods[name], terminating=True)
        self.gone_at.setdefault(name, self.now + self.linger)

    @property
    def available(self) -> int:
        """Instances that are there, Healthy as it stands on them, and not on their way out."""
        return sum(
            pod.live and pod.published is not None and pod.published.health is VMHealth.HEALTHY
            for pod in self.pods.values()
        )


def on(story: UpkeepStory, node: str) -> list[Instance]:
    return [pod for pod in story.pods.values() if pod.node == node and pod.live]
