"""Signs of life of the operator: what it answered, and when it last wrote. Silence is no sign.

A set at rest is never written, so an old write proves nothing: only a change that nobody has
answered speaks against the operator.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import FIELD_MANAGER
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.printing import span

NAME: Final = "operator"
ANSWERS_WITHIN: Final = timedelta(seconds=30)
"""After a change of the spec; a turn takes well under a second, a fresh start a few."""
LATELY: Final = timedelta(seconds=60)
HINT: Final = "look at the operator's log, or start one: scaleset-operator run"


def alive(sets: Sequence[Json], now: datetime, leases: Sequence[Json] = ()) -> Check:
    """Whether the operator is at work.

    Args:
        sets: ScaleSets with their managedFields.
        now: by the API server's clock.
        leases: of the operator; none where it elects no leader, or they may not be read.
    """
    behind = [line for raw in sets for line in _unanswered(raw, now)]
    if behind:
        return Check(name=NAME, verdict=Verdict.FAILED, message=named(behind), hint=HINT)
    held = [line for lease in leases for line in _held(lease, now)]
    if held:
        return Check(name=NAME, verdict=Verdict.OK, message=named(held))
    latest = max((at for raw in sets for at in _written(raw, ours=True)), default=None)
    if latest is not None and now - latest < LATELY:
        message = f"it wrote a status {span(now - latest)} ago"
        return Check(name=NAME, verdict=Verdict.OK, message=message)
    if latest is None:
        message = "no sign of it, and nothing that it should have answered"
    else:
        message = f"last sign: a status {span(now - latest)} ago; a set at rest is not written"
    return Check(name=NAME, verdict=Verdict.UNKNOWN, message=message)


def _unanswered(raw: Json, now: datetime) -> Iterator[str]:
    metadata, status = raw["metadata"], raw.get("status") or {}
    generation, seen = metadata.get("generation", 0), status.get("observedGeneration", 0)
    if seen >= generation:
        return
    changed = max(_written(raw, ours=False), default=None) or _time(metadata["creationTimestamp"])
    if changed is not None and now - changed > ANSWERS_WITHIN:
        name = f"{metadata['namespace']}/{metadata['name']}"
        waited = span(now - changed)
        yield f"{name} waits since {waited} for an answer to generation {generation}"


def _written(raw: Json, *, ours: bool) -> Iterator[datetime]:
    """When the operator wrote the status, or when others wrote anything else."""
    for entry in raw["metadata"].get("managedFields") or ():
        is_ours = entry.get("manager") == FIELD_MANAGER and entry.get("subresource") == "status"
        at = _time(entry.get("time"))
        if at is not None and is_ours is ours:
            yield at


def _held(lease: Mapping[str, Any], now: datetime) -> Iterator[str]:
    spec = lease.get("spec") or {}
    renewed = _time(spec.get("renewTime"))
    lasts = timedelta(seconds=spec.get("leaseDurationSeconds") or 15)
    if renewed is not None and now - renewed < lasts and spec.get("holderIdentity"):
        yield f"{spec['holderIdentity']} leads, its lease renewed {span(now - renewed)} ago"


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
