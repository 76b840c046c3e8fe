"""The time an instance takes to its first Healthy is learned, and a grace below it is warned of."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.observed import Evidence, Instance, Observed, Outcome, Published
from scaleset_operator.core.plan import Record
from tests.core._stories import Settled, Story, a_set, condition, published, settle
from tests.support.builders import evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SPEC = scale_set_spec()
SAID = "answers as expected; first Healthy after {}s"


def sample(pod: Instance, seconds: int) -> Instance:
    """The pod, Healthy for the first time so long after its start."""
    assert pod.published is not None
    shown = replace(pod.published, message=SAID.format(seconds))
    return replace(pod, published=shown)


def learned(*minutes: int, **fields: Any) -> Observed:
    """Instances that took so many minutes each."""
    pods = instances(len(minutes))
    pods = tuple(sample(p, 60 * m) for p, m in zip(pods, minutes, strict=True))
    return a_set(instances=pods, **fields)


def accepted(settled: Settled) -> tuple[str, str]:
    found = next(c for c in settled.plan.status.conditions if c.type == "Accepted")
    return found.reason, found.message


def young(**fields: Any) -> Instance:
    """web-1, whose containers have run for a minute, and on which nothing stands yet."""
    return replace(instance(number=1, started=T0 - MINUTE, health=None), **fields)


def answering(after: timedelta, **fields: Any) -> Evidence:
    """It was watched from its start, and answered first so long after it."""
    first = T0 - MINUTE + after
    return evidence(watched_for=MINUTE, answering_since=first, **fields)


def message_of(pod: Instance, found: Evidence) -> str:
    """What is written on the pod."""
    seen = a_set(instances=(pod, *instances(40)[1:]), bad={1: found})
    return published(settle(SPEC, seen).plan)["web-1"].message


@pytest.mark.parametrize(("after", "seconds"), [(20.0, 20), (20.2, 21), (0.0, 0)])
def test_the_first_healthy_verdict_says_how_long_it_took(after: float, seconds: int) -> None:
    """From the containers' start; in the one patch that is due anyway."""
    said = message_of(young(), answering(timedelta(seconds=after)))
    assert said == SAID.format(seconds)


def test_a_slow_one_that_was_unhealthy_since_it_could_be_is_a_sample() -> None:
    """Its first verdict came a timeout after its start."""
    shown = Published(health=VMHealth.UNHEALTHY, reason="WrongStatus", since=T0 - 45 * SECOND)
    slow = young(published=shown, in_rotation=False)
    assert message_of(slow, answering(50 * SECOND)) == SAID.format(50)


def test_one_that_fell_ill_later_and_came_back_is_none() -> None:
    """Its recovery is no start."""
    shown = Published(health=VMHealth.UNHEALTHY, reason="WrongStatus", since=T0 - 20 * SECOND)
    back = young(published=shown, in_rotation=False)
    assert message_of(back, answering(50 * SECOND)) == "answers as expected"


def test_one_that_was_not_watched_from_its_start_is_none() -> None:
    """The operator was away, or the probe was another one."""
    found = evidence(watched_for=30 * SECOND, answering_since=T0 - 20 * SECOND)
    assert message_of(young(), found) == "answers as expected"


@pytest.mark.parametrize(("watched", "sample"), [(55, True), (54, False)])
def test_the_prober_must_have_watched_from_the_first_interval_on(
    watched: int, *, sample: bool
) -> None:
    """It started a minute ago, and is probed each five seconds."""
    since = T0 - watched * SECOND
    found = replace(answering(20 * SECOND), watched_since=since)
    assert ("first Healthy" in message_of(young(), found)) is sample


@pytest.mark.parametrize(("since", "sample"), [(34, True), (33, False)])
def test_one_unhealthy_since_later_than_it_could_be_was_healthy_before(
    since: int, *, sample: bool
) -> None:
    """Due a timeout of 11 s and an interval of 5 s after its start, and told 10 s later."""
    shown = Published(health=VMHealth.UNHEALTHY, reason="WrongStatus", since=T0 - since * SECOND)
    slow = young(published=shown, in_rotation=False)
    assert ("first Healthy" in message_of(slow, answering(50 * SECOND))) is sample


def test_without_a_probe_of_health_nothing_is_learned() -> None:
    """Neither of one that is never probed, nor by an instance's own report."""
    own = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "Warm"})
    pods = (young(reports=(("Warm", VMHealth.HEALTHY, T0),)), *instances(40)[1:])
    told = published(settle(own, a_set(instances=pods, probe=None)).plan)["web-1"]
    assert told.message == "pod condition Warm reports Healthy"


def test_a_failing_verdict_carries_no_time() -> None:
    """Though it has answered before."""
    found = evidence(outcome=Outcome.WRONG_STATUS, watched_for=MINUTE, for_=20 * SECOND)
    assert found.answering_since is not None
    assert "first Healthy" not in message_of(young(), found)


@pytest.mark.parametrize(
    ("minutes", "warns"),
    [
        ([29] * 20, False),
        ([30] * 20, False),
        ([29] * 19 + [45], False),
        ([29] * 18 + [45, 45], True),
        ([45] * 20, True),
        ([45] * 9, False),
        ([45] * 10, True),
    ],
)
def test_a_grace_below_the_95th_percentile_is_warned_of(minutes: list[int], *, warns: bool) -> None:
    """One in twenty may be slow; fewer than ten instances say nothing."""
    spec = scale_set_spec(replicas=len(minutes))
    settled = settle(spec, learned(*minutes))
    assert (accepted(settled)[0] == "GraceTooShort") is warns
    assert condition(settled.plan, "Accepted") == ("True", "GraceTooShort" if warns else "Valid")


