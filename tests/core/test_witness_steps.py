"""One turn of the doubt about a silent set, and every way it may go on (protocol rule 18)."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import Doubt
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Fleet, Instance, Outcome, ProberView
from scaleset_operator.core.plan import CreateInstance
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.witness import Doubts, look_into, witnesses
from tests.core._stories import a_set, entry, ledger, wrong
from tests.support.builders import evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TEN: Final = instances(10)
SILENT: Final = evidence(outcome=Outcome.TIMED_OUT)
BLIND: Final = ProberView(beating_since=T0 - 60 * MINUTE, sees=False)
DOMAIN: Final = 3


def doubt(**fields: Any) -> dict[str, Any]:
    values = {"group": "ScaleSet/web", "since": (T0 - 5 * MINUTE).isoformat()}
    return values | fields


def scene(
    *pods: Instance,
    recorded: dict[str, Any] | None = None,
    silent: Any = None,
    flight: Any = (),
    spec: dict[str, Any] | None = None,
    **fields: Any,
) -> Scene:
    """Ten wanted; all of them are silent, or those numbers."""
    stand = [] if recorded is None else [recorded]
    status = ledger(*flight, doubts=stand, last=20) | fields.pop("status", {})
    shown = pods or TEN
    running = [pod.instance_id for pod in shown if pod.live and pod.started]
    bad: dict[int, Any] = dict.fromkeys(running if silent is None else silent, SILENT)
    seen = a_set(instances=shown, bad=bad | fields.pop("bad", {}), status=status, **fields)
    return Scene.of(scale_set_spec(replicas=10, grace="PT60S", **(spec or {})), seen, T0)


def turn(*pods: Instance, **fields: Any) -> Doubts:
    here = scene(*pods, **fields)
    return look_into(here, Names.of(here.observed), DOMAIN)


def one(found: Doubts) -> Doubt:
    (kept,) = found.stand
    return kept


def removed(found: Doubts) -> list[tuple[str, str]]:
    return [(victim.name, victim.purpose.value) for victim in found.removals]


WITNESS: Final = instance(number=11, health=None, started=T0 - 30 * SECOND)
NAMED: Final = doubt(witness="web-11")


# --- It begins and ends ------------------------------------------------------------------------


@pytest.mark.parametrize("prober", [ProberView(beating_since=T0 - 60 * MINUTE), BLIND])
def test_doubt_begins_with_the_silence_and_waits_its_hold(prober: ProberView) -> None:
    """X-05: seen or blind; a minute at least."""
    found = turn(prober=prober)
    assert one(found) == Doubt(group="ScaleSet/web", since=T0, next_time=T0 + MINUTE)
    assert found.again == [T0 + MINUTE]
    (note,) = found.notes
    assert (note.reason, note.warning) == (Reason.PROBE_INCONCLUSIVE, True)


def test_where_one_answers_there_is_no_doubt() -> None:
    """Protocol rule 18."""
    found = turn(silent=range(2, 11))
    assert (found.stand, found.notes, found.again) == ((), [], [])


@pytest.mark.parametrize("fields", [{"view_is_fresh": False}, {"probe": None}])
def test_without_a_fresh_view_or_a_probe_doubt_stands_as_it_is(fields: dict[str, Any]) -> None:
    """X-07."""
    found = turn(TEN[0], *TEN[1:], WITNESS, recorded=NAMED, silent=(), **fields)
    assert one(found).witness == "web-11"
    assert not found.removals
    assert not turn(**fields).stand


def test_a_doubt_that_is_resolved_sends_the_witness_away() -> None:
    """Protocol rule 18: while it is an extra one, and not protected."""
    well = instance(number=11)
    ended = turn(*TEN, well, recorded=NAMED, silent=())
    assert (ended.stand, removed(ended)) == ((), [("web-11", "Witness")])
    kept = instance(number=11, protected_from_scale_in=True)
    assert not turn(*TEN, kept, recorded=NAMED, silent=()).removals
    assert not turn(*TEN[1:], well, recorded=NAMED, silent=()).removals, "it is one of the ten"
    assert not turn(*TEN, recorded=NAMED, silent=()).removals
    assert not turn(*TEN, recorded=doubt(), silent=()).removals
    gone = instance(number=11, terminating=True)
    assert not turn(*TEN, gone, recorded=NAMED, silent=()).removals


def test_a_witness_that_replaces_another_is_no_extra_one() -> None:
    """Protocol rules 6 and 18: whatever else is owed."""
    well = instance(number=11)
    ours = entry(1, 11, deleted=T0 - SECOND)
    theirs = entry(2, 31, deleted=T0 - SECOND)
    assert not turn(*TEN[1:], well, recorded=NAMED, silent=(), flight=[ours]).removals
    begun = turn(*TEN, well, recorded=NAMED, silent=(), flight=[entry(1, 11)])
    assert not begun.removals, "its victim is still there"
    other = turn(*TEN[2:], TEN[0], well, recorded=NAMED, silent=(), flight=[theirs])
    assert removed(other) == [("web-11", "Witness")], "nine, it, and one that is owed"
    due = T0 + MINUTE
    told = instance(number=2, terminate_at=due)
    row = entry(2, 31, phase="Notified", terminateAt=due.isoformat())
    pods = (TEN[0], told, *TEN[2:], well)
    assert removed(turn(*pods, recorded=NAMED, silent=(), flight=[row])) == [("web-11", "Witness")]


@pytest.mark.parametrize(
    ("change", "awaited"),
    [
        ({}, True),
        ({"published": None}, True),
        ({"protected_from_actions": True}, False),
        ({"started": T0 - 30 * SECOND}, False),
    ],
)
def test_while_a_repair_is_due_its_replacement_to_be_is_waited_for(
    change: dict[str, Any], *, awaited: bool
) -> None:
    """Protocol rule 18: due, or about to be once its verdict stands on the pod."""
    ill = instance(number=1, **({"health": VMHealth.UNHEALTHY} | change))
    pods = (ill, *TEN[1:], instance(number=11))
    found = turn(*pods, recorded=NAMED, silent=(), bad=wrong(1))
    assert bool(found.stand) is awaited
    assert bool(found.removals) is not awaited


# --- It sends a witness ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "sent"), [(None, True), (T0, True), (T0 + SECOND, False), (T0 - MINUTE, True)]
)
def test_a_witness_is_named_when_the_wait_is_over(due: Any, *, sent: bool) -> None:
    """Protocol rules 3 and 18: recorded first, created by the next decision."""
    recorded = doubt(nextTime=None if due is None else due.isoformat(), witnessUID="uid-gone")
    found = turn(recorded=recorded)
    assert one(found).witness == ("web-21" if sent else None)
    assert (found.acts, found.again) == ([], [] if sent else [due])
    assert [note.reason for note in found.notes] == ([Reason.WITNESS_CREATED] if sent else [])
    assert not sent or one(found).witness_uid is None


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, True),
        ({"prober": BLIND}, False),
        ({"spec": {"policy": {"mode": "Observe"}}}, False),
        ({"fleet": Fleet(watched_sets=2, silent_sets=2, witnesses=1)}, False),
        ({"fleet": Fleet(watched_sets=2, silent_sets=2, witnesses=0)}, True),
        ({"fleet": Fleet(watched_sets=3, silent_sets=2, witnesses=1)}, False),
        ({"fleet": Fleet(watched_sets=4, silent_sets=2, witnesses=1)}, True),
        ({"fleet": Fleet(watched_sets=1, silent_sets=1, witnesses=1)}, True),
    ],
)
def test_none_is_named_that_could_show_nothing_or_that_another_set_has_sent(
    fields: dict[str, Any], *, sent: bool
) -> None:
    """Protocol rule 18: one in all while more than half of the sets are silent together."""
    assert (one(turn(recorded=doubt(), **fields)).witness is not None) is sent


def test_a_witness_is_made_of_the_latest_model_in_the_domain_that_is_next() -> None:
    """Protocol rule 18, M-11."""
    found = turn(recorded=NAMED)
    assert found.acts == [
        CreateInstance(name="web-11", instance_id=11, update_domain=DOMAIN, model="m1")
    ]
    assert one(found).witness == "web-11"


@pytest.mark.parametrize(("left", "made"), [(SECOND, False), (0 * SECOND, True)])
def test_while_creates_are_refused_none_is_made(left: timedelta, *, made: bool) -> None:
    """Protocol rule 9."""
    refused = (Reason.CREATE_FORBIDDEN, "quota", T0 + left)
    assert bool(turn(recorded=NAMED, create_refused=refused).acts) is made


@pytest.mark.parametrize(
    ("recorded", "fields"),
    [(NAMED | {"witnessUID": "uid-web-11"}, {}), (NAMED, {"unusable": frozenset({"web-11"})})],
    ids=["it was there", "its name is taken"],
)
def test_one_that_vanished_or_cannot_be_made_is_followed_by_the_next_name(
    recorded: dict[str, Any], fields: dict[str, Any]
) -> None:
    """Protocol rule 7."""
    found = turn(recorded=recorded, **fields)
    assert (one(found).witness, one(found).witness_uid, found.acts) == ("web-21", None, [])


# --- It hears its word -------------------------------------------------------------------------


def test_a_witness_that_has_come_is_known_by_its_uid_and_waited_for() -> None:
    """Protocol rules 9 and 18: the grace of a slot, from its containers' start."""
    found = turn(*TEN, WITNESS, recorded=NAMED)
    assert one(found).witness_uid == "uid-web-11"
    assert (found.again, found.removals) == ([T0 + 30 * SECOND], [])
    unmade = instance(number=11, health=None, started=None, created=T0 - 10 * SECOND)
    assert turn(*TEN, unmade, recorded=NAMED).again == [T0 + 50 * SECOND]


