"""One turn of opening repairs: who gets a slot, with which replacement, and what is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import Doubt
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance, Observed
from scaleset_operator.core.repair import Opened, open_repairs
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE: Final = timedelta(minutes=1)
BOTH: Final = frozenset({"web-1", "web-2"})


def opened(seen: Observed, *doubts: Doubt) -> Opened:
    scene = Scene.of(scale_set_spec(), seen, T0)
    return open_repairs(scene, Names.of(seen), Scaling(entries=list(scene.entries)), doubts)


def pods(*changed: Instance, unhealthy: tuple[int, ...] = ()) -> tuple[Instance, ...]:
    """Forty, of which these are others."""
    known = {pod.instance_id: pod for pod in (*instances(40, unhealthy=unhealthy), *changed)}
    return tuple(known.values())


def begun(found: Opened) -> list[str]:
    return [one.instance for one in found.entries]


def told(found: Opened) -> dict[str, tuple[Reason, Any]]:
    return {one.instance: (one.reason, one.until) for one in found.decisions}


def test_a_closed_gate_stays_closed_behind_one_that_is_opened() -> None:
    """R-20, R-47: the budget of the second is asked, and cannot open what another rule closes."""
    kept = instance(number=2, health=VMHealth.UNHEALTHY, protected_from_actions=True)
    seen = a_set(instances=pods(kept, unhealthy=(1,)), bad=wrong(1, 2), live_reads=BOTH)
    found = opened(seen)
    assert begun(found) == ["web-1"]
    assert told(found)["web-2"] == (Reason.INSTANCE_PROTECTED, None)


def test_a_witness_waits_for_the_first_that_can_be_recorded() -> None:
    """Protocol rules 3 and 18: one that is only read yet takes nothing."""
    doubt = Doubt(group="set", since=T0 - MINUTE, witness="web-41")
    seen = a_set(
        instances=pods(instance(number=41), unhealthy=(1, 2)),
        bad=wrong(1, 2),
        live_reads=frozenset({"web-2"}),
    )
    found = opened(seen, doubt)
    (made,) = found.entries
    assert (made.instance, made.replacement, made.replacement_uid) == (
        "web-2",
        "web-41",
        "uid-web-41",
    )
    assert found.reads == {"web-1"}


def test_those_that_a_person_asks_for_go_by_their_names() -> None:
    """R-23, R-55: whatever the order in which they are seen."""
    asked = [instance(number=n, repair_request="requested") for n in (2, 1)]
    seen = a_set(instances=tuple(reversed(pods(*asked))), live_reads=BOTH)
    assert begun(opened(seen)) == ["web-1", "web-2"]


DUE: Final = T0 + 5 * MINUTE
NOTICED: Final[dict[str, Any]] = {
    "phase": "Notified",
    "start": T0 - MINUTE,
    "terminateAt": DUE.isoformat(),
}


def test_one_that_approved_is_gone_and_nothing_waits_for_its_deadline() -> None:
    """R-52, R-54, X-11: its replacement that fell ill waits for the repair alone."""
    ill = instance(number=41, health=VMHealth.UNHEALTHY)
    told_ = instance(number=1, health=VMHealth.UNHEALTHY, terminate_at=DUE)
    for first, until in ((told_, DUE), (replace(told_, terminating=True), None)):
        seen = a_set(
            instances=pods(first, ill), bad=wrong(1, 41), status=ledger(entry(1, 41, **NOTICED))
        )
        assert told(opened(seen))["web-41"] == (Reason.WAITING_FOR_HEALTH, until)


def test_one_under_notice_hides_none_of_the_repairs_behind_it() -> None:
    """X-11."""
    first = instance(number=1, health=VMHealth.UNHEALTHY, terminate_at=DUE)
    rows = ledger(entry(1, 41, **NOTICED), entry(2, 42))
    seen = a_set(instances=pods(first, unhealthy=(2,)), bad=wrong(1, 2), status=rows)
    assert told(opened(seen)) == {
        "web-1": (Reason.TERMINATION_DELAYED, DUE),
        "web-2": (Reason.REPLACEMENT_STARTING, None),
    }
