"""A broken variant: an entry closes as soon as its DELETE is accepted (R-14)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry, RepairResult
from scaleset_operator.core import ledger


def close_at_once(
    _scene: object, _names: object, entry: RepairEntry, progress: ledger.Progress
) -> None:
    """The repair has succeeded, says this one, for its victim is gone."""
    ledger.close(progress, entry, RepairResult.SUCCEEDED, Reason.ANSWERING, "it is gone")


MonkeyPatch().setattr(ledger, "_replace", close_at_once)
