"""What was read of the instances' flows, and the most of it so far, in the words of the report.

Must not know how it was read, or whom it is told.
"""

from collections.abc import Iterable, Mapping

from scaleset_operator.agent.desired import Outlet
from scaleset_operator.agent.usage import Usage
from scaleset_operator.api.agentreport import Hottest, InstanceReport
from scaleset_operator.api.base import MAX_INT32


class Readings:
    """The last reading of each instance, and its peak."""

    def __init__(self) -> None:
        self._last: dict[str, Usage] = {}
        self._peaks: dict[str, int] = {}

    def note(self, read: Mapping[str, Usage]) -> None:
        """Takes a reading of every instance; one that is not in it is forgotten."""
        self._last = dict(read)
        self._peaks = {name: max(self._peaks.get(name, 0), used(read[name])) for name in read}

    def reports(self, outlets: Iterable[Outlet]) -> dict[str, InstanceReport]:
        """One for each outlet."""
        return {outlet.name: self._report(outlet) for outlet in outlets}

    def total_refused(self) -> int:
        """Flows that found no port, of all that are here."""
        return sum(usage.drops for usage in self._last.values())

    def _report(self, outlet: Outlet) -> InstanceReport:
        read, block = self._last.get(outlet.name, Usage()), outlet.block
        counted = {
            "used": used(read),
            "peak": self._peaks.get(outlet.name, 0),
            "flows": read.flows,
            "refused": min(read.drops, MAX_INT32),
            "denied": min(read.denials, MAX_INT32),
        }
        ends = (0, 0) if block is None or outlet.denied else (block.first, block.last)
        return InstanceReport(first_port=ends[0], last_port=ends[1], hottest=_hot(read), **counted)


def used(read: Usage) -> int:
    """Ports that the flows need: those to one destination each need one of their own (S-14)."""
    return max(read.triples.values(), default=0)


def _hot(read: Usage) -> Hottest | None:
    if not read.triples:
        return None
    triple = max(read.triples, key=lambda one: (read.triples[one], one))
    return Hottest(address=str(triple.address), port=triple.port, protocol=triple.protocol)
