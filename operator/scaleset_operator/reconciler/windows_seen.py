"""The windows that concern one set, as a decision sees them: announced times, nodes, whose turn.

Reads what was heard and chooses nothing.
"""

from collections.abc import Collection, Iterator, Mapping

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PairState
from scaleset_operator.core.noderecord import emptied_node
from scaleset_operator.core.pairing import first_of_pair, name_of, objection, partner_of
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
        live: names of windows that were read live since the last record, their pairs with them.
    """
    views = (
        _view(window, resources, nodes, live=window.metadata.name in live)
        for window in resources.windows_of(known.key)
        if window.status.announced
    )
    return tuple(sorted(views, key=lambda v: (v.announced.start_time, v.name)))


def keys_behind(name: str, known: KnownSet, resources: Resources) -> Iterator[Key]:
    """What must be read live for one window: itself, and the one that holds its pair's turn."""
    key = Key(known.key.namespace, name)
    yield key
    window = resources.window(key)
    if window is not None and partner_of(window) is not None:
        first = Key(*first_of_pair(window))
        if first != key:
            yield first


def _view(
    window: MaintenanceWindow, resources: Resources, nodes: NodeLabels, *, live: bool
) -> WindowView:
    selector = window.spec.updated_node_selector
    labels = tuple(sorted(selector.match_labels.items())) if selector is not None else ()
    detail = _turn_of_another(window, resources)
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
        turn_detail=detail,
        live=live,
        deleted=window.metadata.deletion_timestamp is not None,
    )


def _bears(labels: Mapping[str, str], wanted: tuple[tuple[str, str], ...]) -> bool:
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted)


def _turn_of_another(window: MaintenanceWindow, resources: Resources) -> str:
    """Why it is not this window's turn (M-17); empty where it is, or has no pair."""
    named = partner_of(window)
    if named is None:
        return ""
    no = objection(window, resources.window(Key(*named)))
    if no is not None:
        return no
    first = resources.window(Key(*first_of_pair(window)))
    turn = None if first is None else first.status.pair_turn
    if turn is None:
        return "nobody of the pair has its turn yet"
    if turn.holder != "/".join(name_of(window)):
        return f"{turn.holder} has its turn"
    return "" if turn.state is PairState.HELD else "its turn is being given up"
