"""What silence is worth: nothing, while everything else is silent too."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.doubt import Doubtfulness, SetWatch, hold_time
from scaleset_operator.core.health import Verdict, judge
from scaleset_operator.core.observed import Evidence, Neighbour, Observed, Outcome, ProberView
from tests.core._stories import a_set, reasons, settle, under_repair
from tests.support.builders import instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def ago(seconds: float) -> datetime:
    return T0 - seconds * SECOND


def silent(since: float = 300, outcome: Outcome = Outcome.TIMED_OUT) -> Evidence:
    """Silent since so many seconds ago; answered until one interval before."""
    return Evidence(
        watched_since=T0 - HOUR,
        last_begun=ago(6),
        last_ended=ago(1),
        outcome=outcome,
        last_success=ago(since + 5),
        answering_since=T0 - HOUR,
        failing_since=ago(since),
        silent_since=ago(since),
    )


def judged(bad: dict[int, Any], size: int = 40, **fields: Any) -> dict[int, Verdict]:
    """Instance number -> verdict."""
    seen = a_set(size, bad=bad, instances=instances(size), **fields)
    verdicts = judge(scale_set_spec(), seen, T0)
    return {pod.instance_id: verdicts[pod.uid] for pod in seen.instances}


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.UNREACHABLE])
def test_one_silent_instance_among_answering_ones_is_unhealthy(outcome: Outcome) -> None:
    """R-04, protocol rule 16: the others have been heard since it fell."""
    verdict = judged({1: silent(outcome=outcome)})[1]
    assert (verdict.health, verdict.fresh, verdict.in_rotation) == (VMHealth.UNHEALTHY, True, False)


def test_nobody_is_convicted_before_the_others_of_its_set_were_heard() -> None:
    """Protocol rule 16: one of them has ended no attempt since."""
    late = replace(silent(), outcome=Outcome.OK, last_ended=ago(301), silent_since=None)
    verdict = judged({1: silent(), 2: late})[1]
    assert (verdict.health, verdict.reason) == (VMHealth.HEALTHY, Reason.PROBE_INCONCLUSIVE)
    assert (verdict.doubt, verdict.in_rotation) == (Doubtfulness.UNDECIDED, None)


def test_nobody_is_convicted_while_all_answers_are_older_than_its_silence() -> None:
    """Protocol rule 16: the others' last word was good, and is from before."""
    old = replace(silent(), outcome=Outcome.OK, last_ended=ago(301), last_success=ago(301))
    old = replace(old, silent_since=None)
    bad = dict.fromkeys(range(2, 41), old) | {1: silent()}
    assert judged(bad)[1].doubt is Doubtfulness.UNDECIDED


def test_nobody_is_convicted_before_the_others_of_its_node_were_heard() -> None:
    """Protocol rule 16: a pod of another set shares the node."""
    stranger = Neighbour(uid="uid-other-1", silent=False, last_ended=ago(301))
    seen = a_set(bad={1: silent()}, instances=instances(40))
    node = seen.instances[0].node or ""
    near = {**seen.neighbours, node: (*seen.neighbours[node], stranger)}
    held = judge(scale_set_spec(), replace(seen, neighbours=near), T0)["uid-web-1"]
    assert held.doubt is Doubtfulness.UNDECIDED


def test_an_undecided_instance_is_deferred_and_told() -> None:
    """X-11, protocol rule 16."""
    late = replace(silent(), outcome=Outcome.OK, last_ended=ago(301), silent_since=None)
    plan = settle(scale_set_spec(), a_set(bad={1: silent(), 2: late})).plan
    assert reasons(plan)["web-1"] is Reason.PROBE_INCONCLUSIVE
    assert not under_repair(plan)


def test_containers_that_are_not_ready_speak_against_a_silent_instance() -> None:
    """Protocol rule 15: though the whole set is silent."""
    pods = tuple(replace(p, containers_ready=p.instance_id != 1) for p in instances(40))
    seen = a_set(instances=pods, bad={n: silent() for n in range(1, 41)})
    verdicts = judge(scale_set_spec(), seen, T0)
    assert verdicts["uid-web-1"].reason is Reason.CONTAINERS_NOT_READY
    assert verdicts["uid-web-1"].health is VMHealth.UNHEALTHY
    assert verdicts["uid-web-2"].doubt is Doubtfulness.SET_SILENT


