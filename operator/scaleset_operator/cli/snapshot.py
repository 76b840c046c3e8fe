"""A snapshot of a set in the cluster: read with the user's own rights, and kept in a file.

What may not be read is done without, but for the set and its pods. Must not know: what it is for.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from scaleset_operator.api.base import LABEL_NAME, LABEL_PLACE_OF, format_time
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.kinds import (
    DISRUPTION_BUDGETS,
    HEALTH_PROBES,
    MAINTENANCE_WINDOWS,
    NODES,
    PODS,
    SCALE_SETS,
    Kind,
)
from scaleset_operator.cli.manifest_file import SNAPSHOT_TIME, Manifests
from scaleset_operator.cli.ports import Json


async def taken(access: Access, namespace: str, name: str, now: datetime) -> Manifests:
    """A set with all that a rehearsal of it needs.

    Raises:
        Failure: the set or its pods may not be read, or there is no such set.
    """
    scale_set = _slim(await access.scale_set(namespace, name), SCALE_SETS)
    pods = await access.items(PODS, namespace, labels=f"{LABEL_NAME}={name}")
    places = await access.items(PODS, namespace, labels=f"{LABEL_PLACE_OF}={name}")
    others = [
        *await _items(access, HEALTH_PROBES, namespace),
        *await _items(access, DISRUPTION_BUDGETS, namespace),
        *await _items(access, NODES, None),
        *await _items(access, MAINTENANCE_WINDOWS, namespace),
        *(_slim(pod, PODS) for pod in (*pods, *places)),
    ]
    return Manifests(scale_set=scale_set, others=others, taken=now)


async def _items(access: Access, kind: Kind, namespace: str | None) -> Sequence[Json]:
    try:
        return [_slim(body, kind) for body in await access.items(kind, namespace)]
    except Failure:
        return ()


def _slim(body: Json, kind: Kind) -> Json:
    """Items of a list do not say what they are, and nobody reads who managed which field."""
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    meta = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {"apiVersion": version, "kind": kind.word, **body, "metadata": meta}


def saved(found: Manifests, file: str) -> None:
    """Keep a snapshot, as a List that `-f` takes again; raises Failure."""
    marks: dict[str, Any] = {}
    if found.taken is not None:
        marks = {"annotations": {SNAPSHOT_TIME: format_time(found.taken)}}
    body = {
        "apiVersion": "v1",
        "kind": "List",
        "metadata": marks,
        "items": [found.scale_set, *found.others],
    }
    try:
        Path(file).write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    except OSError as fault:
        line = f"{file} cannot be written: {fault.strerror}"
        raise Failure(line) from fault
