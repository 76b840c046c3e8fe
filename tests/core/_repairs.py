"""Observations in which a repair is past its DELETE; for the tests of the ledger."""

from datetime import timedelta
from typing import Any

from scaleset_operator.core.observed import Instance, Observed
from tests.core._stories import (
    a_set,
    entry,
    ledger,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec()


def without_first(*more: Instance, **fields: Any) -> Observed:
    """Thirty-nine instances: web-1 is gone; its repair, whose name is web-41, owes one."""
    recorded = entry(1, 41, deleted=T0 - MINUTE, **fields.pop("entry", {}))
    status = ledger(recorded, last=fields.pop("last", 41))
    bad = fields.pop("bad", {})
    return a_set(instances=(*instances(40)[1:], *more), status=status, bad=bad, **fields)


def replacement(**fields: Any) -> Instance:
    """web-41, created a minute ago, running since 50 seconds."""
    values: dict[str, Any] = {"number": 41, "started": T0 - 50 * SECOND}
    return instance(**(values | fields))