@pytest.mark.parametrize(
    ("down", "total", "evidence"),
    [(1, 3, True), (5, 10, True), (11, 20, False), (6, 10, False), (2, 2, False), (1, 1, False)],
)
def test_a_lost_node_speaks_against_a_silent_instance_while_most_are_ready(
    down: int, total: int, *, evidence: bool
) -> None:
    """Protocol rule 15: fewer than 55 % are NotReady and another such node is Ready."""
    pods = tuple(replace(p, node=f"n{p.instance_id % total}") for p in instances(40))
    nodes = {f"n{k}": k >= down for k in range(total)}
    seen = a_set(instances=pods, bad={n: silent() for n in range(1, 41)}, nodes=nodes)
    verdicts = judge(scale_set_spec(), seen, T0)
    on_down = [verdicts[p.uid] for p in pods if p.node == "n0"]
    expected = Reason.NODE_NOT_READY if evidence else Reason.PROBE_INCONCLUSIVE
    assert {v.reason for v in on_down} == {expected}


def fallen_node(since: float, *, of_node: int = 3, silent_ones: int = 3) -> Observed:
    """Instances 1 to `of_node` share node-x; the first `silent_ones` fell silent there."""
    pods = tuple(
        replace(p, node="node-x" if p.instance_id <= of_node else "node-y") for p in instances(40)
    )
    return a_set(instances=pods, bad={n: silent(since) for n in range(1, silent_ones + 1)})


@pytest.mark.parametrize(("since", "held"), [(59, True), (60, False)])
def test_a_node_that_fell_silent_is_held_and_then_convicted(since: float, *, held: bool) -> None:
    """X-05, protocol rule 17: max(2 x timeout, 60 s), long enough for the node's own word."""
    verdict = judge(scale_set_spec(), fallen_node(since), T0)["uid-web-1"]
    assert (verdict.health is VMHealth.UNHEALTHY) is not held
    if held:
        assert verdict.doubt is Doubtfulness.HELD
        assert verdict.changes_at == ago(since) + 60 * SECOND
        assert verdict.in_rotation is False, "rule 20: a part of the set leaves as usual"


@pytest.mark.parametrize(("of_node", "silent_ones"), [(2, 2), (11, 9)])
def test_a_few_silent_instances_are_no_fallen_node(of_node: int, silent_ones: int) -> None:
    """Protocol rule 17: at least three, and 90 % of them."""
    seen = fallen_node(15, of_node=of_node, silent_ones=silent_ones)
    assert judge(scale_set_spec(), seen, T0)["uid-web-1"].health is VMHealth.UNHEALTHY


def test_nine_of_ten_silent_are_a_fallen_node() -> None:
    """Protocol rule 17: 90 %, exactly."""
    seen = fallen_node(15, of_node=10, silent_ones=9)
    assert judge(scale_set_spec(), seen, T0)["uid-web-1"].doubt is Doubtfulness.HELD


def test_a_fallen_node_goes_at_the_cap_s_pace() -> None:
    """Protocol rule 17, R-11."""
    seen = fallen_node(120)
    pods = tuple(
        replace(mine, published=bad.published if mine.instance_id <= 3 else mine.published)
        for mine, bad in zip(seen.instances, instances(40, unhealthy=range(1, 4)), strict=True)
    )
    assert len(settle(scale_set_spec(), replace(seen, instances=pods)).entries) == 2


@pytest.mark.parametrize("size", [1, 2, 40])
def test_a_set_that_is_silent_as_a_whole_convicts_nobody(size: int) -> None:
    """X-05, R-60, protocol rules 18 and 20: sets of one and two included; rotation is kept."""
    verdicts = judged({n: silent() for n in range(1, size + 1)}, size)
    assert {v.doubt for v in verdicts.values()} == {Doubtfulness.SET_SILENT}
    assert {v.health for v in verdicts.values()} == {VMHealth.UNKNOWN}
    assert {v.in_rotation for v in verdicts.values()} == {None}


def test_a_wrong_answer_in_a_silent_set_is_still_unhealthy() -> None:
    """X-06: an answer proves reachability."""
    bad: dict[int, Any] = {n: silent() for n in range(1, 41)}
    verdicts = judged(bad | {7: Outcome.WRONG_STATUS})
    assert verdicts[7].health is VMHealth.UNHEALTHY
    settled = settle(scale_set_spec(), a_set(bad=bad | {7: Outcome.WRONG_STATUS}))
    assert under_repair(settled.plan) == {"web-7"}


@pytest.mark.parametrize("hours", [0.1, 24])
def test_a_blind_prober_repairs_nothing_on_silence_however_long(hours: float) -> None:
    """X-05, protocol rules 18 and 20: the references are unreachable; this never clears by time."""
    bad = {n: silent(hours * 3600) for n in range(1, 41)}
    prober = ProberView(beating_since=T0 - 48 * HOUR, sees=False)
    verdicts = judged(bad, prober=prober)
    assert {v.doubt for v in verdicts.values()} == {Doubtfulness.BLIND}
    assert {(v.in_rotation, v.changes_at) for v in verdicts.values()} == {(None, None)}
    plan = settle(scale_set_spec(), a_set(bad=bad, prober=prober)).plan
    assert not under_repair(plan)
    assert plan.look_again_at is None or plan.look_again_at > T0


