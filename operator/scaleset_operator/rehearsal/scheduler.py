"""Where a pod goes: nodes that are Ready, bear what it asks for and have room. Pure.

Must not know: when it is asked, or what becomes of the answer.
"""

from collections.abc import Iterable

from scaleset_operator.rehearsal.objects import FakeNode, FakePod


def node_for(pod: FakePod, nodes: Iterable[FakeNode], pods: Iterable[FakePod]) -> str | None:
    """The node that suits it best; None where none will do."""
    fit = {node.name: node for node in nodes if node.ready and _bears(node, pod.wanted.must)}
    load = dict.fromkeys(fit, 0)
    for other in pods:
        if other.node in load and not other.over:
            load[other.node] += 1

    def rank(name: str) -> tuple[bool, bool, int, str]:
        wanted = pod.wanted
        should = bool(wanted.should) and not _bears(fit[name], wanted.should)
        return (name != wanted.best, should, load[name], name)

    room = [name for name, node in fit.items() if node.room is None or load[name] < node.room]
    return min(room, key=rank, default=None)


def _bears(node: FakeNode, labels: Iterable[tuple[str, str]]) -> bool:
    return all(node.labels.get(key) == value for key, value in labels)
