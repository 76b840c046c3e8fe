"""One extra instance, to learn whether a silent set is dead or unseen (protocol rule 18)."""

from dataclasses import replace
from datetime import timedelta

from scaleset_operator.api.base import Reason
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Outcome, ProberView
from scaleset_operator.core.plan import Purpose
from tests.core._silence import fallen
from tests.core._stories import a_set, condition, created, reasons, settle
from tests.support.builders import evidence, instance, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec(replicas=10, grace="PT60S")


def test_doubt_is_recorded_and_told_before_anything_else() -> None:
    """X-05, X-11, protocol rule 18: ProbeInconclusive, with the time of the witness."""
    story = fallen()
    plan = story.run(15 * SECOND)
    (doubt,) = story.seen.status.repairs.doubts
    assert doubt.witness is None
    assert doubt.next_time == doubt.since + MINUTE
    assert plan.look_again_at == doubt.next_time
    assert set(reasons(plan).values()) == {Reason.PROBE_INCONCLUSIVE}
    assert condition(plan, "InstancesHealthy") == ("Unknown", "ProbeInconclusive")
    assert condition(plan, "RepairsAllowed") == ("False", "ProbeInconclusive")
    warnings = [note for plan in story.plans for note in plan.notes if note.warning]
    assert [note.reason for note in warnings] == [Reason.PROBE_INCONCLUSIVE]


def test_rotation_is_kept_while_the_whole_set_is_silent() -> None:
    """X-05, protocol rule 20: a blind prober must not empty a Service."""
    story = fallen()
    story.behaviour = Outcome.TIMED_OUT
    story.run(10 * MINUTE)
    assert [story.pods[f"web-{n}"].in_rotation for n in range(1, 11)] == [True] * 10


def test_one_witness_is_sent_after_the_hold_and_recorded_before_it_is_created() -> None:
    """Protocol rules 3 and 18: one instance, of the latest model."""
    story = fallen()
    story.run(65 * SECOND)
    assert not story.names
    story.run(15 * SECOND)
    assert story.names == ["web-11"]
    recorded = [any(d.witness for d in p.status.repairs.doubts) for p in story.plans]
    first_create = next(n for n, plan in enumerate(story.plans) if created(plan))
    assert recorded.index(True) < first_create
    assert story.pods["web-11"].model == "m1"


def test_a_really_dead_set_is_repaired_at_the_cap_s_pace_once_the_witness_answers() -> None:
    """R-60, R-11, protocol rule 18: the witness is the first one's replacement."""
    story = fallen()
    most = 0
    for _ in range(60):
        story.run(5 * SECOND)
        status = story.seen.status
        most = max(most, len(status.repairs.in_flight))
        assert len(story.live) >= 9
    assert most == 1
    assert {act.purpose for act in story.taken} == {Purpose.REPAIR}
    assert len(story.taken) == 10
    assert story.seen.status.repairs.history[-1].replacement == "web-11"
    assert len(story.live) == 10
    assert not story.not_answering
    assert not story.seen.status.repairs.doubts


def test_the_witness_waits_a_full_timeout_of_silence_before_it_convicts() -> None:
    """Protocol rule 19: counted from its first answer."""
    story = fallen()
    story.run(75 * SECOND)
    story.run(15 * SECOND)
    assert not story.taken
    assert set(reasons(story.plans[-1]).values()) == {Reason.PROBE_INCONCLUSIVE}


def test_a_silent_witness_is_removed_and_nothing_else() -> None:
    """X-05, protocol rule 18: no instance is ever deleted to find out, and none as surplus."""
    story = fallen()
    story.behaviour = Outcome.TIMED_OUT
    story.run(30 * MINUTE)
    assert {act.purpose for act in story.taken} == {Purpose.WITNESS}
    assert {act.name for act in story.taken} <= set(story.names)
    assert {f"web-{n}" for n in range(1, 11)} <= set(story.pods)
    assert len(story.live) <= 11


