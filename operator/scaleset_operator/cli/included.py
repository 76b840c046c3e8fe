"""The maintenance of a set as it is now: its windows, and each instance with what stands on it.

All of it is the operator's own word: statuses of set and windows, annotations of the pods.
Must not know: what is asked for, or how it is shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from scaleset_operator.api.base import (
    ANNOTATION_MAINTENANCE_ITERATION,
    ANNOTATION_MAINTENANCE_STATUS,
    ANNOTATION_PERFORM_MAINTENANCE,
    LABEL_NAME,
)
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    MaintenanceSummary,
    SetIteration,
)
from scaleset_operator.api.maintenancestatus import RedeployStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.api.scalesetstatus import InstanceRequest
from scaleset_operator.api.windowledger import AnnouncedOccurrence
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS, PODS
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.seeing import owner_of
from scaleset_operator.cli.standing import read as read_set
from scaleset_operator.cli.windows import read as read_window
from scaleset_operator.cli.windows import sorted_
from scaleset_operator.core.answers import PERFORM
from scaleset_operator.core.calendar import Occurrence, occurrence_of
from scaleset_operator.core.marks import UID_SHOWN, Mark, Standing, said_of, standing_of
from scaleset_operator.core.observed import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One instance.

    Attributes:
        instance: None while it is on its way: its old pod is gone, and the new one not there yet.
        entry: its move, while it is under maintenance.
        request: what the operator last said of its owner's request.
    """

    name: str
    update_domain: int
    instance: Instance | None = None
    entry: MaintenanceEntry | None = None
    request: InstanceRequest | None = None

    @property
    def mark(self) -> Mark | None:
        """The iteration that it is in."""
        text = self.entry.mark if self.instance is None and self.entry else ""
        return Mark.parse(self.instance.mark if self.instance is not None else text)

    @property
    def said(self) -> RedeployStatus:
        """The seven names, as they stand on the pod."""
        return said_of(self.instance) if self.instance is not None else RedeployStatus()

    @property
    def asked(self) -> str:
        """The window under which its owner asks for it now."""
        return self.instance.maintenance_asked if self.instance is not None else ""

    @property
    def available(self) -> bool:
        """Whether it serves."""
        return self.instance is not None and self.instance.live and self.instance.ready

    @property
    def is_pending(self) -> bool:
        """Whether it is included, and neither begun nor done."""
        if self.instance is None or self.mark is None or self.entry is not None:
            return False
        return standing_of(self.instance) is Standing.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A set, its instances and the windows that concern it.

    Attributes:
        members: every instance, by id.
        windows: by name.
    """

    scale_set: ScaleSet
    members: tuple[Member, ...]
    windows: Mapping[str, MaintenanceWindow]

    @property
    def maintenance(self) -> MaintenanceSummary:
        """The set's own ledger."""
        return self.scale_set.status.maintenance or MaintenanceSummary()

    def member(self, name: str) -> Member | None:
        """One instance."""
        return next((m for m in self.members if m.name == name), None)

    def seen(self, pod: Json) -> "Included":
        """The same, with one pod as it is by now.

        Raises:
            Failure: it is another pod by now.
        """
        meta = pod["metadata"]
        member = self.member(meta["name"])
        held = member.instance if member is not None else None
        if member is None or held is None or held.uid != meta["uid"]:
            line = f"{meta['name']} is another pod by now: run it again"
            raise Failure(line)
        newer = replace(member, instance=with_words(held, pod))
        return replace(self, members=tuple(newer if m is member else m for m in self.members))

    def row(self, mark: Mark) -> SetIteration | None:
        """What the set says of an iteration."""
        return next((r for r in self.maintenance.iterations if r.mark == str(mark)), None)

    def occurrence(self, mark: Mark) -> Occurrence | None:
        """When an iteration is; None where its window knows it no more."""
        found = announced_as(self.windows.get(mark.window), mark)
        return None if found is None else occurrence_of(found)


def announced_as(window: MaintenanceWindow | None, mark: Mark) -> AnnouncedOccurrence | None:
    """The times of the iteration that a mark names."""
    if window is None or not window.metadata.uid.startswith(mark.uid[:UID_SHOWN]):
        return None
    rows = window.status.announced
    return next((row for row in rows if row.iteration == mark.iteration), None)


def current(window: MaintenanceWindow, now: datetime) -> AnnouncedOccurrence | None:
    """The announced maintenance of a window that is under way, or else comes next."""
    return next((row for row in window.status.announced if row.end_time > now), None)


async def read(access: Access, namespace: str, name: str) -> Included:
    """The maintenance of a set.

    The pods are read first: of one that is missing then, the set says that it is under maintenance.

    Raises:
        Failure: set, pods or windows may not be read, or there is no such set.
    """
    pods = await access.items(PODS, namespace, labels=f"{LABEL_NAME}={name}")
    scale_set = read_set(await access.scale_set(namespace, name)).resource
    windows = await access.items(MAINTENANCE_WINDOWS, namespace)
    found = access.sort_pods(owner_of(scale_set), pods).instances
    by_name = {pod["metadata"]["name"]: pod for pod in pods}
    instances = [with_words(instance, by_name[instance.name]) for instance in found]
    members = tuple(_members(scale_set, [i for i in instances if not i.over]))
    return Included(
        scale_set=scale_set, members=members, windows=_windows(windows, scale_set, members)
    )


def with_words(instance: Instance, pod: Json) -> Instance:
    """An instance with the annotations of maintenance on its pod, in full."""
    held = pod["metadata"].get("annotations") or {}
    return replace(
        instance,
        mark=held.get(ANNOTATION_MAINTENANCE_ITERATION, ""),
        maintenance=held.get(ANNOTATION_MAINTENANCE_STATUS, ""),
        maintenance_asked=held.get(ANNOTATION_PERFORM_MAINTENANCE, ""),
    )


def _members(scale_set: ScaleSet, instances: Iterable[Instance]) -> Iterator[Member]:
    ledger = scale_set.status.maintenance or MaintenanceSummary()
    entries = {entry.instance: entry for entry in ledger.in_flight}
    rows = [r for r in scale_set.status.requests if r.request.startswith(PERFORM)]
    for instance in sorted(instances, key=lambda i: i.instance_id):
        yield Member(
            name=instance.name,
            update_domain=instance.update_domain,
            instance=instance,
            entry=entries.pop(instance.name, None),
            request=next((r for r in rows if r.uid == instance.uid), None),
        )
    for entry in entries.values():
        yield Member(name=entry.instance, update_domain=entry.update_domain, entry=entry)


def _windows(
    found: Iterable[Json], scale_set: ScaleSet, members: Iterable[Member]
) -> dict[str, MaintenanceWindow]:
    """Those that select the set, or whose mark is on an instance; one that cannot be read hides."""
    marked = {member.mark.window for member in members if member.mark is not None}
    labels = scale_set.metadata.labels.items()
    windows = {}
    for raw in sorted_(found):
        try:
            window = read_window(raw)
        except Failure:
            continue
        selects = window.spec.scale_set_selector.match_labels.items() <= labels
        if selects or window.metadata.name in marked:
            windows[window.metadata.name] = window
    return windows
