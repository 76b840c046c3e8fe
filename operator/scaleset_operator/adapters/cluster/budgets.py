"""PodDisruptionBudgets from a cache of their own, begun by the first set that asks.

A set that asked is woken once when a budget of its namespace changes; nobody else is. Where
budgets may not be read nothing is known, and that is what is said.
Must not know: what a repair does about a budget.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.pods import Json, Labels, PodRecord
from scaleset_operator.adapters.cluster.reflector import Reflector, Timing
from scaleset_operator.api.base import LABEL_INSTANCE_ID
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.reconciler.budgets import budget_of, selects
from scaleset_operator.reconciler.ports import Key, Owner, Wake


class BudgetView:
    """All budgets in view; a scope (a namespace, or all) is listed and watched once asked about."""

    def __init__(
        self,
        connection: Connection,
        wake: Wake,
        namespaces: tuple[str, ...] = (),
        *,
        timing: Timing | None = None,
    ) -> None:
        """Prepares it; nothing is sent before the first question.

        Args:
            connection: the one that lists and watches go over.
            wake: called with a set that asked, when what it asked about may have changed.
            namespaces: the ones in view; none for all.
            timing: clocks and chance.
        """
        self._books = {scope: _Book(wake) for scope in namespaces or ("",)}
        self._reflectors = {
            scope: Reflector(connection, _path(scope), book, timing=timing)
            for scope, book in self._books.items()
        }
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Ends every watch, and returns once it has ended."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks = {}

    def over(self, owner: Owner, records: Iterable[PodRecord]) -> Disruption:
        """What is known of the budgets over these of the set's pods."""
        scope = owner.key.namespace if owner.key.namespace in self._books else ""
        reflector, book = self._reflectors.get(scope), self._books.get(scope)
        if reflector is None or book is None:
            return Disruption(fault="PodDisruptionBudgets of this namespace are not in view")
        if scope not in self._tasks:
            self._tasks[scope] = asyncio.create_task(reflector.run())
        wanted = list(records)
        if wanted:
            book.asked.add(owner.key)
        if not (reflector.listed and reflector.in_touch):
            why = reflector.refused or "the watch does not stand"
            return Disruption(fault=f"PodDisruptionBudgets cannot be read: {why}")
        return Disruption(over={r.key.name: book.over(r) for r in wanted})


class _Book:
    """The sink of one scope: its budgets by namespace and name.

    Attributes:
        asked: sets that are to be woken by the next change.
    """

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._bodies: dict[str, dict[str, Json]] = {}
        self._found: dict[tuple[str, Labels, int], tuple[Budget, ...]] = {}
        self.asked: set[Key] = set()

    def over(self, record: PodRecord) -> tuple[Budget, ...]:
        """The budgets that select a pod; many pods share their labels."""
        namespace = record.key.namespace
        bodies = self._bodies.get(namespace)
        if not bodies:
            return ()
        by_id = any(LABEL_INSTANCE_ID in str(b["spec"].get("selector")) for b in bodies.values())
        number = record.instance.instance_id if by_id else 0
        found = self._found.get((namespace, record.labels, number))
        if found is None:
            labels = dict(record.labels) | {LABEL_INSTANCE_ID: str(record.instance.instance_id)}
            hits = (b for b in bodies.values() if selects(b["spec"].get("selector"), labels))
            found = tuple(budget_of(body) for body in hits)
            self._found[namespace, record.labels, number] = found
        return found

    def put(self, body: Json) -> None:
        metadata = body["metadata"]
        kept: dict[str, Any] = {name: body.get(name) or {} for name in ("spec", "status")}
        kept["metadata"] = {name: metadata.get(name) for name in ("name", "generation")}
        known = self._bodies.setdefault(metadata["namespace"], {})
        if known.get(metadata["name"]) != kept:
            known[metadata["name"]] = kept
            self._changed(metadata["namespace"])

    def drop(self, body: Json) -> None:
        metadata = body["metadata"]
        if self._bodies.get(metadata["namespace"], {}).pop(metadata["name"], None) is not None:
            self._changed(metadata["namespace"])

    def listing(self) -> None:
        pass

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:  # noqa: ARG002 - the shape of Sink
        for namespace, known in self._bodies.items():
            for name in [name for name in known if (namespace, name) not in names]:
                del known[name]
        self._changed(None)

    def reached(self, version: int) -> None:
        pass

    def in_touch(self) -> None:
        self._changed(None)

    def _changed(self, namespace: str | None) -> None:
        """Wake who asked about a namespace, or with None about any."""
        self._found.clear()
        told = {key for key in self.asked if namespace in (None, key.namespace)}
        self.asked -= told
        for key in told:
            self._wake(key)


def _path(scope: str) -> str:
    """The collection of one namespace, or with none of all."""
    within = f"/namespaces/{scope}" if scope else ""
    return f"/apis/policy/v1{within}/poddisruptionbudgets"
