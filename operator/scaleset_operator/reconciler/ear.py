"""What is heard of the custom resources: kept, and told to whom it concerns.

Decides nothing of what a turn does. Must not know who brings the events.
"""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scaleset_operator.core.noderecord import works_on_nodes
from scaleset_operator.core.pairing import first_of_pair, name_of
from scaleset_operator.reconciler.ports import Key, Wake
from scaleset_operator.reconciler.resources import KnownSet, Resources

if TYPE_CHECKING:
    from scaleset_operator.api.maintenanceledger import MaintenanceSummary

_log = logging.getLogger(__name__)


class Ear:
    """Takes in events, one after the other."""

    def __init__(
        self,
        resources: Resources,
        wake: Wake,
        wake_probe: Callable[[Key], None],
        wake_window: Callable[[Key], None],
        wake_rule: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """Prepares it.

        Args:
            resources: where they are kept.
            wake: a set is to take a turn.
            wake_probe: what a probe says of its users may be another now.
            wake_window: what a window says of its times may be another now.
            wake_rule: the pool of an OutboundRule, or what claims it, may be another now.
        """
        self._resources = resources
        self._wake = wake
        self._wake_probe = wake_probe
        self._wake_window = wake_window
        self._wake_rule = wake_rule
        self._maintenance: dict[Key, MaintenanceSummary | None] = {}

    def heard_of_probe(self, key: Key, *, gone: bool, body: Mapping[str, Any]) -> None:
        """A HealthProbe was made, changed or deleted."""
        if gone:
            self._resources.drop_probe(key)
        else:
            self._resources.put_probe(body)
            self._wake_probe(key)
        for user in tuple(self._resources.users_of(key)):
            self._wake(user.key)

    def heard_of_window(self, key: Key, *, gone: bool, body: Mapping[str, Any]) -> None:
        """A MaintenanceWindow was made, changed or deleted: its sets look again, its pair's too."""
        concerned = self._sets_of(key)
        if gone:
            self._resources.drop_window(key)
        else:
            self._resources.put_window(body)
            self._tell_unreadable("MaintenanceWindow", key)
            self._wake_window(key)
            concerned |= self._sets_of(key)
        for other in self._resources.windows_that_name(key):
            self._wake_window(other)
            concerned |= self._sets_of(other)
        for one in sorted(concerned):
            self._wake(one)

    def heard_of_rule(self, key: Key, *, gone: bool, body: Mapping[str, Any]) -> None:
        """An OutboundRule was made, changed or deleted: all look again, for it may claim theirs."""
        rules, before = self._resources.rules, self._resources.rules.get(key)
        if gone:
            rules.drop(key)
        else:
            rules.put(body)
            self._tell_unreadable("OutboundRule", key)
        after = rules.get(key)
        if before is None or after is None or before.spec != after.spec:
            self.wake_rules()
        there = [rule for rule in (before, after) if rule is not None]
        for one in sorted({known.key for r in there for known in self._resources.sets_of(r)}):
            self._wake(one)

    def wake_rules(self) -> None:
        """Every OutboundRule looks again: nothing is written where nothing is another."""
        for key in self._resources.rules.keys():  # noqa: SIM118 - no mapping
            self._wake_rule(key)

    def wake_rules_of(self, key: Key) -> None:
        """An instance of the set may have joined or left the pools that it belongs to."""
        known = self._resources.scale_set(key)
        if known is not None:
            for rule in self._resources.rules.selecting(known.resource):
                self._wake_rule(Key(rule.metadata.namespace, rule.metadata.name))

    def wake_windows_of(self, key: Key) -> None:
        """What the set's windows, and their pairs, say of it may be another now."""
        maintenance = None
        known = self._resources.scale_set(key)
        if known is not None:
            maintenance = known.resource.status.maintenance
        if self._maintenance.get(key) == maintenance:
            return
        self._maintenance[key] = maintenance
        for window in sorted(self._windows_of(key)):
            self._wake_window(window)

    def wake_maintained(self) -> None:
        """Nodes have other labels: every set that a window concerns looks again."""
        for key in self._resources.keys():  # noqa: SIM118 - no mapping
            if any(self._resources.windows_of(key)):
                self._wake(key)

    def wake_node_work(self) -> None:
        """Something is new of nodes: every window that works on some looks again."""
        for key in self._resources.window_keys():
            window = self._resources.window(key)
            if window is not None and works_on_nodes(window):
                self._wake_window(key)

    def _sets_of(self, key: Key) -> set[Key]:
        window = self._resources.window(key)
        return set() if window is None else {k.key for k in self._resources.sets_of(window)}

    def _windows_of(self, key: Key) -> set[Key]:
        """The windows that select a set, and those that hold the turns of their pairs."""
        found = tuple(self._resources.windows_of(key))
        return {Key(*name(window)) for window in found for name in (name_of, first_of_pair)}

    def heard_of_set(self, key: Key, *, gone: bool, body: Mapping[str, Any]) -> None:
        """A ScaleSet was made, changed or deleted."""
        before, windows = self._resources.scale_set(key), self._windows_of(key)
        if gone:
            self._resources.drop_scale_set(key)
        else:
            self._resources.put_scale_set(body)
        self._tell_unreadable("ScaleSet", key)
        self._wake(key)
        after = self._resources.scale_set(key)
        if gone:
            self._maintenance.pop(key, None)
        if gone or _labels(before) != _labels(after):
            for one in sorted(windows | self._windows_of(key)):
                self._wake_window(one)
        if _generation(before) != _generation(after) or _labels(before) != _labels(after):
            self.wake_rules()
        if _generation(before) != _generation(after):
            self._wake_neighbours(key)
            self.wake_probes_of(before)

    def wake_probes_of(self, known: KnownSet | None) -> None:
        """What the set's probes say of their users may be another now."""
        if known is not None:
            for name in known.resource.spec.probe_names:
                self._wake_probe(Key(known.key.namespace, name))

    def _tell_unreadable(self, kind: str, key: Key) -> None:
        problem = self._resources.unreadable.get((kind, key))
        if problem is not None:
            _log.error("%s %s/%s cannot be read and is left alone: %s", kind, *key, problem)

    def _wake_neighbours(self, key: Key) -> None:
        """Sets of the same namespace may overlap with this one now, or no longer."""
        known = self._resources.keys()
        for other in known:
            if other != key and other.namespace == key.namespace:
                self._wake(other)


def _labels(known: KnownSet | None) -> Mapping[str, str]:
    return {} if known is None else known.resource.metadata.labels


def _generation(known: KnownSet | None) -> int | None:
    return None if known is None else known.resource.metadata.generation
