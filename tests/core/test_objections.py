"""What speaks against an act that is recorded, and for how long (protocol rules 4 and 5)."""

from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME, Objection, objection
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, wrong
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND: Final = timedelta(seconds=1)
ILL: Final = instances(1, unhealthy=(1,))[0]


def found(
    victim: Instance = ILL, *, too_many: bool = False, age: timedelta = SECOND, **fields: Any
) -> Objection | None:
    """What is said against the act on web-1, of so many seconds after its record."""
    bad = fields.pop("bad", wrong(1))
    seen = a_set(instances=(victim, *instances(40)[1:]), bad=bad, **fields)
    recorded = RepairEntry.model_validate(entry(1, 41, start=T0 - age))
    return objection(Scene.of(scale_set_spec(), seen, T0), recorded, victim, too_many=too_many)


def test_a_record_holds_for_five_seconds_and_its_slot_for_two_more() -> None:
    """Protocol rule 5: whoever was stopped may be about to delete, by a clock that differs."""
    assert found(age=RECORD_LIFETIME - SECOND) is None
    expired = found(age=RECORD_LIFETIME)
    assert expired == Objection(Reason.RECORD_EXPIRED, "not carried out in time", lasts=True)
    assert timedelta(seconds=5) == RECORD_LIFETIME
    assert timedelta(seconds=2) == CANCEL_AFTER - RECORD_LIFETIME
