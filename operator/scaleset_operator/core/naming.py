"""Instance names: decided, not generated (design.md section 2).

`<set>-<id>`; the next id is one more than any id ever recorded or seen, so none is used twice.
"""

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.observed import Observed


class Names:
    """The names one decision may hand out; the last id goes into the status with them."""

    def __init__(self, set_name: str, last_id: int) -> None:
        self._set_name = set_name
        self.last_id = last_id

    @classmethod
    def of(cls, observed: Observed) -> "Names":
        """Start behind every id recorded or seen, ownerless pods of this set included."""
        seen = (i.instance_id for i in (*observed.instances, *observed.adoptable))
        return cls(observed.name, max(observed.status.last_instance_id, *seen, 0))

    def take(self) -> str:
        """Take the next name."""
        self.last_id += 1
        return f"{self._set_name}-{self.last_id}"

    @staticmethod
    def id_of(name: str) -> int:
        """The id at the end of an instance's name."""
        return int(name.rpartition("-")[2])


def is_behind(observed: Observed) -> bool:
    """Whether the record has given out later names than this view and the ledger can account for.

    Their instances are gone, or another operator has made them and this cache has not seen them
    yet: only a live LIST tells which.
    """
    pods = (i.instance_id for i in (*observed.instances, *observed.adoptable))
    owed = (Names.id_of(name) for name in _owed(observed.status))
    return observed.status.last_instance_id > max((*pods, *owed), default=0)


def _owed(status: ScaleSetStatus) -> list[str]:
    """Every name in the ledger whose instance may be still to come."""
    names = [c.name for c in status.creating]
    names += [e.replacement for e in status.repairs.in_flight if e.replacement]
    names += [d.witness for d in status.repairs.doubts if d.witness]
    names += [e.instance for e in (status.maintenance.in_flight if status.maintenance else ())]
    return names + [s.replacement for s in (status.rollout.surge if status.rollout else ())]
