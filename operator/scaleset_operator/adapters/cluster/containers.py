"""What a pod says of its containers: since when they run, of which images, how often anew.

Pure; the tuples are shared, for most pods of a set have the same.
Must not know: why a container was renewed, or what is decided about the pod.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from scaleset_operator.core.observed import NOT_MADE, NOT_RENEWED, Containers
from scaleset_operator.core.pause import Watch, watches_of

Json = Mapping[str, Any]


class _Run(NamedTuple):
    """One container's status as kubelet gives it: its present run, and the one before."""

    restarts: int
    now: datetime | None
    before: datetime | None


def containers_of(spec: Json, status: Json) -> Containers:
    """Names, images, image ids and restart counts, in the order of the spec."""
    statuses = _statuses(status)
    rows = [
        (c["name"], c.get("image") or "", statuses.get(c["name"]) or {}) for c in spec["containers"]
    ]
    return _shared(
        tuple(name for name, _, _ in rows),
        tuple(image for _, image, _ in rows),
        tuple(row.get("imageID") or "" for _, _, row in rows),
        tuple(row.get("restartCount", 0) if row else NOT_MADE for _, _, row in rows),
        watches_of(spec),
    )


def started(spec: Json, status: Json, mark: str | None) -> datetime | None:
    """When the last of the containers first ran (R-24); a later restart changes nothing (R-28).

    Only the run before the present one is known: a container that has restarted more than once
    gives the start of that one, until the annotation fixes the moment.

    Args:
        spec: of the pod.
        status: of the pod.
        mark: restart counts from which the containers were renewed by us: only a run after them
            counts. None where they never were.
    """
    statuses = _statuses(status)
    names = [container["name"] for container in spec["containers"]]
    floors = renewed_from(mark, len(names)) or [None] * len(names)
    latest = None
    for name, floor in zip(names, floors, strict=True):
        start = _first_start(_run(statuses.get(name)), floor)
        if start is None:
            return None
        if latest is None or start > latest:
            latest = start
    return latest


def moment(text: str | None) -> datetime | None:
    """RFC 3339 text as an aware datetime; None for anything else."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def renewed_from(mark: str | None, count: int) -> list[int | None] | None:
    """The restart counts in the annotation, None for a container left alone.

    Returns:
        None where the annotation is not there, or not ours.
    """
    parts = mark.split(",") if mark else []
    if len(parts) != count or not all(p == NOT_RENEWED or p.isdecimal() for p in parts):
        return None
    return [None if part == NOT_RENEWED else int(part) for part in parts]


def _first_start(run: _Run, floor: int | None) -> datetime | None:
    if floor is None:
        return run.before or run.now
    if run.restarts <= floor:
        return None
    return run.now if run.restarts == floor + 1 else run.before or run.now


def _run(status: Json | None) -> _Run:
    status = status or {}
    now, before = status.get("state") or {}, status.get("lastState") or {}
    present = [now.get("running"), now.get("terminated")]
    return _Run(
        restarts=status.get("restartCount") or 0,
        now=next((at for run in present if (at := _start(run))), None),
        before=_start(before.get("terminated")),
    )


def _start(run: Json | None) -> datetime | None:
    return moment((run or {}).get("startedAt"))


def _statuses(status: Json) -> dict[str, Json]:
    return {row["name"]: row for row in status.get("containerStatuses") or ()}


@lru_cache(maxsize=4096)
def _shared(
    names: tuple[str, ...],
    images: tuple[str, ...],
    image_ids: tuple[str, ...],
    restarts: tuple[int, ...],
    watches: tuple[Watch, ...],
) -> Containers:
    return Containers(
        names=names, images=images, image_ids=image_ids, restarts=restarts, watches=watches
    )
