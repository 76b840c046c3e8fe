"""Who leads: what one candidate has seen of the Lease, and what it does next.

Times are CLOCK_BOOTTIME of this machine in nanoseconds, and spans are in seconds. What another
machine's clock wrote is text that changes and nothing else: a record is over once it has stood
unchanged for its duration on our own clock.
Must not know: how a Lease is read or written, or what its holder does. The cap does not hang on it.
"""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

NS: Final = 1_000_000_000
LEASE_S: Final = 15
"""A record that does not change for so long is nobody's."""
LONGEST_LEASE_S: Final = 60
"""A holder may ask for more than LEASE_S, but a slip of the pen must not lock everybody out."""
LEAD_S: Final = 10
"""A leader counts from the moment its last accepted write was *sent*, and stops well before others
may begin: the five seconds between are for clocks that run at different rates."""
RENEW_EVERY_S: Final = 2
LOOK_EVERY_S: Final = 0.5
"""A standby reads so often: a lease that is released is taken within a second."""
RETRY_S: Final = 1
REQUEST_S: Final = 3
"""A request that takes longer has failed: three of them fit before the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """The spec of a Lease. `acquired` and `renewed` are compared with themselves only."""

    holder: str
    lasts_s: int
    acquired: str
    renewed: str
    transitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A Lease as the API server has it: the record, its resourceVersion, and who may be asked.

    Attributes:
        vantage: where a standby answers for what it has heard; empty for nowhere.
    """

    record: LeaseRecord
    version: str
    vantage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One process that would lead.

    Attributes:
        identity: of this very process, never used again.
        address: where it answers as a second vantage while it stands by; empty for nowhere.
    """

    identity: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a step is chosen, and what bears on it.

    Attributes:
        at: our clock.
        stamp: the wall clock, for those who read the Lease.
        fit: whether the process does its work; one that does not shall not hold the place.
        deaf: the vantage that answers nobody, if there is one.
    """

    at: int
    stamp: str = ""
    fit: bool = True
    deaf: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a candidate knows.

    Attributes:
        seen: the Lease as last heard of; None before that, or where there never was one.
        missing: it is not there now.
        current: nothing is known to have happened to it since.
        changed: when its record was first seen as it is, or missing.
        renewed: when our last accepted write of the record was sent; None until we lead.
        lost: why we may lead no more.
        due: when the next step is.
    """

    candidate: Candidate
    seen: Seen | None = None
    missing: bool = False
    current: bool = False
    changed: int = 0
    renewed: int | None = None
    lost: str = ""
    due: int = 0

    @property
    def holder(self) -> str:
        """Who holds the Lease as last heard of; empty for nobody."""
        return "" if self.seen is None or self.missing else self.seen.record.holder

    @property
    def leads_until(self) -> int | None:
        """The moment from which on we do not lead, whatever anybody says; None if we never did."""
        return None if self.renewed is None else self.renewed + LEAD_S * NS

    @property
    def free_at(self) -> int:
        """From when on the Lease may be taken by us."""
        if self.seen is None or self.renewed is not None:
            return 0
        record = self.seen.record
        if record.holder in ("", self.candidate.identity):
            return 0
        lasts = min(max(record.lasts_s, LEASE_S), LONGEST_LEASE_S)
        return self.changed + lasts * NS


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before this."""

    until: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read the Lease."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write the Lease on the version it has, or make it where that is empty."""

    lease: Seen


@dataclass(frozen=True, slots=True)
class Leave:
    """The place is lost, or may be: end at once."""

    why: str


Step: TypeAlias = Wait | Read | Write | Leave


def next_step(standing: Standing, moment: Moment) -> Step:
    """What to do now."""
    deadline = standing.leads_until
    if standing.lost:
        return Leave(standing.lost)
    if deadline is not None and moment.at >= deadline:
        return Leave(f"the lease could not be renewed for {LEAD_S} s")
    if moment.at < standing.due:
        return Wait(standing.due)
    if not standing.current:
        return Read()
    if not moment.fit:
        # A leader lets its time run out, a standby takes nothing.
        later = moment.at + RETRY_S * NS
        return Wait(later if deadline is None else min(deadline, later))
    if moment.at >= standing.free_at:
        return Write(_claimed(standing, moment))
    if standing.seen is not None and _offers(standing):
        return Write(replace(standing.seen, vantage=standing.candidate.address))
    return Read()


def was_read(standing: Standing, found: Seen | None, now: int) -> Standing:
    """The Lease was read; None: there is none."""
    after = replace(standing, current=True, missing=found is None, due=now)
    if found is None:
        # Whoever held it may go on for as long as if it had just been renewed.
        return _again(after if standing.missing else replace(after, changed=now), now)
    known = None if standing.seen is None or standing.missing else standing.seen.record
    after = replace(after, seen=found, changed=standing.changed if found.record == known else now)
    mine = found.record.holder in ("", standing.candidate.identity)
    if standing.renewed is not None and not mine:
        return replace(after, lost=f"{found.record.holder} holds the lease")
    return _again(after, now)


def was_written(standing: Standing, found: Seen, sent: int, now: int) -> Standing:
    """A write sent then was accepted, and the Lease is now so."""
    after = replace(standing, seen=found, missing=False, current=True)
    if found.record.holder != standing.candidate.identity:
        return replace(after, due=now + round(LOOK_EVERY_S * NS))
    if standing.renewed is None and now >= sent + LEAD_S * NS:
        return replace(after, due=now)  # Ours by the letter, but not for long enough to begin.
    return replace(after, renewed=sent, due=max(now, sent + RENEW_EVERY_S * NS))


def was_refused(standing: Standing, now: int) -> Standing:
    """Somebody wrote in between, made it first, or took it away: read it at once."""
    return replace(standing, current=False, due=now)


def has_failed(standing: Standing, now: int) -> Standing:
    """No answer, or none that says anything; a write may have been carried out all the same."""
    return replace(standing, current=False, due=now + RETRY_S * NS)


def released(standing: Standing, stamp: str) -> Seen | None:
    """The Lease given back, so that nobody has to wait for its end; None where it is not ours."""
    seen = standing.seen
    if seen is None or standing.holder != standing.candidate.identity:
        return None
    record = replace(seen.record, holder="", lasts_s=1, acquired=stamp, renewed=stamp)
    return replace(seen, record=record)


def _again(standing: Standing, now: int) -> Standing:
    """When a candidate that has just read steps again: at once where there is something to do."""
    if now >= standing.free_at or _offers(standing):
        return standing
    return replace(standing, due=min(now + round(LOOK_EVERY_S * NS), standing.free_at))


def _offers(standing: Standing) -> bool:
    """Whether the place of the second vantage is free, and we stand by."""
    address, seen = standing.candidate.address, standing.seen
    others = standing.holder not in ("", standing.candidate.identity)
    return bool(address) and others and seen is not None and not seen.vantage


def _claimed(standing: Standing, moment: Moment) -> Seen:
    """The Lease with us as its holder, taken or renewed."""
    me, seen = standing.candidate, standing.seen
    version = "" if standing.missing or seen is None else seen.version
    vantage = "" if seen is None or seen.vantage in (me.address, moment.deaf) else seen.vantage
    fresh = LeaseRecord(
        holder=me.identity,
        lasts_s=LEASE_S,
        acquired=moment.stamp,
        renewed=moment.stamp,
        transitions=0 if seen is None else seen.record.transitions + 1,
    )
    if seen is not None and seen.record.holder == me.identity:
        before = seen.record
        fresh = replace(fresh, acquired=before.acquired, transitions=before.transitions)
    return Seen(record=fresh, version=version, vantage=vantage)
