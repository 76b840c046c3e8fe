"""What the owners want, as last heard: the custom resources by name.

Fed by the watchers and by our own status writes; a newer resourceVersion never gives way to an
older one. Of a resource that cannot be read only the fault is kept: nothing is done on what it was
before, and nobody else is stopped. Sends nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeStatus
from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.model import model_of
from scaleset_operator.core.pairing import name_of, partner_of
from scaleset_operator.core.selection import age_of, concerns
from scaleset_operator.reconciler.ports import Key, Owner
from scaleset_operator.reconciler.rules import Rules
from scaleset_operator.reconciler.versions import (
    ByKey,
    Unreadable,
    in_words,
    is_newer,
    key_of,
    number_of,
    version_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """A ScaleSet as last heard.

    Attributes:
        model: of its template.
    """

    key: Key
    resource: ScaleSet
    model: str

    @property
    def owner(self) -> Owner:
        """What acts on its children need."""
        meta = self.resource.metadata
        return Owner(
            key=self.key,
            uid=meta.uid,
            resource_version=meta.resource_version,
            match_labels=self.resource.spec.selector.match_labels,
            template=self.resource.spec.template,
        )

    @property
    def template_labels(self) -> Mapping[str, str]:
        """Labels that every instance bears."""
        metadata = self.resource.spec.template.get("metadata") or {}
        labels: Mapping[str, str] = metadata.get("labels") or {}
        return labels


class Resources:
    """The custom resources, by key; calls on the loop's own thread, unless they say otherwise."""

    def __init__(self, *, windows_heard: bool = True) -> None:
        """Knows nothing yet.

        Args:
            windows_heard: whether a window that is not known is none: not before all were heard of.
        """
        self._sets: dict[Key, KnownSet] = {}
        self.unreadable: Unreadable = {}
        self._probes = ByKey(HealthProbe, self.unreadable)
        self._windows = ByKey(MaintenanceWindow, self.unreadable)
        self.windows_heard = windows_heard
        self.rules = Rules(self.unreadable, heard=windows_heard)

    def put_scale_set(self, body: Mapping[str, Any]) -> Key:
        """Take in a ScaleSet as the API server sent it, unless a newer one is known."""
        key = key_of(body)
        known = self._sets.get(key)
        if known is not None and not is_newer(body, known.resource):
            return key
        try:
            resource = ScaleSet.model_validate(body)
        except ValidationError as problem:
            self.unreadable["ScaleSet", key] = in_words(problem)
            self._sets.pop(key, None)
            return key
        self.unreadable.pop(("ScaleSet", key), None)
        self._sets[key] = KnownSet(
            key=key, resource=resource, model=model_of(resource.spec.template)
        )
        return key

    def put_probe(self, body: Mapping[str, Any]) -> Key:
        """Take in a HealthProbe as the API server sent it, unless a newer one is known."""
        return self._probes.put(body)

    def put_window(self, body: Mapping[str, Any]) -> Key:
        """Take in a MaintenanceWindow as the API server sent it, unless a newer one is known."""
        return self._windows.put(body)

    def put_status(self, key: Key, status: ScaleSetStatus, resource_version: str) -> None:
        """Take in what we have just written ourselves, unless a newer one was heard meanwhile."""
        known = self._sets.get(key)
        if known is None or number_of(resource_version) < version_of(known.resource):
            return
        meta = known.resource.metadata.model_copy(update={"resource_version": resource_version})
        resource = known.resource.model_copy(update={"status": status, "metadata": meta})
        self._sets[key] = KnownSet(key=key, resource=resource, model=known.model)

    def put_probe_status(self, key: Key, status: HealthProbeStatus) -> None:
        """Take in what we have just written ourselves."""
        self._probes.put_status(key, status)

    def put_window_status(
        self, key: Key, status: MaintenanceWindowStatus, resource_version: str
    ) -> None:
        """Take in what we have just written ourselves, unless a newer one was heard meanwhile."""
        self._windows.put_status(key, status, resource_version)

    def drop_scale_set(self, key: Key) -> None:
        """The ScaleSet is gone."""
        self._sets.pop(key, None)
        self.unreadable.pop(("ScaleSet", key), None)

    def drop_probe(self, key: Key) -> None:
        """The HealthProbe is gone."""
        self._probes.drop(key)

    def drop_window(self, key: Key) -> None:
        """The MaintenanceWindow is gone."""
        self._windows.drop(key)

    def scale_set(self, key: Key) -> KnownSet | None:
        """The ScaleSet of this name, if there is one that can be read; from any thread."""
        return self._sets.get(key)

    def probe(self, key: Key) -> HealthProbe | None:
        """The HealthProbe of this name, if there is one that can be read."""
        return self._probes.get(key)

    def window(self, key: Key) -> MaintenanceWindow | None:
        """The MaintenanceWindow of this name, if there is one that can be read."""
        return self._windows.get(key)

    def keys(self) -> tuple[Key, ...]:
        """All ScaleSets."""
        return tuple(self._sets)

    def probe_keys(self) -> tuple[Key, ...]:
        """All HealthProbes."""
        return self._probes.keys()

    def keys_by_kind(self) -> tuple[tuple[Key, ...], ...]:
        """All ScaleSets, HealthProbes, MaintenanceWindows and OutboundRules."""
        return self.keys(), self.probe_keys(), self.window_keys(), self.rules.keys()

    def hear_of_all_windows(self) -> bool:
        """Everything there is was heard of; True where that was not known before."""
        self.rules.heard = True
        before, self.windows_heard = self.windows_heard, True
        return not before

    def windows_that_name(self, key: Key) -> tuple[Key, ...]:
        """The MaintenanceWindows that say they are paired with this one."""
        there = self._windows.all()
        return tuple(Key(*name_of(window)) for window in there if partner_of(window) == key)

    def windows_of(self, key: Key) -> Iterator[MaintenanceWindow]:
        """The windows of the namespace that select this set by its labels."""
        known = self._sets.get(key)
        for window in self._windows.all():
            if known is not None and concerns(window, known.resource):
                yield window

    def sets_of(self, selecting: MaintenanceWindow | OutboundRule) -> Iterator[KnownSet]:
        """The sets that a window or a rule selects."""
        return (known for known in self._sets.values() if concerns(selecting, known.resource))

    def window_keys(self) -> tuple[Key, ...]:
        """All MaintenanceWindows."""
        return self._windows.keys()

    def unreadable_keys(self) -> tuple[Key, ...]:
        """All resources that were heard of and cannot be read."""
        return tuple(key for _, key in self.unreadable)

    def users_of(self, probe: Key) -> Iterator[KnownSet]:
        """The sets that name this probe, for health or for rotation (P-22)."""
        for known in self._sets.values():
            same = known.key.namespace == probe.namespace
            if same and probe.name in known.resource.spec.probe_names:
                yield known

    def overlaps_with(self, key: Key) -> str | None:
        """The older set of the namespace whose pods and ours cannot be told apart.

        Two sets overlap when the selector of one matches the template labels of the other; the
        younger one is the one that is not accepted (design.md section 2).
        """
        mine = self._sets[key]
        for other in self._sets.values():
            if other.key == key or other.key.namespace != key.namespace:
                continue
            older = age_of(other.resource) < age_of(mine.resource)
            if older and (_selects(other, mine) or _selects(mine, other)):
                return other.key.name
        return None


def _selects(selecting: KnownSet, labelled: KnownSet) -> bool:
    wanted = selecting.resource.spec.selector.match_labels
    labels = labelled.template_labels
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())
