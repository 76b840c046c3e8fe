"""A broken variant: an entry closes as soon as its DELETE is accepted (R-14)."""

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairResult
from scaleset_operator.core import ledger

ledger._replace = lambda _scene, _names, entry, progress: progress.closed.append(
    ledger.Closed(entry=entry, result=RepairResult.SUCCEEDED, reason=Reason.ANSWERING)
)
