"""The windows that concern one set, as a decision sees them: announced times, nodes, whose turn.

Reads what was heard and chooses nothing.
"""

from collections.abc import Collection, Mapping

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.noderecord import emptied_node
from scaleset_operator.core.pairing import objection, partner_of
from scaleset_operator.core.pairturn import not_its_turn
from scaleset_operator.core.windowview import WindowView
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import KnownSet, Resources

NodeLabels = Mapping[str, Mapping[str, str]]


def windows_seen(
    known: KnownSet, resources: Resources, nodes: NodeLabels, live: Collection[str]
) -> tuple[WindowView, ...]:
    """The next or open maintenance of each window that selects the set, the earliest first.

    Args:
        known: the set.
        resources: as heard.
        nodes: node name -> labels.
        live: names of windows that were read live since the last record, their partners with them.
    """
    views = (
        _view(window, resources, nodes, live=window.metadata.name in live)
        for window in resources.windows_of(known.key)
        if window.status.announced
    )
    return tuple(sorted(views, key=lambda v: (v.announced.start_time, v.name)))


def partner_behind(key: Key, resources: Resources) -> Key | None:
    """The other window of its pair, as this one was last heard; None where there is none."""
    window = resources.window(key)
    named = None if window is None else partner_of(window)
    return None if named is None else Key(*named)


def _view(
    window: MaintenanceWindow, resources: Resources, nodes: NodeLabels, *, live: bool
) -> WindowView:
    selector = window.spec.updated_node_selector
    labels = tuple(sorted(selector.match_labels.items())) if selector is not None else ()
    reason, detail = _turn_of_another(window, resources)
    return WindowView(
        name=window.metadata.name,
        uid=window.metadata.uid,
        impact=window.spec.impact,
        announced=window.status.announced[0],
        pause_between=window.spec.update_domains.pause_between,
        urgent=window.spec.urgent,
        suspended=window.spec.suspend,
        updated_nodes=frozenset(name for name, has in nodes.items() if _bears(has, labels)),
        node_labels=labels,
        works_on_nodes=window.spec.node_maintenance is not None,
        node=emptied_node(window.status),
        turn=not detail,
        turn_reason=reason,
        turn_detail=detail,
        live=live,
        deleted=window.metadata.deletion_timestamp is not None,
    )


def _bears(labels: Mapping[str, str], wanted: tuple[tuple[str, str], ...]) -> bool:
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted)


def _turn_of_another(window: MaintenanceWindow, resources: Resources) -> tuple[Reason, str]:
    """Why it is not this window's turn (M-17); without words where it is, or has no pair."""
    named = partner_of(window)
    if named is None:
        return Reason.PARTNER_ACTIVE, ""
    partner = resources.window(Key(*named))
    paired = objection(window, partner) is None
    reason = Reason.PARTNER_ACTIVE if paired else Reason.INVALID_PAIR
    return reason, not_its_turn(window, partner)
