"""Which node is worked on next, and why the others are not.

Must not know: what is done to it, or when.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import MAX_NODE_RECORDS, NodeRecord
from scaleset_operator.core.nodeview import NOBODY, NodeScene, NodeView

MOST_NAMED = 3
NO_FURTHER = "no further node is taken in this iteration"


class Choice(NamedTuple):
    """The node, or why there is none."""

    node: NodeView | None
    reason: Reason = Reason.NOTHING_TO_DO
    words: str = ""


def choose(scene: NodeScene, iteration: int) -> Choice:
    """The next node of an iteration: the emptiest first, by name where that leaves a choice.

    While none is updated only one without included instances can go: they move to updated ones.
    """
    records = scene.window.status.node_records
    given_up = _given_up(records, iteration)
    failed = next((r for r in given_up if r.work_failed), None)
    if failed is not None:  # What it did to one it would do to the next (M-16).
        words = f"{failed.node}: {failed.message}; {NO_FURTHER}"
        return Choice(None, Reason.MAINTENANCE_STOPPED, words)
    if len(given_up) >= MAX_NODE_RECORDS:
        words = f"{MAX_NODE_RECORDS} nodes were given up; {NO_FURTHER}"
        return Choice(None, Reason.NODE_GIVEN_UP, words)
    objections = dict(_objections(scene, iteration))
    fit = [node for node in _wanted(scene) if node.name not in objections]
    fit.sort(key=lambda node: (_movable(scene, node), node.name))
    labels = updated_labels(scene.window)
    updated = [n for n in scene.nodes if n.bears(labels) and n.ready and not n.unschedulable]
    if fit and not updated and _movable(scene, fit[0]):
        words = (
            f"no Ready node bears {_shown(labels)}, and every node to be worked on carries "
            "instances that would have to move to one: keep one node free of them, or update and "
            "label one"
        )
        return Choice(None, Reason.NO_UPDATED_NODE, words)
    if fit:
        return Choice(fit[0])
    if objections:
        named = "; ".join(f"{name}: {why}" for name, why in [*objections.items()][:MOST_NAMED])
        more = len(objections) - MOST_NAMED
        words = f"not worked on: {named}" + (f"; and {more} more" if more > 0 else "")
        return Choice(None, Reason.NODE_GIVEN_UP, words)
    return Choice(None, Reason.NOTHING_TO_DO, "no node is left to be worked on")


def updated_labels(window: MaintenanceWindow) -> dict[str, str]:
    """What an updated node bears; empty where the window does not say."""
    selector = window.spec.updated_node_selector
    return {} if selector is None else selector.match_labels


def trimmed(records: tuple[NodeRecord, ...]) -> tuple[NodeRecord, ...]:
    """The records that are kept, newest first: those that keep a node from being taken again last.

    Args:
        records: newest first.
    """
    if len(records) <= MAX_NODE_RECORDS:
        return records
    newest = records[0].iteration
    dispensable = [
        *(r for r in reversed(records) if r.iteration != newest),
        *(r for r in reversed(records) if r.iteration == newest and r.updated),
        *reversed(records),
    ]
    return tuple(record for record in records if record is not dispensable[0])


def _given_up(records: tuple[NodeRecord, ...], iteration: int) -> list[NodeRecord]:
    return [r for r in records if r.iteration == iteration and not r.updated]


def _wanted(scene: NodeScene) -> Iterator[NodeView]:
    """The nodes that are to be updated at all."""
    work = scene.window.spec.node_maintenance
    selector = None if work is None else work.node_selector
    labels = updated_labels(scene.window)
    for node in scene.nodes:
        meant = node.bears(selector.match_labels) if selector else _movable(scene, node) > 0
        if meant and not node.bears(labels):
            yield node


def _objections(scene: NodeScene, iteration: int) -> Iterator[tuple[str, str]]:
    """Of the wanted nodes, those that are not taken, each with its reason."""
    tried = {r.node: r for r in scene.window.status.node_records if r.iteration == iteration}
    for node in _wanted(scene):
        here = scene.occupants.get(node.name, NOBODY)
        if node.name in tried:
            yield node.name, tried[node.name].message or "it was worked on in this iteration"
        elif node.claim or node.unschedulable:
            whose = f"for {node.claim}" if node.claim else "by somebody else"
            yield node.name, f"it is cordoned {whose}, and that is left alone"
        elif not node.ready:
            yield node.name, "it is not Ready"
        elif here.stuck:
            yield node.name, f"{here.stuck[0]} on it is not moved any more in this iteration"
        elif here.others:
            yield node.name, f"{here.others[0]} on it is not included in this iteration"


def _movable(scene: NodeScene, node: NodeView) -> int:
    return scene.occupants.get(node.name, NOBODY).movable


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