def test_a_blind_prober_still_believes_a_wrong_answer() -> None:
    """X-06."""
    prober = ProberView(beating_since=T0 - HOUR, sees=False)
    assert judged({1: Outcome.REFUSED}, prober=prober)[1].health is VMHealth.UNHEALTHY


def returned(seconds: float) -> dict[int, Any]:
    """Everybody fell 300 s ago; so many seconds ago web-1 came back, the others have not yet."""
    back = replace(
        silent(),
        outcome=Outcome.OK,
        last_success=ago(1),
        answering_since=ago(seconds),
        failing_since=None,
        silent_since=None,
    )
    return {n: silent() for n in range(2, 41)} | {1: back}


@pytest.mark.parametrize(("seconds", "convicted"), [(2, False), (10, False), (11, True)])
def test_after_sight_came_back_one_more_full_timeout_is_waited(
    seconds: float, *, convicted: bool
) -> None:
    """X-05, protocol rule 19."""
    verdict = judged(returned(seconds))[2]
    assert (verdict.health is VMHealth.UNHEALTHY) is convicted
    if not convicted:
        assert verdict.changes_at == ago(seconds) + 11 * SECOND


def test_the_first_answer_after_blindness_takes_nobody_out_of_rotation() -> None:
    """X-05, protocol rules 19 and 20: the others get their full timeout before they leave."""
    verdicts = judged(returned(2))
    assert {verdicts[n].in_rotation for n in range(2, 41)} == {None}
    assert verdicts[1].in_rotation is True


@pytest.mark.parametrize(("timeout", "hold"), [(11, 60), (30, 60), (31, 62), (120, 240)])
def test_the_hold_is_two_timeouts_and_a_minute_at_least(timeout: int, hold: int) -> None:
    """Protocol rules 17 and 18."""
    assert hold_time(probe_view(timeout=timeout * SECOND)) == hold * SECOND


def test_a_set_that_goes_dark_bit_by_bit_is_dark() -> None:
    """X-05, rule 18: one fell while the others still answered; nobody answers now."""
    late = replace(silent(20), last_success=ago(22))
    verdicts = judged({1: silent(60)} | dict.fromkeys(range(2, 41), late))
    assert {v.doubt for v in verdicts.values()} == {Doubtfulness.SET_SILENT}


def test_one_that_answers_now_is_enough_to_convict_the_silent() -> None:
    """Rule 18: the prober sees."""
    verdicts = judged(dict.fromkeys(range(1, 40), silent(60)))
    assert verdicts[1].health is VMHealth.UNHEALTHY
    assert verdicts[40].health is VMHealth.HEALTHY


@example([(5, 9), (7, 0)], 9)
@example([(7, 0), (5, 9)], 9)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6), st.integers(0, 9))
def test_sight_is_that_of_all_who_were_heard_after_the_fall(
    members: list[tuple[int, int]], fell: int
) -> None:
    """Protocol rule 19: since when the one of them has answered that has answered the longest."""
    heard = [
        replace(silent(), last_success=ago(last), answering_since=ago(last + longer))
        for last, longer in members
    ]
    after = [ago(last + longer) for last, longer in members if last < fell]
    assert SetWatch.of(heard).sight_since(ago(fell)) == min(after, default=None)


def untried(since: float) -> Evidence:
    """Watched for so many seconds, and no attempt has ended."""
    return Evidence(watched_since=ago(since))


@pytest.mark.parametrize(("since", "waits"), [(301, True), (300, True), (299, False)])
def test_nobody_is_convicted_before_one_that_was_watched_already_was_heard(
    since: float, *, waits: bool
) -> None:
    """Protocol rule 16; one that came later is not waited for, or a growing set would be spared."""
    verdict = judged({1: silent(), 2: untried(since)})[1]
    assert (verdict.doubt is Doubtfulness.UNDECIDED) is waits


@pytest.mark.parametrize(("since", "waits"), [(301, True), (299, False)])
def test_nor_before_one_of_its_node_was_heard_at_all(since: float, *, waits: bool) -> None:
    """Protocol rule 16: of another set."""
    stranger = Neighbour(uid="other", silent=False, last_ended=None, watched_since=ago(since))
    seen = a_set(bad={1: silent()}, instances=instances(40))
    node = seen.instances[0].node or ""
    near = {**seen.neighbours, node: (*seen.neighbours[node], stranger)}
    verdict = judge(scale_set_spec(), replace(seen, neighbours=near), T0)["uid-web-1"]
    assert (verdict.doubt is Doubtfulness.UNDECIDED) is waits
