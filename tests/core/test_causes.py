"""What a node's own word is worth against the instances that fell silent on it."""

import pytest

from scaleset_operator.core.causes import down_nodes
from tests.support.builders import instance, observed


@pytest.mark.parametrize(
    ("carrying", "told", "down"),
    [
        ("", {}, ""),
        ("abc", {"a": True, "b": True, "c": True}, ""),
        ("abc", {"a": False, "b": True, "c": True}, "a"),
        ("abc", {"a": False}, "a"),
        ("abc", {}, ""),
        ("abc", {"z": False}, ""),
        ("ab", {"a": False, "b": True}, "a"),
        ("ab", {"a": False, "b": False}, ""),
        ("abc", {"a": False, "b": False, "c": True}, ""),
        ("abcdefghij", dict.fromkeys("abcde", False), "abcde"),
        ("abcdefghij", dict.fromkeys("abcdef", False), ""),
        ("abcdefghijklmnopqrst", dict.fromkeys("abcdefghij", False), "abcdefghij"),
        ("abcdefghijklmnopqrst", dict.fromkeys("abcdefghijk", False), ""),
    ],
)
def test_a_node_that_is_not_ready_is_evidence_while_most_are(
    carrying: str, told: dict[str, bool], down: str
) -> None:
    """Protocol rule 15: fewer than 55 % of those that carry instances, another one Ready; a node
    of which nothing is known speaks against nobody."""
    pods = tuple(instance(number=n, node=node) for n, node in enumerate(carrying, start=1))
    nowhere = instance(number=99, node=None)
    seen = observed(instances=(*pods, nowhere), nodes=told)
    assert down_nodes(seen, seen.instances) == frozenset(down)