@pytest.mark.parametrize("attempts", [0, 1, 5, 6, 60])
def test_one_that_stays_silent_goes_and_the_wait_doubles_up_to_an_hour(attempts: int) -> None:
    """Protocol rule 18: it says nothing against the others."""
    late = instance(number=11, health=None, started=T0 - MINUTE)
    found = turn(*TEN, late, recorded=NAMED | {"attempts": attempts, "witnessUID": "uid-web-11"})
    assert removed(found) == [("web-11", "Witness")]
    wait = min(60 * MINUTE, MINUTE * 2 ** min(attempts + 1, 10))
    assert found.again == [T0 + wait]
    kept = one(found)
    assert (kept.witness, kept.witness_uid) == (None, None)
    assert (kept.attempts, kept.next_time) == (attempts + 1, T0 + wait)
    (note,) = found.notes
    assert (note.reason, note.warning) == (Reason.WITNESS_SILENT, True)
    assert note.message == "web-11 did not answer either"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"protected_from_actions": True}, {}),
        ({}, {"prober": BLIND}),
        ({"started": T0 - 59 * SECOND}, {}),
    ],
    ids=["protected", "blind", "a second left"],
)
def test_a_witness_is_kept_where_its_silence_says_nothing(
    change: dict[str, Any], fields: dict[str, Any]
) -> None:
    """R-47, protocol rule 18."""
    late = instance(number=11, **({"health": None, "started": T0 - MINUTE} | change))
    found = turn(*TEN, late, recorded=NAMED, **fields)
    assert not found.removals
    assert len(found.again) == 1
    assert one(found).witness == "web-11"


