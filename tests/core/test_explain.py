"""An explanation says what is decided, by which gate, and until when; and what then happens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from scaleset_operator.api.base import REASON_TEXT, ObjectMeta, Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSet, ScaleSetSpec
from scaleset_operator.core.decide import decide
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.explain import Explanation, Fate, explain
from scaleset_operator.core.gates import OF_THE_INSTANCE, OF_THE_SET
from scaleset_operator.core.model import images_of, model_of, shape_of
from scaleset_operator.core.observed import (
    Instance,
    Observed,
    Outcome,
    ProberView,
    Published,
    TemplateView,
)
from scaleset_operator.core.plan import Gate, PublishHealth
from scaleset_operator.core.retold import Read, scene_of
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wording import QUESTIONS, answer, question, sentence
from tests.core._situations import OBSTACLES, Situation, situations
from tests.core._stories import a_set, entry, ledger, settle, wrong
from tests.core.test_decide_properties import LATEST, OLDER, observations, specs
from tests.support.builders import RUNNING, TEMPLATE, evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.timeout(300)


def all_read(seen: Observed) -> Observed:
    """The same, as if every pod had been read live just now."""
    entries = seen.status.repairs.in_flight
    named = {e.instance for e in entries} | {e.replacement for e in entries if e.replacement}
    named |= {pod.name for pod in seen.instances}
    return replace(seen, live_reads=frozenset(named), listed=True)


def told(spec: ScaleSetSpec, seen: Observed, name: str = "web-1") -> Explanation:
    found = explain(Scene.of(spec, all_read(seen), T0), name)
    assert found is not None
    return found


# --- It is what is decided ---------------------------------------------------------------------


@given(situation=situations())
def test_an_explanation_is_what_decide_decides(situation: Situation) -> None:
    """X-11: the same decision, reason and time, and the first closed gate is the reason."""
    spec, seen = situation
    settled = settle(spec, seen)
    decided = {d.instance: d for d in settled.plan.decisions}
    for pod in seen.instances:
        found = told(spec, settled.seen, pod.name)
        assert found.decision == decided.get(pod.name)
        if found.fate is Fate.WAIT:
            assert found.closed is not None
            assert found.decision is not None
            assert found.closed.reason == found.decision.reason
            assert found.until == found.closed.until
        if found.fate is Fate.NOTHING:
            assert not found.gates[0].open
        assert sentence(found)


@given(situation=situations())
def test_what_is_said_to_be_repaired_now_is_repaired_and_nothing_else(
    situation: Situation,
) -> None:
    """R-14, X-11: open gates and a free slot, if and only if the turn records the repair."""
    spec, seen = situation
    recorded = decide(spec, all_read(seen), T0).status.repairs.in_flight
    before = {e.uid for e in seen.status.repairs.in_flight}
    begun = {e.instance for e in recorded if e.uid not in before}
    for pod in seen.instances:
        found = told(spec, seen, pod.name)
        assert (found.fate is Fate.REPAIR) == (pod.name in begun)
        if found.fate is Fate.REPAIR:
            assert found.closed is None


def barrier(spec: ScaleSetSpec, seen: Observed, pod: Instance) -> str | None:
    """The gate that is the first closed one, by the name of its rule."""
    scene = Scene.of(spec, all_read(seen), T0)
    for gate in OF_THE_SET:
        if not gate(scene).open:
            return gate.__name__
    for ask in OF_THE_INSTANCE:
        if not ask(scene, pod).open:
            return ask.__name__
    return None


def test_the_situations_reach_every_gate_every_fate_and_every_kind_of_act() -> None:
    """X-11: what the two properties above are worth; a new gate must be reached too."""
    closed, fates, acts = set[str | None](), set[Fate](), set[str]()

    def look(situation: Situation) -> None:
        spec, seen = situation
        settled = settle(spec, seen)
        acts.update(f"{type(a).__name__} {getattr(a, 'purpose', '')}" for a in settled.plan.actions)
        for pod in seen.instances:
            found = told(spec, seen, pod.name)
            fates.add(found.fate)
            if found.fate in (Fate.WAIT, Fate.REPAIR, Fate.LEAVES):
                closed.add(barrier(spec, seen, pod))

    for obstacle in dict.fromkeys(OBSTACLES):
        settings(
            max_examples=250 if obstacle is OBSTACLES[0] else 40,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(situations(obstacle))(look))()
    assert {gate.__name__ for gate in (*OF_THE_SET, *OF_THE_INSTANCE)} <= closed
    assert None in closed, "Observe, no free slot, or a repair that begins"
    assert fates == set(Fate)
    kinds = ("repair", "rollout", "scale_in", "witness", "over")
    assert acts >= {f"DeleteInstance {kind}" for kind in kinds}
    assert acts >= {
        "RenewInstance repair",
        "RenewInstance rollout",
        "GiveNotice ",
        "CreateInstance ",
    }


# --- Without a prober --------------------------------------------------------------------------


def shown(settled_seen: Observed, acts: Any) -> Observed:
    """The observation with every verdict published."""
    words = {act.uid: act for act in acts if isinstance(act, PublishHealth)}
    pods = []
    for pod in settled_seen.instances:
        act = words.get(pod.uid)
        if act is not None and act.health is not None:
            known = pod.published
            since = known.since if known and known.health is act.health else T0
            health = Published(health=act.health, reason=act.reason, since=since)
            pods.append(replace(pod, published=health))
        else:
            pods.append(pod)
    return replace(settled_seen, instances=tuple(pods))


def by_word(spec: ScaleSetSpec, seen: Observed) -> Scene:
    """What somebody without a prober rebuilds from the cluster."""
    meta = ObjectMeta(name=seen.name, namespace=seen.namespace, uid=seen.uid, generation=1)
    resource = ScaleSet(metadata=meta, spec=spec, status=seen.status)
    return scene_of(Read(resource=resource, instances=seen.instances), T0)


@given(spec=specs(), seen=observations())
def test_somebody_without_a_prober_says_what_the_operator_decides(
    spec: ScaleSetSpec, seen: Observed
) -> None:
    """X-11: of every instance that is not healthy, from what was published alone."""
    model = model_of(TEMPLATE)
    models = {LATEST: model, OLDER: f"{shape_of(model)}-older"}
    older = replace(RUNNING, images=("instance:0",))
    pods = tuple(
        replace(
            p,
            model=models.get(p.model, p.model),
            containers=older if p.containers == RUNNING else p.containers,
        )
        for p in seen.instances
    )
    # What the operator cannot see at the moment it tells of its own unhealthy instances only.
    template = replace(seen.template, model=model, images=images_of(TEMPLATE))
    seen = replace(seen, instances=pods, template=template, view_is_fresh=True)
    first = settle(spec, seen)
    second = settle(spec, shown(first.seen, first.plan.actions))
    scene = by_word(spec, second.seen)
    for decision in second.plan.decisions:
        found = explain(scene, decision.instance)
        assert found is not None
        assert found.decision is not None
        theirs = (decision.decision, decision.reason)
        assert (found.decision.decision, found.decision.reason) == theirs
    known = {d.instance for d in second.plan.decisions}
    for pod in second.seen.instances:
        if pod.live and pod.name not in known:
            quiet = explain(scene, pod.name)
            assert quiet is not None
            assert quiet.decision is None


def test_a_budget_without_room_is_known_by_the_operators_word() -> None:
    """X-11: the plugin sees no PodDisruptionBudget."""
    model = model_of(TEMPLATE)
    ready = (("Ready", VMHealth.HEALTHY, T0 - 60 * MINUTE),)
    ill = instances(40, unhealthy=(1, 2, 3), model=model, reports=ready)
    pods = tuple(replace(pod, ready=True) for pod in ill)
    short = Budget(name="db", allowed=1, healthy=38, desired=37)
    over = {pod.name: (short,) for pod in pods}
    spec = scale_set_spec(policy={"disruptionBudgets": "Enforce"})
    seen = a_set(
        instances=pods,
        bad=wrong(1, 2, 3),
        template=TemplateView(model=model),
        disruption=Disruption(over=over),
    )
    settled = settle(spec, seen)
    reasons = {d.instance: d.reason for d in settled.plan.decisions}
    assert reasons["web-2"] is Reason.DISRUPTION_BUDGET
    scene = by_word(spec, settled.seen)
    for name, reason in reasons.items():
        found = explain(scene, name)
        assert found is not None
        assert found.decision is not None
        assert found.decision.reason is reason
    found = told(spec, settled.seen, "web-2")
    assert found.closed is not None
    assert "1 disruptions allowed, 1 of them taken" in found.closed.detail
    assert len({gate.reason for gate in found.gates}) >= len(found.gates) - 2


# --- Single cases ------------------------------------------------------------------------------


def test_an_instance_in_grace_waits_until_its_end() -> None:
    """R-24, X-11: and the other gates are asked too, the slot last."""
    first = instance(number=1, health=VMHealth.UNHEALTHY, started=T0 - 19 * MINUTE)
    seen = a_set(bad=wrong(1), instances=(first, *instances(40)[1:]))
    found = told(scale_set_spec(), seen)
    assert found.fate is Fate.WAIT
    assert found.until == T0 + 11 * MINUTE
    assert [g.reason for g in found.gates if not g.open] == [Reason.IN_GRACE_PERIOD]
    assert found.gates[-1].detail == "0 of 2 in flight"
    assert sentence(found) == (
        "Deferred/InGracePeriod: not before 2026-11-21T08:11:00Z; then it needs a free slot."
    )


def test_one_that_waits_for_a_slot_is_told_how_many_wait_before_it() -> None:
    """R-23, X-11."""
    settled = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3, 4, 5)))
    found = [told(scale_set_spec(), settled.seen, f"web-{n}") for n in range(1, 6)]
    fates = [Fate.IN_REPAIR, Fate.IN_REPAIR, Fate.WAIT, Fate.WAIT, Fate.WAIT]
    assert [f.fate for f in found] == fates
    assert [f.ahead for f in found] == [0, 0, 0, 1, 2]
    assert sentence(found[2]) == "Deferred/BatchLimitReached: until a slot is free."
    assert sentence(found[4]).endswith("at the first free slot, after 2 that wait for longer.")


def test_a_healthy_instance_has_nothing_to_fear_and_is_told_why() -> None:
    found = told(scale_set_spec(), a_set())
    assert found.fate is Fate.NOTHING
    assert sentence(found) == "Nothing to do, because it is Healthy: answers as expected."
    assert not found.gates[0].open
    assert all(gate.open for gate in found.gates[1:])


def test_one_whose_health_is_not_known_is_told_when_that_may_change() -> None:
    """X-08."""
    seen = a_set(2, bad={1: evidence(outcome=Outcome.WRONG_STATUS)}, prober=ProberView())
    young = replace(seen.instances[1], published=None)
    seen = replace(seen, instances=(seen.instances[0], young))
    assert told(scale_set_spec(), seen).fate is Fate.WAIT
    unknown = told(scale_set_spec(), seen, "web-2")
    assert unknown.fate is Fate.NOTHING
    assert "its health is not known: the prober is silent" in sentence(unknown)


@pytest.mark.parametrize(
    ("change", "fate", "words"),
    [
        ({"terminating": True}, Fate.TERMINATING, "Its deletion was accepted"),
        ({"over": True}, Fate.OVER, "It has ended by itself"),
    ],
)
def test_one_that_is_no_instance_any_more_is_told_so(
    change: dict[str, Any], fate: Fate, words: str
) -> None:
    seen = a_set()
    first = replace(seen.instances[0], **change)
    found = told(scale_set_spec(), replace(seen, instances=(first, *seen.instances[1:])))
    assert found.fate is fate
    assert words in sentence(found)
    assert found.gates == ()


@pytest.mark.parametrize("change", [{"terminating": True}, {"over": True}])
def test_of_one_that_is_not_judged_any_more_what_stands_on_it_is_told(
    change: dict[str, Any],
) -> None:
    """X-11: since when it is so; one on which nothing was published, since it was made."""
    for shown in (instance(health=VMHealth.UNHEALTHY, since=T0 - MINUTE), instance(health=None)):
        seen = a_set(instances=(replace(shown, **change), *instances(40)[1:]))
        found = told(scale_set_spec(), seen)
        since = T0 - MINUTE if shown.published else shown.created
        assert (found.health, found.since) == (VMHealth.UNKNOWN, since)
        assert (found.reason, found.message) == ("", "")


def test_an_explanation_has_the_verdict_and_the_decision_as_they_are() -> None:
    """X-11: it has fallen ill now, and Healthy stands on it still."""
    first = instance(number=1, started=T0 - 19 * MINUTE)
    seen = a_set(bad=wrong(1), instances=(first, *instances(40)[1:]))
    (decision,) = settle(scale_set_spec(), seen).plan.decisions
    found = told(scale_set_spec(), seen)
    assert replace(found, gates=()) == Explanation(
        instance="web-1",
        at=T0,
        fate=Fate.WAIT,
        health=VMHealth.UNHEALTHY,
        since=T0,
        reason=Reason.WRONG_STATUS,
        message="HTTP 503, 200 is expected; no success for 11s",
        decision=decision,
    )


def test_of_a_victim_that_is_gone_its_repair_is_told() -> None:
    """R-14, X-11: and of a replacement that is not there yet, nothing."""
    seen = a_set(instances=instances(40)[1:], status=ledger(entry(1, 41, deleted=T0), last=41))
    settled = settle(scale_set_spec(), seen)
    (decision,), (recorded,) = settled.plan.decisions, settled.entries
    assert told(scale_set_spec(), settled.seen) == Explanation(
        instance="web-1",
        at=T0,
        fate=Fate.IN_REPAIR,
        health=decision.health,
        since=decision.since,
        reason=Reason.REPLACEMENT_STARTING,
        message="HTTP 503",
        decision=decision,
        entry=recorded,
    )
    assert explain(Scene.of(scale_set_spec(), all_read(settled.seen), T0), "web-41") is None


def test_one_that_terminates_is_told_why_while_its_record_stands() -> None:
    """R-22, X-07: on an old view nothing is struck off the list."""
    going = instance(number=1, terminating=True)
    leaving = [{"name": "web-1", "uid": "uid-web-1", "purpose": "Rollout"}]
    pods = (going, *instances(40)[1:])
    status = ledger() | {"scaleIn": leaving}
    seen = a_set(instances=pods, status=status, view_is_fresh=False)
    found = told(scale_set_spec(), seen)
    assert (found.fate, found.purpose) == (Fate.TERMINATING, "Rollout")
    assert sentence(found) == "It is removed: it is of an older model."


@pytest.mark.parametrize(
    ("published", "decided", "until"),
    [(VMHealth.HEALTHY, False, T0 + timedelta(seconds=6)), (VMHealth.UNHEALTHY, True, None)],
)
def test_the_first_question_is_whether_it_ails_and_its_answer_is_the_verdict(
    published: VMHealth, until: Any, *, decided: bool
) -> None:
    """X-08, X-11: when the verdict may change is told where there is nothing to decide yet."""
    first = instance(number=1, health=published)
    back = ProberView(beating_since=T0 - timedelta(seconds=5))
    seen = a_set(bad=wrong(1), instances=(first, *instances(40)[1:]), prober=back)
    assert told(scale_set_spec(), seen).gates[0] == Gate(
        reason=Reason.HEALTH_UNKNOWN,
        open=decided,
        detail="no full timeout has been watched",
        until=until,
        asks="it is not healthy",
    )


def test_what_the_same_decision_closed_behind_the_gates_stands_last_but_the_slot() -> None:
    """R-51, X-11: the old one goes at its deadline, and until then its successor stays."""
    due = T0 + 5 * MINUTE
    told_to_go = instance(health=VMHealth.UNHEALTHY, terminate_at=due, in_rotation=False)
    ill = instance(number=41, health=VMHealth.UNHEALTHY, started=T0 - 40 * MINUTE)
    flight = ledger(entry(1, 41, terminateAt=due.isoformat(), phase="Notified"), last=41)
    pods = (told_to_go, *instances(40)[1:], ill)
    seen = a_set(bad=wrong(1, 41), instances=pods, status=flight)
    found = told(scale_set_spec(), seen, "web-41")
    assert found.gates[-2] == found.closed
    assert found.closed == Gate(
        reason=Reason.WAITING_FOR_HEALTH,
        open=False,
        detail="it replaces web-1, whose repair is not closed",
        until=due,
    )


def test_a_budget_that_another_repair_of_the_same_turn_has_spent_is_asked_once() -> None:
    """X-11: the answer is the later one."""
    ready = (("Ready", VMHealth.HEALTHY, T0 - 60 * MINUTE),)
    pods = instances(40, unhealthy=(1, 2), reports=ready, ready=True)
    short = Budget(name="db", allowed=1, healthy=38, desired=37)
    over = Disruption(over={pod.name: (short,) for pod in pods})
    seen = a_set(instances=pods, bad=wrong(1, 2), disruption=over)
    spec = scale_set_spec(policy={"disruptionBudgets": "Enforce"})
    assert told(spec, seen).fate is Fate.REPAIR
    found = told(spec, seen, "web-2")
    asked = [gate for gate in found.gates if gate.reason is Reason.DISRUPTION_BUDGET]
    assert asked == [found.closed]
    assert "1 of them taken" in asked[0].detail
    assert {gate.reason for gate in found.gates} >= {Reason.DISABLED, Reason.OBSERVE_MODE}


def test_a_victim_that_is_gone_and_its_replacement_are_told_of_their_repair() -> None:
    """R-14."""
    pods = (*instances(41)[1:-1], instance(number=41, health=None, started=T0 - MINUTE))
    seen = a_set(instances=pods, status=ledger(entry(1, 41), last=41))
    seen = replace(seen, evidence={})
    gone = told(scale_set_spec(), seen)
    assert gone.fate is Fate.IN_REPAIR
    assert sentence(gone) == "Repairing/WaitingForHealth: Replacing, replaced by web-41."
    found = told(scale_set_spec(), seen, "web-41")
    assert found.fate is Fate.REPLACES
    assert sentence(found) == "It replaces web-1; that repair is closed when it is Healthy."
    assert explain(Scene.of(scale_set_spec(), seen, T0), "web-99") is None


def test_one_that_leaves_anyway_is_told_why() -> None:
    """R-22, M-11."""
    leaving = [{"name": "web-1", "uid": "uid-web-1", "purpose": "Rollout"}]
    found = told(scale_set_spec(), a_set(status=ledger() | {"scaleIn": leaving}))
    assert found.fate is Fate.LEAVES
    assert sentence(found) == "It is removed: it is of an older model."


def test_one_that_a_rollout_renews_is_told_so() -> None:
    """X-11: by the operator and by the plugin alike."""
    step = {"model": LATEST, "fromModel": OLDER, "startTime": T0.isoformat()}
    rows = [{"instance": "web-1", "uid": "uid-web-1", **step}]
    found = told(scale_set_spec(), a_set(status=ledger() | {"renewals": rows}))
    assert found.fate is Fate.RENEWED
    assert sentence(found) == (
        "It is renewed in place: it stays, and gets the images of the latest model."
    )


def test_an_answer_tells_the_numbers_that_were_compared() -> None:
    """X-11: and of an open gate nothing that would be true of a closed one only."""
    first = instance(number=1, health=VMHealth.UNHEALTHY, started=T0 - 19 * MINUTE)
    seen = a_set(bad=wrong(1), instances=(first, *instances(40)[1:]))
    said = {g.reason: answer(g, T0) for g in told(scale_set_spec(), seen).gates[1:]}
    assert {reason: text for reason, text in said.items() if text} == {
        Reason.TOO_MANY_INSTANCES: "replicas 40, limits Standard",
        Reason.IN_GRACE_PERIOD: "until 2026-11-21T08:11:00Z",
        Reason.BATCH_LIMIT_REACHED: "0 of 2 in flight",
    }
    older = told(scale_set_spec(), a_set(bad=wrong(1)))
    (grace,) = [g for g in older.gates if g.reason is Reason.IN_GRACE_PERIOD]
    assert answer(grace, T0) == "it ended 2026-11-21T07:30:00Z"


def test_every_gate_asks_a_question_in_words() -> None:
    """X-11."""
    found = told(scale_set_spec(), a_set(bad=wrong(1)))
    assert len(found.gates) == len(OF_THE_SET) + len(OF_THE_INSTANCE) + 3
    asked = [question(gate) for gate in found.gates]
    assert asked[0] == "it is not healthy"
    assert len(set(asked)) == len(asked)
    assert {gate.reason for gate in found.gates[1:]} <= set(QUESTIONS)
    assert set(QUESTIONS) <= set(REASON_TEXT)
