"""Paths on real nodes that are cut for a while, by rules of nft: kind's network has no policies.

Must not know: what the operator makes of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tests.kind.pods import PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment


@contextmanager
def cut_off(
    deployment: Deployment, replicas: list[Json], instance: Json | None = None
) -> Iterator[None]:
    """Inside, what these replicas of the operator send to instances is dropped on their nodes.

    Args:
        deployment: whose replicas they are.
        replicas: their pods.
        instance: the only one that they do not reach; all where it is left out.
    """
    there = () if instance is None else ("ip", "daddr", instance["status"]["podIP"])
    rules = []
    for pod in replicas:
        ends = ("ip", "saddr", pod["status"]["podIP"], *there, "tcp", "dport", str(PORT))
        rules.append((pod["spec"]["nodeName"], ends))
    try:
        for node, ends in rules:
            nft = partial(deployment.on_node, node, "nft")
            nft("add", "table", "inet", "cut")
            nft("add", "chain", "inet", "cut", "way", "{ type filter hook forward priority -50; }")
            nft("add", "rule", "inet", "cut", "way", *ends, "drop")
        yield
    finally:
        for node in {node for node, _ in rules}:
            # First made, for it may not be there: an error of ours would hide the test's own.
            deployment.on_node(node, "nft", "add", "table", "inet", "cut")
            deployment.on_node(node, "nft", "delete", "table", "inet", "cut")