def test_one_that_ended_by_itself_was_silent_too() -> None:
    """Protocol rule 18: and needs no removal."""
    for pod in (instance(number=11, terminating=True), instance(number=11, over=True)):
        found = turn(*TEN, pod, recorded=NAMED)
        assert (one(found).witness, found.removals) == (None, [])
        assert one(found).attempts == 1


# --- It does not count -------------------------------------------------------------------------


def test_witnesses_are_beside_the_number_that_is_wanted() -> None:
    """Protocol rule 18: while doubt lasts, and on their way out; a protected one that was to go
    counts again."""
    here = scene(*TEN, WITNESS, recorded=NAMED)
    found = look_into(here, Names.of(here.observed), DOMAIN)
    assert witnesses(here, found) == {"web-11"}
    leaving = [{"name": "web-12", "uid": "uid-web-12", "purpose": "Witness"}]
    leaving += [{"name": "web-3", "uid": "uid-web-3", "purpose": "ScaleIn"}]
    leaving += [{"name": "web-13", "uid": "uid-web-13", "purpose": "Witness"}]
    leaving += [{"name": "web-14", "uid": "uid-web-14", "purpose": "Witness"}]
    pods = (*TEN, instance(number=12), instance(number=13, protected_from_scale_in=True))
    after = scene(*pods, silent=(), status={"scaleIn": leaving})
    assert witnesses(after, Doubts()) == {"web-12"}
