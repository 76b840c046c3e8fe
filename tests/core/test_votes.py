"""A second vantage: its one good word vetoes a verdict of silence, and nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import LISTEN_AGAIN, Verdict, judge
from scaleset_operator.core.observed import Evidence, Outcome
from tests.core._stories import a_set, published, reasons, settle, under_repair
from tests.support.builders import evidence, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SPEC = scale_set_spec()
SECOND = timedelta(seconds=1)


def judged(
    outcome: Outcome | Evidence, vote: datetime | None, *, bad: bool = False, **fields: Any
) -> Verdict:
    """The verdict on one of forty that is silent, or whatever, while the others answer."""
    found = outcome if isinstance(outcome, Evidence) else evidence(outcome=outcome)
    pods = instances(40, unhealthy=[1] if bad else ())
    votes = {} if vote is None else {pods[0].uid: vote}
    seen = a_set(instances=pods, bad={1: found}, votes=votes, **fields)
    return judge(SPEC, seen, T0)[pods[0].uid]


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.UNREACHABLE])
def test_a_silent_instance_that_another_prober_hears_is_left_as_it_stands(outcome: Outcome) -> None:
    """Rule 15: silent to one prober is that prober's own matter."""
    verdict = judged(outcome, T0 - SECOND)
    assert verdict.doubt is Doubtfulness.SEEN_ELSEWHERE
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, False)
    assert (verdict.in_rotation, verdict.reason) == (None, Reason.PROBE_INCONCLUSIVE)
    assert judged(outcome, None).health is VMHealth.UNHEALTHY


@pytest.mark.parametrize("outcome", [Outcome.WRONG_STATUS, Outcome.REFUSED, Outcome.MALFORMED])
def test_an_answer_that_is_wrong_stands_against_every_vote(outcome: Outcome) -> None:
    """Rule 15: it is evidence against the instance itself."""
    verdict = judged(outcome, T0)
    assert (verdict.health, verdict.fresh) == (VMHealth.UNHEALTHY, True)


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.WRONG_STATUS])
def test_a_verdict_of_silence_is_looked_at_again_for_a_vote_that_comes_late(
    outcome: Outcome,
) -> None:
    """Rule 15: until its grace is over, or a slot is free, another prober may have heard it."""
    verdict = judged(outcome, None, bad=True)
    assert verdict.health is VMHealth.UNHEALTHY
    silent = outcome is Outcome.TIMED_OUT
    assert verdict.changes_at == (T0 + LISTEN_AGAIN if silent else None)


@pytest.mark.parametrize(("age", "vetoes"), [(0, True), (10.999, True), (11, False), (60, False)])
def test_a_vote_is_good_for_one_timeout(age: float, *, vetoes: bool) -> None:
    """P-11: the span without a success, to whomever."""
    vote = T0 - age * SECOND
    verdict = judged(Outcome.TIMED_OUT, vote)
    assert (verdict.doubt is Doubtfulness.SEEN_ELSEWHERE) is vetoes
    if vetoes:
        assert verdict.changes_at == vote + probe_view().timeout


def test_a_vote_from_before_the_containers_ran_is_none() -> None:
    """P-30: somebody else answered at the address."""
    pods = (replace(instances(1)[0], started=T0 - 30 * SECOND), *instances(40)[1:])
    silent = evidence(outcome=Outcome.TIMED_OUT)
    seen = a_set(instances=pods, bad={1: silent}, votes={pods[0].uid: T0 - 31 * SECOND})
    assert judge(SPEC, seen, T0)[pods[0].uid].health is VMHealth.UNHEALTHY


def test_a_verdict_of_silence_that_was_published_is_taken_back() -> None:
    """Rule 19: it is not known again, not repaired, and its rotation waits for its own answer."""
    verdict = judged(Outcome.TIMED_OUT, T0 - SECOND, bad=True)
    assert (verdict.health, verdict.in_rotation) == (VMHealth.UNKNOWN, None)
    pods = instances(40, unhealthy=[1])
    silent = evidence(outcome=Outcome.TIMED_OUT)
    seen = a_set(instances=pods, bad={1: silent}, votes={pods[0].uid: T0 - SECOND})
    plan = settle(SPEC, seen).plan
    assert not under_repair(plan)
    assert reasons(plan)["web-1"] is Reason.PROBE_INCONCLUSIVE
    assert published(plan)["web-1"].health is VMHealth.UNKNOWN


def test_a_lost_node_does_not_outweigh_a_vote() -> None:
    """Neither makes an answering instance Unhealthy, whoever it answers."""
    pods = tuple(replace(p, node=f"n{p.instance_id % 4}") for p in instances(40))
    nodes = {f"n{k}": k != 1 for k in range(4)}
    silent = evidence(outcome=Outcome.TIMED_OUT)
    for votes, reason in (
        ({}, Reason.NODE_NOT_READY),
        ({pods[0].uid: T0 - SECOND}, Reason.PROBE_INCONCLUSIVE),
    ):
        seen = a_set(instances=pods, bad={1: silent}, nodes=nodes, votes=votes)
        assert judge(SPEC, seen, T0)[pods[0].uid].reason is reason


def test_a_set_that_only_the_other_prober_hears_opens_no_doubt_and_sends_no_witness() -> None:
    """Rule 18: it is known already that the set is well."""
    silent = evidence(outcome=Outcome.TIMED_OUT)
    pods = instances(40)
    votes = {pod.uid: T0 - 2 * SECOND for pod in pods}
    seen = a_set(instances=pods, bad=dict.fromkeys(range(1, 41), silent), votes=votes)
    plan = settle(SPEC, seen).plan
    assert plan.status.repairs.doubts == ()
    assert published(plan) == {}
    assert not under_repair(plan)
