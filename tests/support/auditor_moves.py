"""The auditor's rules for planned maintenance: announced, under the floor, one domain at a time.

An instance that is moved leaves its old pod and comes again under its name, and not before that pod
is gone. Judges what it is shown, and imports nothing of the operator's.
"""

from collections.abc import Iterator

from tests.support.auditor_books import SetBook
from tests.support.auditor_records import PodRecord, SetRecord


def of_record(book: SetBook, record: SetRecord) -> Iterator[str]:
    """M-12, M-04: the scheduled pass is in one update domain; M-01: nobody is in both ledgers."""
    scheduled = [move for move in record.moves.values() if move.scheduled]
    domains = {move.domain for move in scheduled}
    if len(domains) > 1:
        yield f"I8: update domains {sorted(domains)} are under maintenance at once"
    for uid in record.moves.keys() & record.in_flight.keys():
        yield f"I8: {record.moves[uid].instance} is under maintenance and under repair"
    book.moves |= {uid: move for uid, move in record.moves.items() if uid not in book.moves}


def of_leaving(book: SetBook, pod: PodRecord) -> Iterator[str]:
    """X-02: an available instance is taken only where the floor has room for it."""
    book.away[pod.name] = pod.uid
    book.moved.append(pod.name)
    floor = book.record.desired - book.record.floor_batch
    if pod.healthy == "True" and book.available < floor:
        yield f"I7: {pod.name} was moved below the floor of {floor}"


def of_arrival(book: SetBook, pod: PodRecord) -> Iterator[str]:
    """Design section 2: the same name only once the old pod is NotFound."""
    old = book.away.pop(pod.name)
    if old in book.pods:
        yield f"I4: {pod.name} was made again beside its old pod"
    book.names[pod.name] = pod.uid
    if pod.instance_id is not None:
        book.ids[pod.instance_id] = pod.uid
