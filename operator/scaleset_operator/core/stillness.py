"""What a pause of our own does to verdicts: nothing of it is evidence against an instance (M-03).

While it stands still nothing that is found of it counts. From when it goes on it is heard anew: a
full timeout without success must have been watched since then. Must not know how it is paused, or
why it is its turn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.core.health import Verdict
from scaleset_operator.core.observed import Evidence, Instance, Observed

REPORT_LAG: Final = timedelta(seconds=31)
"""How long after a pause an instance may still be reported ill by whoever watched it meanwhile."""
_OUT: Final = frozenset({MaintenancePhase.LEAVING, MaintenancePhase.PAUSED})


def keeps_out(entry: MaintenanceEntry) -> bool:
    """Whether nothing is sent to the instance: it is about to be paused, or is."""
    return entry.impact is Impact.PAUSE and entry.phase in _OUT


def holds_back(entry: MaintenanceEntry) -> bool:
    """Whether nobody counts on the instance: so also until it is healthy again."""
    back = entry.impact is Impact.PAUSE and entry.phase is MaintenancePhase.RETURNING
    return back or keeps_out(entry)


def heard_of(observed: Observed) -> Observed:
    """The observation as verdicts may be made from it."""
    entries = [e for e in _entries(observed) if holds_back(e)]
    if not entries:
        return observed
    still = {e.uid for e in entries if e.phase is MaintenancePhase.PAUSED}
    since = {e.uid: e.phase_time for e in entries if e.phase is MaintenancePhase.RETURNING}
    return replace(
        observed,
        instances=tuple(_as_started(i, since.get(i.uid)) for i in observed.instances),
        evidence=_of_now(observed.evidence, still, since),
        rotation_evidence=_of_now(observed.rotation_evidence, still, since),
    )


def after_pause(
    observed: Observed, verdicts: Mapping[str, Verdict], now: datetime
) -> Mapping[str, Verdict]:
    """The verdicts, with those on instances that stand still, or just stood, set right.

    Args:
        observed: everything that was seen.
        verdicts: pod UID -> verdict, by what `heard_of` left.
        now: of the decision.
    """
    changed = {}
    for entry in _entries(observed):
        found = verdicts.get(entry.uid)
        if found is None or not holds_back(entry):
            continue
        late = entry.phase_time + REPORT_LAG
        ill = found.health is VMHealth.UNHEALTHY
        if entry.phase is MaintenancePhase.PAUSED:
            changed[entry.uid] = _as_it_was(observed, entry, found, now)
        elif entry.phase is MaintenancePhase.RETURNING and ill and now < late:
            waits = _as_it_was(observed, entry, found, now)
            changed[entry.uid] = replace(waits, changes_at=late)
    return {**verdicts, **changed} if changed else verdicts


def _entries(observed: Observed) -> Iterable[MaintenanceEntry]:
    ledger = observed.status.maintenance
    return () if ledger is None else ledger.in_flight


def _as_started(instance: Instance, since: datetime | None) -> Instance:
    """As if its containers had started when it went on: what was heard before was another time."""
    if since is None or instance.started is None:
        return instance
    return replace(instance, started=max(instance.started, since))


def _of_now(
    evidence: Mapping[str, Evidence], still: set[str], since: Mapping[str, datetime]
) -> Mapping[str, Evidence]:
    """Without what ended in a pause; of runs that began in one, what came after it."""
    kept = {}
    for uid, one in evidence.items():
        begin = since.get(uid)
        if uid in still:
            continue
        if begin is None:
            kept[uid] = one
        elif one.last_ended is not None and one.last_ended > begin:
            silent = one.silent_since and max(one.silent_since, begin)
            failing = one.failing_since and max(one.failing_since, begin)
            kept[uid] = replace(one, silent_since=silent, failing_since=failing)
    return kept


def _as_it_was(
    observed: Observed, entry: MaintenanceEntry, found: Verdict, now: datetime
) -> Verdict:
    """What was published of it stands, and nobody may act on it."""
    pod = next((i for i in observed.instances if i.uid == entry.uid), None)
    published = None if pod is None else pod.published
    return replace(
        found,
        health=VMHealth.UNKNOWN if published is None else published.health,
        reason=Reason.MAINTENANCE_IN_PROGRESS,
        message="a maintenance has paused it in place",
        since=now if published is None else published.since,
        fresh=False,
        doubt=None,
        in_rotation=False,
        rotation=None,
        changes_at=None,
    )
