"""The auditor on rollouts that keep the pods: announced, within batch and floor (rules 10 and 22).

A renewal is announced in the set's status, by UID and model, before the pod is given other images.
Each function gives what is broken, in words. It must not know the other rules.
"""

from collections.abc import Iterator

from tests.support.auditor_books import SetBook
from tests.support.auditor_records import PodRecord, SetRecord


def of_record(book: SetBook, record: SetRecord) -> Iterator[str]:
    """The set as it now stands: who is to be renewed."""
    begun = record.renewals.keys() - book.record.renewals.keys()
    batch = max(record.batch, book.record.batch)
    if begun and len(record.renewals) > batch:
        yield f"I7: {len(record.renewals)} are renewed by a rollout at once, the batch is {batch}"
    for uid in sorted(record.renewals.keys() & record.in_flight.keys()):
        pod = book.pods.get(uid)
        yield f"I7: {pod.name if pod else uid} is under repair and renewed by a rollout as well"


def of_patch(book: SetBook, before: PodRecord, pod: PodRecord) -> Iterator[str]:
    """A pod that was announced is given other images now."""
    model, record = book.renewals[pod.uid], book.record
    if pod.model != model:
        yield f"I7: {pod.name} was announced to get model {model} and got {pod.model}"
    if before.kept_from_actions:
        yield f"I6: {pod.name} was renewed by a rollout although it is protected"
    floor = record.desired - record.batch
    was_available = before.healthy == "True" and not before.renewing
    if was_available and book.available < floor:
        yield f"I7: {pod.name} was renewed by a rollout below the floor of {floor}"