def test_the_wait_between_witnesses_doubles_up_to_an_hour() -> None:
    """Protocol rule 18: told at the removal of each."""
    story = fallen(replicas=1)
    story.behaviour = Outcome.TIMED_OUT
    waits: dict[int, timedelta] = {}
    while len(waits) < 7:
        story.run(30 * SECOND, step=30 * SECOND)
        for doubt in story.seen.status.repairs.doubts:
            if doubt.attempts and doubt.next_time:
                waits.setdefault(doubt.attempts, doubt.next_time - story.now)
    assert [wait // MINUTE for wait in waits.values()] == [2, 4, 8, 16, 32, 60, 60]


def test_a_set_that_comes_back_by_itself_loses_its_witness_and_nobody_else() -> None:
    """X-05, protocol rule 18: when doubt ends otherwise the witness goes first."""
    story = fallen()
    story.run(80 * SECOND)
    assert story.names == ["web-11"]
    story.tell(Outcome.OK)
    story.run(MINUTE)
    assert [(act.name, act.purpose) for act in story.taken] == [("web-11", Purpose.WITNESS)]
    assert not story.seen.status.repairs.doubts
    assert {pod.name for pod in story.live} == {f"web-{n}" for n in range(1, 11)}


def test_a_witness_fills_the_place_of_an_instance_that_went_meanwhile() -> None:
    """Protocol rule 18: it stays where one is missing, and no other is created."""
    story = fallen()
    story.run(80 * SECOND)
    story.terminate("web-3")
    story.tell(Outcome.OK)
    story.run(MINUTE)
    assert story.names == ["web-11"]
    assert not story.taken
    assert len(story.live) == 10


def test_a_witness_that_vanishes_is_followed_by_one_of_another_name() -> None:
    """Protocol rule 18: names are never used again."""
    story = fallen()
    story.run(80 * SECOND)
    del story.pods["web-11"]
    story.run(5 * SECOND)
    assert story.names == ["web-11", "web-12"]


def test_a_witness_that_a_person_removes_counts_as_silent() -> None:
    """Protocol rule 18: the wait doubles."""
    story = fallen()
    story.run(80 * SECOND)
    story.terminate("web-11")
    story.turn()
    (doubt,) = story.seen.status.repairs.doubts
    assert (doubt.witness, doubt.attempts) == (None, 1)


def test_the_end_of_doubt_is_told_once() -> None:
    """X-11."""
    story = fallen()
    story.run(30 * SECOND)
    story.tell(Outcome.OK)
    story.run(MINUTE)
    told = [note for plan in story.plans for note in plan.notes if not note.warning]
    assert [note.reason for note in told] == [Reason.ANSWERING]


def test_an_instance_that_turned_healthy_since_is_a_witness_too() -> None:
    """Protocol rule 18: one of the set comes back, the others are convicted a timeout later."""
    story = fallen()
    story.run(30 * SECOND)
    story.tell(Outcome.OK, "web-4")
    story.run(10 * SECOND)
    assert not story.taken
    story.run(20 * SECOND)
    assert story.taken[0].purpose is Purpose.REPAIR
    assert not [name for name in story.names if name == "web-4"]


def test_a_witness_is_no_surplus_while_doubt_lasts() -> None:
    """R-53, protocol rule 18: eleven live, ten wanted, and nobody is listed for removal."""
    story = fallen()
    story.behaviour = Outcome.TIMED_OUT
    story.run(90 * SECOND)
    plan = decide(story.spec, story.observe(), story.now)
    assert plan.status.replicas == 11
    assert not plan.list_live
    assert not plan.status.scale_in


def test_a_healthy_witness_of_a_prober_gone_blind_is_kept() -> None:
    """Protocol rule 18: neither removed nor followed by another."""
    bad = dict.fromkeys(range(1, 11), evidence(outcome=Outcome.TIMED_OUT))
    pods = tuple(instance(number=n) for n in range(1, 12))
    doubt = {"group": "ScaleSet/web", "since": T0.isoformat(), "witness": "web-11"}
    blind = ProberView(beating_since=T0 - timedelta(hours=1), sees=False)
    status = {"repairs": {"doubts": [doubt]}}
    plan = settle(SPEC, a_set(instances=pods, bad=bad, status=status, prober=blind)).plan
    (kept,) = plan.status.repairs.doubts
    assert (kept.witness, kept.witness_uid) == ("web-11", "uid-web-11")
    assert not plan.status.scale_in


def test_a_protected_witness_is_never_removed() -> None:
    """R-47, protocol rule 18: silent it stays in doubt; once the set is back it is one of it."""
    story = fallen()
    story.behaviour = Outcome.TIMED_OUT
    story.run(80 * SECOND)
    story.pods["web-11"] = replace(story.pods["web-11"], protected_from_scale_in=True)
    story.run(5 * MINUTE)
    assert not story.taken
    story.tell(Outcome.OK)
    story.run(2 * MINUTE)
    assert [act.purpose for act in story.taken] == [Purpose.SCALE_IN]
    assert "web-11" in {pod.name for pod in story.live}
    assert len(story.live) == 10


def test_protection_that_comes_after_the_choice_spares_the_witness() -> None:
    """R-47, protocol rule 24: it counts again at once."""
    leaving = {"scaleIn": [{"name": "web-1", "uid": "uid-web-1", "purpose": "Witness"}]}
    pods = (instance(number=1, protected_from_actions=True),)
    plan = settle(scale_set_spec(replicas=1), a_set(instances=pods, status=leaving)).plan
    assert not plan.actions
    assert not plan.status.scale_in
    assert not plan.status.creating