def test_the_warning_names_grace_time_and_model_and_is_told_once() -> None:
    """In Accepted and in one Event."""
    spec = scale_set_spec(replicas=20)
    settled = settle(spec, learned(*[44] * 20))
    said = (
        "gracePeriod PT30M is too short: 95 % of the instances of model m1 were Healthy within "
        "PT45M of their start, not sooner"
    )
    assert accepted(settled) == ("GraceTooShort", said)
    notes = [n for p in settled.plans if p.record is Record.NOW for n in p.notes]
    assert [(n.message, n.warning) for n in notes if n.reason == Reason.GRACE_TOO_SHORT] == [
        (said, True)
    ]
    again = settle(spec, settled.seen, T0 + SECOND)
    assert again.plan.record is Record.NONE


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (12, "PT15S"),
        (56, "PT1M"),
        (60, "PT1M"),
        (61, "PT1M30S"),
        (91, "PT2M"),
        (600, "PT10M"),
        (601, "PT15M"),
        (901, "PT20M"),
    ],
)
def test_the_time_that_is_told_is_rounded_up_to_few_values(seconds: int, told: str) -> None:
    """G9: to 5 s, from a minute on to 30 s, from ten minutes on to five."""
    pods = tuple(sample(pod, seconds) for pod in instances(20))
    settled = settle(scale_set_spec(replicas=20, grace="PT0S"), a_set(instances=pods))
    assert f"were Healthy within {told} of" in accepted(settled)[1]


def test_the_time_that_is_told_is_that_of_the_slowest_but_one_in_twenty() -> None:
    settled = settle(scale_set_spec(replicas=20), learned(*[31] * 17, 36, 41, 46))
    assert "were Healthy within PT45M of" in accepted(settled)[1]


def test_what_was_learned_under_a_probe_holds_without_one() -> None:
    """The set has gone over to its instances' own report; the grace is what counts."""
    own: dict[str, Any] = {
        "healthProbeRef": None,
        "applicationHealth": {"podConditionType": "Warm"},
    }
    spec = scale_set_spec(replicas=20, **own)
    assert accepted(settle(spec, learned(*[45] * 20, probe=None)))[0] == "GraceTooShort"


def test_more_samples_of_the_same_kind_write_nothing() -> None:
    """G9: the words are rounded, so that they stand still."""
    spec = scale_set_spec(replicas=20)
    first = settle(spec, learned(*[44] * 20))
    moved = learned(*[44] * 10, *[42] * 10, status=first.plan.status)
    assert settle(spec, moved, T0 + SECOND).plan.record is Record.NONE


@pytest.mark.parametrize(("minutes", "warns"), [(31, True), (28, True), (27, False)])
def test_a_warning_that_stands_goes_only_well_below_the_grace(minutes: int, *, warns: bool) -> None:
    """G9: or it would come and go with every instance."""
    spec = scale_set_spec(replicas=20)
    standing = settle(spec, learned(*[45] * 20)).plan.status
    settled = settle(spec, learned(*[minutes] * 20, status=standing), T0 + SECOND)
    assert (accepted(settled)[0] == "GraceTooShort") is warns


def test_a_longer_grace_ends_the_warning() -> None:
    standing = settle(scale_set_spec(replicas=20), learned(*[45] * 20)).plan.status
    longer = scale_set_spec(replicas=20, grace="PT60M")
    assert accepted(settle(longer, learned(*[45] * 20, status=standing)))[0] == "Valid"


def test_only_the_latest_model_counts_and_only_while_repairs_are_on() -> None:
    """A model that is on its way out is no advice for the next."""
    manual = scale_set_spec(replicas=20, upgradePolicy={"mode": "Manual"})
    seen = learned(*[45] * 20)
    older = replace(seen, instances=tuple(replace(p, model="m0") for p in seen.instances))
    assert accepted(settle(manual, older))[0] == "Valid"
    off = scale_set_spec(replicas=20, repairs=False)
    assert accepted(settle(off, learned(*[45] * 20)))[0] == "Valid"


def test_no_verdict_comes_before_a_full_timeout_so_no_grace_is_shorter() -> None:
    """Under a probe of 5/11 an instance that takes ten seconds is safe without a grace."""
    spec = scale_set_spec(replicas=20, grace="PT0S")
    pods = tuple(sample(p, 11) for p in instances(20))
    assert accepted(settle(spec, a_set(instances=pods)))[0] == "Valid"
    slower = tuple(sample(p, 12) for p in instances(20))
    assert accepted(settle(spec, a_set(instances=slower)))[0] == "GraceTooShort"


@pytest.mark.parametrize(
    "text", ["", "9999s", "first Healthy after 9s", SAID.format("many"), SAID.format("²")]
)
def test_words_of_others_are_no_samples(text: str) -> None:
    """Whatever stands in a condition that something else has written."""
    shown = Published(health=VMHealth.HEALTHY, reason="x", since=T0, message=text)
    pods = tuple(replace(p, published=shown) for p in instances(20))
    assert accepted(settle(scale_set_spec(replicas=20), a_set(instances=pods)))[0] == "Valid"


def test_a_set_that_comes_up_slowly_is_advised_from_what_was_published() -> None:
    """A story from the creates to the warning."""
    story = Story.of(scale_set_spec(replicas=12, grace="PT20S"), size=0)
    story.behaviour = Outcome.WRONG_STATUS
    story.run(MINUTE)
    for name in list(story.pods):
        story.told[name] = [(story.pods[name].started or T0, Outcome.WRONG_STATUS)]
    story.tell(Outcome.OK)
    plan = story.run(30 * SECOND)
    found = next(c for c in plan.status.conditions if c.type == "Accepted")
    assert found.reason == "GraceTooShort"
