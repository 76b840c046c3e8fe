"""The auditor on terminate notices: what a pod was told, and whether it is kept (rule 8, R-54).

A notice is the deadline of the ledger on the pod. Each function gives what is broken, in words.
It must not know the other rules; `auditor` puts them together.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from tests.support.auditor_books import STALE, SetBook
from tests.support.auditor_records import PodRecord, SetRecord

SECOND: Final = timedelta(seconds=1)
"""Times on the wire have whole seconds."""


def is_told(book: SetBook, pod: PodRecord) -> bool:
    """Whether this version of the pod is the first that bears its notice."""
    due = book.record.deadlines.get(pod.uid)
    return due is not None and pod.terminate_at == due and pod.uid not in book.notices


def of_telling(book: SetBook, pod: PodRecord, at: datetime) -> Iterator[str]:
    """It is told now: how long it has."""
    promised = book.record.notice
    if promised is not None and pod.terminate_at is not None:
        left = pod.terminate_at - at
        if left + STALE < promised:
            yield f"I8: {pod.name} was told that it has {left}, promised are {promised}"


def of_ledger(book: SetBook, record: SetRecord) -> Iterator[str]:
    """The ledger as it now stands: a deadline never moves, and is told before it counts."""
    for uid, due in record.deadlines.items():
        told = book.notices.get(uid)
        if told is not None and due != told:
            yield f"I8: the deadline of {uid} was moved from {told} to {due}"
    for uid in record.notified - book.notices.keys():
        pod = book.pods.get(uid)
        if pod is not None and pod.live:
            yield f"I8: {pod.name} is Notified in the ledger and was not told"


def of_standing(book: SetBook, pod: PodRecord) -> Iterator[str]:
    """A later version of one that was told."""
    if pod.uid in book.notices and pod.live and pod.in_rotation == "True":
        yield f"I8: {pod.name} is in rotation although it was told to go"


def of_deletion(book: SetBook, pod: PodRecord, at: datetime) -> Iterator[str]:
    """The victim is deleted, `pod` being its last live version."""
    due = book.record.deadlines.get(pod.uid)
    told = book.notices.get(pod.uid)
    if due is not None and told is None:
        yield f"I8: {pod.name} was deleted without the notice that its repair owes"
    if told is not None and at + SECOND < told and not pod.approved:
        yield f"I8: {pod.name} was deleted {told - at} before its deadline, and had not approved"


def of_the_end(book: SetBook, at: datetime) -> Iterator[str]:
    """At the end of a test: nobody that was told stays past its deadline."""
    for pod in book.live:
        told = book.notices.get(pod.uid)
        if told is not None and at > told + STALE:
            yield f"I8: {pod.name} was to go at {told} and is still there"
