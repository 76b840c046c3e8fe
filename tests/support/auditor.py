"""The independent auditor: it watches the API server's word and finds the rules that are broken.

It imports nothing of the operator (protocol rule 28). It is fed with watch events in the order of
their resourceVersions, from a real server by `auditor_watch` or from the fake's history, and judges
each as it comes. The cap, the grace, protection, suspension, names and surplus are its matters.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import tests.support.auditor_moves as moves
import tests.support.auditor_notices as notices
import tests.support.auditor_renewals as renewals
from tests.support.auditor_books import STALE, Debt, Entry, SetBook, in_flight
from tests.support.auditor_records import (
    Json,
    Key,
    PodRecord,
    SetRecord,
    key_of,
    read_patience,
    read_pod,
    read_set,
)

SECOND: Final = timedelta(seconds=1)
"""Times on the wire have whole seconds."""


class Auditor:
    """Feed it with `see`; ask it with `violations`.

    Attributes:
        unannounced: names of pods deleted without a word in the ledger, in order.
        now: when the event seen last happened.
    """

    def __init__(self) -> None:
        self.unannounced: list[str] = []
        self._violations: list[str] = []
        self._books: dict[str, SetBook] = {}
        self._patience: dict[Key, timedelta] = {}
        self._forgiven: set[str] = set()
        self._owners: dict[str, str] = {}
        self.now: datetime | None = None

    def see(self, verb: str, raw: Json, at: datetime) -> None:
        """One event.

        Args:
            verb: ADDED, MODIFIED or DELETED; an object that is known is never ADDED anew.
            raw: the object with its kind, as the API server sends it.
            at: when it happened, aware; never before the event seen last.
        """
        assert self.now is None or at >= self.now, f"time went back: {at} < {self.now}"
        self.now = at
        sight: dict[str, Callable[[str, Json, datetime], None]] = {
            "ScaleSet": self._see_set,
            "HealthProbe": self._see_probe,
            "Pod": self._see_pod,
        }
        if raw["kind"] in sight:
            sight[raw["kind"]](verb, raw, at)

    def forgive(self, *names: str) -> None:
        """These pods are deleted by the test itself, or by somebody on its behalf."""
        self._forgiven.update(names)

    def expect_repaired(self, names: Iterable[str]) -> None:
        """I7, at the end: exactly these instances were replaced by repairs, none twice."""
        wanted, found = sorted(names), sorted(self.repaired())
        if wanted != found:
            self._violations.append(f"I7: repaired {found}, expected {wanted}")

    def expect_settled(self) -> None:
        """I4, at the end: each set has as many live instances as are desired, and no debts."""
        assert self.now is not None, "nothing was seen"
        for book in self._books.values():
            if book.gone:
                continue
            live, desired = len(book.live), book.record.desired
            if live != desired:
                self._say(book, f"I4: {live} live instances at the end, {desired} desired")
            self._say(book, *notices.of_the_end(book, self.now))

    def violations(self) -> list[str]:
        """Every rule broken so far, in the order of events."""
        return list(self._violations)

    def repaired(self) -> list[str]:
        """Names of the instances that repairs have deleted, set by set, in order."""
        return [name for book in self._books.values() for name in book.repaired]

    def renewed(self) -> list[str]:
        """Names of the instances that repairs have renewed in place, set by set, in order."""
        return [name for book in self._books.values() for name in book.renewed]

    def moved(self) -> list[str]:
        """Names of the instances that maintenance has taken, in order."""
        return sorted(name for book in self._books.values() for name in book.moved)

    def rolled(self) -> list[str]:
        """Names of the instances that rollouts have renewed in place, set by set, in order."""
        return [name for book in self._books.values() for name in book.rolled]

    @property
    def max_in_flight(self) -> int:
        """The most repairs in flight at once, in any one set."""
        return in_flight(self._books.values())

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"{len(self._books)} sets, {len(self.repaired())} instances repaired, at most "
            f"{self.max_in_flight} in flight at once, {len(self.unannounced)} unannounced "
            f"deletions, {len(self._violations)} violations"
        )

    # ScaleSets.

    def _see_probe(self, verb: str, raw: Json, at: datetime) -> None:
        if verb != "DELETED":
            self._patience[key_of(raw)] = read_patience(raw)

    def _see_set(self, verb: str, raw: Json, at: datetime) -> None:
        record = read_set(raw, at)
        book = self._books.get(record.uid)
        if book is None:
            book = self._open(record, at)
        book.gone |= verb == "DELETED" or bool(raw["metadata"].get("deletionTimestamp"))
        self._say(book, *renewals.of_record(book, record))
        book.record = record
        book.enabled_since = (book.enabled_since or at) if record.enabled else None
        book.stopped_since = (book.stopped_since or at) if record.stopped else None
        self._settle(book, at)
        self._say(book, *notices.of_ledger(book, record))
        self._say(book, *moves.of_record(book, record))
        book.removals |= record.removals
        book.renewals |= record.renewals
        self._follow(book)
        self._record(book, record.in_flight.keys() - book.entries.keys(), at)
        for uid in book.entries.keys() - record.in_flight.keys():
            del book.entries[uid]
        self._update(book, at)

    def _open(self, record: SetRecord, at: datetime) -> SetBook:
        # A set that is first seen with repairs on has had them since its pods were made, and
        # what stands in its ledger by then was judged by whoever watched before.
        began = datetime.min.replace(tzinfo=at.tzinfo) if record.enabled else None
        book = SetBook(record=record, enabled_since=began, stopped_since=None)
        for uid in record.in_flight:
            book.entries[uid] = Entry(grace=record.grace, allowed=len(record.in_flight))
        self._books[record.uid] = book
        return book

    def _record(self, book: SetBook, uids: set[str], at: datetime) -> None:
        """Repairs are recorded: they may start now, and there is room for them."""
        record = book.record
        if not uids:
            return
        allowed = max([book.allowance(), *book.allowances.since(at - STALE)])
        for uid in uids:
            book.entries[uid] = Entry(grace=record.grace, allowed=allowed)
        asked = all(uid in book.pods and book.pods[uid].requested for uid in uids)
        if record.stopped and not (asked and not record.enabled):
            self._say(book, f"I6: a repair was recorded although {record.stopped}")
        if len(record.in_flight) > allowed:
            entries = len(record.in_flight)
            self._say(book, f"I1: {entries} repairs in the ledger, {allowed} are allowed")

    def _follow(self, book: SetBook) -> None:
        """The ledger may name a successor for a replacement that was removed (rule 7)."""
        for uid, name in book.record.in_flight.items():
            if uid in book.debts and name:
                book.debts[uid].replacement = name

    # Pods.

    def _see_pod(self, verb: str, raw: Json, at: datetime) -> None:
        pod = read_pod(raw)
        book = self._books.get(pod.set_uid or self._owners.get(pod.uid, ""))
        if book is None:
            return
        self._settle(book, at)
        before = book.pods.pop(pod.uid, None)
        if pod.set_uid is None:
            # Released: it is nobody's instance any more, whatever becomes of it.
            self._owners.pop(pod.uid, None)
        elif verb == "DELETED":
            self._leave(book, before or pod, deleted=True, at=at)
        else:
            self._owners[pod.uid] = book.record.uid
            self._stay(book, before, pod, made=verb == "ADDED", at=at)
        self._update(book, at)

    def _stay(
        self, book: SetBook, before: PodRecord | None, pod: PodRecord, *, made: bool, at: datetime
    ) -> None:
        """A pod of the set as it now stands."""
        book.pods[pod.uid] = pod
        if before is not None and before.images != pod.images:
            self._renew(book, before, pod, at)
        self._tell(book, before or pod, pod, at)
        if pod.started is not None:
            book.starts.setdefault(pod.uid, pod.started)
        if before is None:
            self._arrive(book, pod)
            if made:
                self._check_surplus(book, pod, at)
        if not pod.live and (before is None or before.live):
            self._leave(book, before or pod, deleted=pod.terminating, at=at)

    def _renew(self, book: SetBook, before: PodRecord, pod: PodRecord, at: datetime) -> None:
        """A pod that stays is given other images: by a rollout, or a repair, which makes a debt."""
        book.starts.pop(pod.uid, None)
        entry = book.entries.get(pod.uid)
        if pod.name in self._forgiven:
            return
        if entry is None and pod.uid in book.renewals:
            book.rolled.append(pod.name)
            self._say(book, *renewals.of_patch(book, before, pod))
            return
        if entry is None:
            self._say(book, f"unannounced: {pod.name} was given other images without a word")
            return
        if before.started is not None:
            book.starts[pod.uid] = before.started
        self._check_victim(book, before, entry, at)
        book.starts.pop(pod.uid, None)
        book.debts[pod.uid] = Debt(
            victim=before, deleted_at=at, desired=book.record.desired, replacement=pod.name
        )
        book.renewed.append(pod.name)
        self._check_cap(book, entry, at)

    def _check_cap(self, book: SetBook, entry: Entry, at: datetime) -> None:
        """I1: no more debts than may be, now or when the entry was recorded."""
        self._settle(book, at)
        allowed = max(book.allowance(), entry.allowed)
        if len(book.debts) > allowed:
            names = sorted(debt.victim.name for debt in book.debts.values())
            self._say(book, f"I1: {len(names)} in flight, {allowed} are allowed: {names}")

    def _tell(self, book: SetBook, before: PodRecord, pod: PodRecord, at: datetime) -> None:
        """A notice is given or stands; with it the victim is judged, not with its deletion."""
        if notices.is_told(book, pod):
            book.notices[pod.uid] = book.record.deadlines[pod.uid]
            self._say(book, *notices.of_telling(book, pod, at))
            self._check_victim(book, before, book.entries[pod.uid], at)
        self._say(book, *notices.of_standing(book, pod))

    def _arrive(self, book: SetBook, pod: PodRecord) -> None:
        """A new pod: its name and its id have never been used (design 2), or it comes again."""
        if pod.name in book.away:
            self._say(book, *moves.of_arrival(book, pod))
            return
        if book.names.setdefault(pod.name, pod.uid) != pod.uid:
            self._say(book, f"I4: the name {pod.name} is used a second time")
        if pod.replaces is None and pod.name not in book.record.in_flight.values():
            book.rolled_off = max(0, book.rolled_off - 1)
        if pod.instance_id is None:
            return
        other = book.ids.setdefault(pod.instance_id, pod.uid)
        if other != pod.uid:
            there = "two pods have" if other in book.pods else "a second pod has"
            self._say(book, f"I4: {there} the instance id {pod.instance_id}: {pod.name}")

    def _check_surplus(self, book: SetBook, pod: PodRecord, at: datetime) -> None:
        """I4: no more live instances than desired, one witness and the surplus of notices."""
        record, live = book.record, len(book.live)
        extra = min(1, len(record.witnesses)) + len(record.notified)
        extra += record.batch if record.surge else 0
        allowed = max([record.desired, *book.desired.since(at - STALE)]) + extra
        if pod.live and live > allowed:
            self._say(book, f"I4: {live} live instances with {pod.name}, {allowed} are allowed")

    def _leave(self, book: SetBook, pod: PodRecord, *, deleted: bool, at: datetime) -> None:
        """A pod that was live is deleted, or is over by itself; or one on its way out is gone."""
        if book.gone or not pod.live:
            return
        for debt in book.debts.values():
            if pod.name == debt.replacement:
                debt.removed.append((at, pod.model))
        purpose = book.removals.get(pod.uid)
        if pod.uid in book.record.in_flight:
            self._repair(book, pod, deleted=deleted, at=at)
        elif not deleted or pod.name in self._forgiven:
            return
        elif purpose is None and pod.uid in book.moves:
            self._say(book, *moves.of_leaving(book, pod))
        elif purpose is None:
            self.unannounced.append(pod.name)
            self._say(book, f"unannounced: {pod.name} was deleted without a word in the ledger")
        else:
            self._remove(book, pod, purpose, at)

    def _repair(self, book: SetBook, pod: PodRecord, *, deleted: bool, at: datetime) -> None:
        """The victim of a recorded repair goes: it makes a debt, whoever sent it (rule 6)."""
        entry, replacement = book.entries[pod.uid], book.record.in_flight[pod.uid]
        book.debts[pod.uid] = Debt(
            victim=pod, deleted_at=at, desired=book.record.desired, replacement=replacement
        )
        book.repaired.append(pod.name)
        self._check_cap(book, entry, at)
        if deleted and pod.name not in self._forgiven:
            self._say(book, *notices.of_deletion(book, pod, at))
            if pod.uid not in book.notices:
                self._check_victim(book, pod, entry, at)

    def _check_victim(self, book: SetBook, pod: PodRecord, entry: Entry, at: datetime) -> None:
        """I2, I3 and I6 for the victim, as it stood just before its deletion or its notice."""
        started = book.starts.get(pod.uid)
        if started is None:
            self._say(book, f"I2: {pod.name} was repaired although it never started")
        else:
            since = max(started, book.enabled_since or started)
            if at + SECOND < since + entry.grace and not pod.requested:
                self._say(book, f"I2: {pod.name} was repaired {at - since} into its grace")
        if pod.kept_from_actions or pod.kept_from_scale_in:
            self._say(book, f"I6: {pod.name} was repaired although it is protected")
        if book.is_stopped(at) and not (pod.requested and not book.record.enabled):
            self._say(book, f"I6: {pod.name} was repaired although {book.record.stopped}")
        if pod.healthy == "True" and not pod.requested:
            self._say(book, f"I3: {pod.name} was repaired although it is Healthy")

    def _remove(self, book: SetBook, pod: PodRecord, purpose: str, at: datetime) -> None:
        """A removal other than a repair: bounded by the desired count, or by the floor."""
        record = book.record
        if pod.kept_from_scale_in if purpose == "ScaleIn" else pod.kept_from_actions:
            self._say(book, f"I6: {pod.name} was removed ({purpose}) although it is protected")
        if purpose == "ScaleIn":
            for uid in [u for u, debt in book.debts.items() if debt.replacement == pod.name]:
                del book.debts[uid]
            least = min([record.desired, *book.desired.since(at - STALE)])
            there = len(book.live) + len(book.debts) + len(book.away)
            if there + book.rolled_off < least:
                self._say(book, f"I4: {pod.name} was scaled in below {least} instances")
        # With a surge its successor was there before.
        book.rolled_off += purpose == "Rollout" and not record.surge
        floor = record.desired - record.batch
        if purpose == "Rollout" and pod.healthy == "True" and book.available < floor:
            self._say(book, f"I7: {pod.name} was rolled out below the floor of {floor}")

    # All.

    def _settle(self, book: SetBook, at: datetime) -> None:
        probe = (book.record.key[0], book.record.probe or "")
        book.settle(at, self._patience.get(probe, timedelta()))

    def _update(self, book: SetBook, at: datetime) -> None:
        self._settle(book, at)
        book.note(at)

    def _say(self, book: SetBook, *texts: str) -> None:
        at, key = self.now.isoformat() if self.now else "", "/".join(book.record.key)
        self._violations += [f"{at} {key}: {text}" for text in texts]
